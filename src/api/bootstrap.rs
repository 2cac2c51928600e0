//! `/v1/bootstrap`: the first valid license wins.

use super::{Request, body, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::Bootstrap;

pub fn bootstrap(request: &Request) -> Result<Reply> {
    body::require_type(request.call, body::JSON)?;
    let asked = Bootstrap::read(&request.call.body)?;
    reply::created(&request.backend.bootstrap(asked)?)
}

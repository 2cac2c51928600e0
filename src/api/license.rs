//! `/v1/license`.

use super::{Request, body, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::UpdateLicense;

pub fn get(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.license()?)
}

pub fn update(request: &Request) -> Result<Reply> {
    body::require_type(request.call, body::JSON)?;
    let asked = UpdateLicense::read(&request.call.body)?;
    let license = request
        .backend
        .update_license(asked.license, asked.forget_previous)?;
    reply::ok(&license)
}

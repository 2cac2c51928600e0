//! `/v1/cluster`: who this agent is, how it stands, and a push to exchange now.

use super::{Request, body, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::Triggered;
use serde::Deserialize;

/// What a call without arguments may carry: nothing, or an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub fn identity(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.identity()?)
}

pub fn status(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.status()?)
}

pub fn sync(request: &Request) -> Result<Reply> {
    if !request.call.body.is_empty() {
        let _: Nothing = body::read(request.call)?;
    }
    request.backend.sync()?;
    reply::ok(&Triggered { triggered: true })
}

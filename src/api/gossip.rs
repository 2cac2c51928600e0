//! `/v1/gossip/`: what other agents say. They prove themselves by signatures, not by tokens, so all
//! of it is for the agent behind.

use super::{Request, body};
use crate::domain::Result;
use crate::transport::Reply;

pub fn gossip(request: &Request) -> Result<Reply> {
    // What a web page may send without asking first has another type.
    body::require_type(request.call, body::JSON)?;
    Ok(request.backend.gossip(request.call))
}

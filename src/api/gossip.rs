//! `/v1/gossip/`: what other agents say. They prove themselves by signatures, not by tokens, so all
//! of it is for the agent behind.

use super::Request;
use crate::domain::Result;
use crate::transport::Reply;

pub fn gossip(request: &Request) -> Result<Reply> {
    Ok(request.backend.gossip(request.call))
}

//! `/livez` and `/readyz`.

use super::{Readiness, Request, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::Health;
use log::debug;

/// Asks nothing but the clock: whoever gets this answer has found a running agent.
pub fn live(request: &Request) -> Result<Reply> {
    reply::ok(&health(request, "ok", None))
}

pub fn ready(request: &Request) -> Result<Reply> {
    match request.backend.readiness() {
        Ok(Readiness::Ready(detail)) => reply::ok(&health(request, "ok", detail)),
        Ok(Readiness::NotReady(why)) => Ok(unready(request, why)),
        // Asked every few seconds; the calls that need the store say the cause more loudly.
        Err(error) => {
            debug!(
                "not ready: {error}: {}",
                error.cause().unwrap_or("").escape_debug()
            );
            Ok(unready(request, "store does not answer"))
        }
    }
}

fn unready(request: &Request, why: &str) -> Reply {
    let mut reply = reply::json(503, &health(request, "unavailable", Some(why)));
    reply.headers.push(reply::retry());
    reply
}

fn health(request: &Request, status: &str, reason: Option<&str>) -> Health {
    Health {
        status: status.to_string(),
        timestamp: request.backend.now(),
        reason: reason.map(str::to_string),
    }
}

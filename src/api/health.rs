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

#[cfg(test)]
mod tests {
    use super::super::Readiness;
    use super::super::fake::{Agent, NOW};
    use super::super::samples::call;
    use crate::domain::Error;

    #[test]
    fn alive_whatever_the_store_does() {
        let agent = Agent::new();
        agent.state().bootstrapped = false;
        let answer = agent.send(call("GET", "/livez"));
        let expected = serde_json::json!({"status": "ok", "timestamp": NOW});
        assert_eq!((answer.status, answer.json), (200, expected));
    }

    #[test]
    fn readiness() {
        let failing = Err(Error::StorageUnavailable("/a/path".into()));
        for (readiness, status, reason) in [
            (Ok(Readiness::Ready(None)), 200, None),
            (
                Ok(Readiness::Ready(Some("isolated"))),
                200,
                Some("isolated"),
            ),
            (
                Ok(Readiness::NotReady("not bootstrapped")),
                503,
                Some("not bootstrapped"),
            ),
            (failing, 503, Some("store does not answer")),
        ] {
            let agent = Agent::new();
            agent.state().readiness = readiness;
            let answer = agent.send(call("GET", "/readyz"));
            assert_eq!(answer.status, status);
            assert_eq!(answer.json["reason"].as_str(), reason);
            assert_eq!(answer.json["status"] == "ok", status == 200);
            assert_eq!(answer.header("Retry-After").is_some(), status == 503);
        }
    }
}

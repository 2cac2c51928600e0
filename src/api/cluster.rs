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

#[cfg(test)]
mod tests {
    use super::super::fake::Agent;
    use super::super::samples::{call, peer_id};

    #[test]
    fn identity_is_public_and_status_is_not() {
        let agent = Agent::new();
        let answer = agent.send(call("GET", "/v1/cluster/identity"));
        assert_eq!(answer.json["peer_id"], peer_id(1).to_string());
        assert_eq!(agent.send(call("GET", "/v1/cluster/status")).status, 401);
        assert_eq!(agent.admin("GET", "/v1/cluster/status", "").status, 200);
    }

    #[test]
    fn sync_takes_no_arguments() {
        for (body, status) in [
            ("", 200),
            ("{}", 200),
            (r#"{"peer": 1}"#, 400),
            ("[1]", 400),
        ] {
            let agent = Agent::new();
            let answer = agent.admin("POST", "/v1/cluster/sync", body);
            assert_eq!(answer.status, status, "{body}");
            assert_eq!(agent.state().asked.len(), usize::from(status == 200));
        }
    }
}

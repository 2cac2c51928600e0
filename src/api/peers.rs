//! `/v1/peers`.

use super::{Request, body, reply};
use crate::domain::{Address, Error, Name, PeerId, Result};
use crate::transport::Reply;
use crate::wire::operator::{AddPeer, Deleted, UpdatePeer};

pub fn list(request: &Request, is_local: Option<bool>) -> Result<Reply> {
    let mut peers = request.backend.peers()?;
    peers.retain(|peer| is_local.is_none_or(|wanted| peer.is_local == wanted));
    reply::ok(&peers)
}

pub fn get(request: &Request, id: PeerId) -> Result<Reply> {
    reply::ok(&request.backend.peer(id)?)
}

pub fn add(request: &Request) -> Result<Reply> {
    let asked: AddPeer = body::read(request.call)?;
    let address = asked.address.ok_or(Error::MissingField("address"))?;
    let address = Address::parse(&address)?;
    let name = Name::parse_optional(asked.name.as_deref().unwrap_or(""))?;
    match request.backend.add_peer(address, name)? {
        (true, peer) => reply::created(&peer),
        (false, peer) => reply::ok(&peer),
    }
}

pub fn rename(request: &Request, id: PeerId) -> Result<Reply> {
    body::only_mutable(request.call, &["name"])?;
    let asked: UpdatePeer = body::read(request.call)?;
    let name = Name::parse(&asked.name.ok_or(Error::MissingField("name"))?)?;
    reply::ok(&request.backend.rename_peer(id, name)?)
}

pub fn delete(request: &Request, id: PeerId) -> Result<Reply> {
    request.backend.delete_peer(id)?;
    reply::ok(&Deleted { deleted: true })
}

pub fn remove_self(request: &Request, force: bool) -> Result<Reply> {
    reply::ok(&request.backend.remove_self(force)?)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Agent, Answer};
    use super::super::samples::peer_id;
    use super::*;

    /// Refused with this code and a sentence that has this word; nothing was asked.
    fn refused(method: &str, path: &str, body: &str, code: &str, word: &str) {
        let agent = Agent::new();
        let answer = agent.admin(method, path, body);
        assert_eq!(answer.code(), code, "{body}: {}", answer.error());
        assert!(answer.error().contains(word), "{body}: {}", answer.error());
        assert!(agent.state().asked.is_empty(), "{body}");
    }

    fn names(answer: &Answer) -> Vec<&str> {
        let peers = answer.json.as_array().unwrap();
        peers.iter().map(|p| p["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn listed_as_a_bare_array() {
        let agent = Agent::new();
        for (query, expected) in [
            ("", vec!["alice", "bob"]),
            ("?is_local=true", vec!["alice"]),
            ("?is_local=false", vec!["bob"]),
        ] {
            let answer = agent.admin("GET", &format!("/v1/peers{query}"), "");
            assert_eq!((answer.status, names(&answer)), (200, expected));
        }
        refused("GET", "/v1/peers?local=1", "", "INVALID_REQUEST", "'local'");
    }

    #[test]
    fn added_new_or_known_at_a_new_address() {
        let agent = Agent::new();
        let new = r#"{"address": "10.0.0.2:8080", "name": "bob"}"#;
        assert_eq!(agent.admin("POST", "/v1/peers", new).status, 201);
        let known = agent.admin("POST", "/v1/peers", r#"{"address": "10.0.0.2:1"}"#);
        assert_eq!(known.status, 200);
        let asked = ["add_peer 10.0.0.2:8080 'bob'", "add_peer 10.0.0.2:1 ''"];
        assert_eq!(agent.state().asked, asked);
    }

    #[test]
    fn additions_that_are_malformed() {
        for (body, code, word) in [
            ("", "INVALID_REQUEST", "empty"),
            ("[]", "INVALID_REQUEST", "object"),
            (r#"["a:1"]"#, "INVALID_REQUEST", "object"),
            ("{", "INVALID_REQUEST", "JSON"),
            ("{}", "MISSING_FIELD", "'address'"),
            (r#"{"address": null}"#, "MISSING_FIELD", "'address'"),
            (r#"{"address": 5}"#, "INVALID_REQUEST", "'address'"),
            (
                r#"{"address": "a:1", "name": ["x"]}"#,
                "INVALID_REQUEST",
                "'name'",
            ),
            (
                r#"{"address": "a:1", "name": "self"}"#,
                "INVALID_REQUEST",
                "name",
            ),
            (r#"{"address": "http://a:1"}"#, "INVALID_REQUEST", "address"),
            (
                r#"{"address": "a:1", "adress": "a:2"}"#,
                "INVALID_REQUEST",
                "adress",
            ),
            (
                r#"{"address": "a:1", "address": "a:2"}"#,
                "INVALID_REQUEST",
                "duplicate",
            ),
        ] {
            refused("POST", "/v1/peers", body, code, word);
        }
    }

    #[test]
    fn only_json_is_read() {
        let agent = Agent::new();
        let token = agent.token_with(&[crate::domain::Scope::PeersWrite]);
        for (header, status) in [
            (Some("application/json"), 201),
            (Some("Application/JSON; charset=utf-8"), 201),
            (Some("text/json"), 415),
            (Some("application/x-www-form-urlencoded"), 415),
            (None, 415),
        ] {
            let mut call = super::super::samples::call("POST", "/v1/peers");
            let named = |name: &str, value: &str| (name.to_string(), value.to_string());
            call.headers
                .push(named("authorization", &format!("Bearer {token}")));
            call.headers
                .extend(header.map(|value| named("content-type", value)));
            call.body = br#"{"address": "10.0.0.2:8080"}"#.to_vec();
            assert_eq!(agent.send(call).status, status, "{header:?}");
        }
    }

    #[test]
    fn renamed_and_nothing_else() {
        let path = format!("/v1/peers/{}", peer_id(2));
        let agent = Agent::new();
        let answer = agent.admin("PUT", &path, r#"{"name": "Production Server 1"}"#);
        assert_eq!(
            (answer.status, answer.json["name"].as_str()),
            (200, Some("Production Server 1"))
        );
        for (body, code, word) in [
            ("{}", "MISSING_FIELD", "'name'"),
            (r#"{"name": null}"#, "MISSING_FIELD", "'name'"),
            (r#"{"name": ""}"#, "INVALID_REQUEST", "name"),
            (r#"{"name": 1}"#, "INVALID_REQUEST", "'name'"),
            (
                r#"{"name": "a", "public_key": "k"}"#,
                "INVALID_REQUEST",
                "'public_key' is immutable",
            ),
            (
                r#"{"address": "a:1"}"#,
                "INVALID_REQUEST",
                "'address' is immutable",
            ),
            (r#""name""#, "INVALID_REQUEST", "JSON"),
        ] {
            refused("PUT", &path, body, code, word);
        }
        refused(
            "PUT",
            "/v1/peers/bob",
            r#"{"name": "a"}"#,
            "NOT_FOUND",
            "peer not found",
        );
    }

    #[test]
    fn deleted_remote_local_and_self() {
        let agent = Agent::new();
        let path = format!("/v1/peers/{}", peer_id(2));
        let answer = agent.admin("DELETE", &path, "");
        assert_eq!(
            (answer.status, answer.json),
            (200, serde_json::json!({"deleted": true}))
        );
        agent.state().error = Some(Error::LocalPeer);
        let answer = agent.admin("DELETE", &path, "");
        assert_eq!((answer.status, answer.code()), (409, "LOCAL_PEER"));
        let answer = agent.admin("DELETE", "/v1/peers/self", "");
        let expected = serde_json::json!({"deactivated": true, "announced_to": 2, "pending": 1});
        assert_eq!((answer.status, answer.json), (200, expected));
    }
}

//! `/v1/services`.

use super::{NewService, Request, body, reply};
use crate::domain::{Error, Name, PeerId, Result, ServiceId, Transport};
use crate::transport::Reply;
use crate::wire::operator::{CreateService, Deleted, UpdateService};

pub fn list(request: &Request, source: Option<PeerId>, target: Option<PeerId>) -> Result<Reply> {
    reply::ok(&request.backend.services(source, target)?)
}

pub fn get(request: &Request, id: ServiceId) -> Result<Reply> {
    reply::ok(&request.backend.service(id)?)
}

pub fn create(request: &Request) -> Result<Reply> {
    let new = parse(body::read(request.call)?)?;
    let source = new.source.unwrap_or(request.local()?.peer_id);
    // The hash is the identity; two ids of one peer may differ in their time.
    if source.hash() == new.target.hash() {
        let why = "source_peer_id and target_peer_id are the same peer";
        return Err(Error::Invalid(why.to_string()));
    }
    reply::created(&request.backend.create_service(new)?)
}

fn parse(asked: CreateService) -> Result<NewService> {
    let target = asked
        .target_peer_id
        .ok_or(Error::MissingField("target_peer_id"))?;
    let source = asked.source_peer_id.as_deref();
    Ok(NewService {
        source: source
            .map(|id| body::peer_id("source_peer_id", id))
            .transpose()?,
        target: body::peer_id("target_peer_id", &target)?,
        transport: Transport::parse(asked.transport_type.as_deref().unwrap_or("tcp"))?,
        name: Name::parse_optional(asked.name.as_deref().unwrap_or(""))?,
    })
}

pub fn update(request: &Request, id: ServiceId) -> Result<Reply> {
    body::only_mutable(request.call, &["name", "transport_type"])?;
    let asked: UpdateService = body::read(request.call)?;
    let name = asked
        .name
        .as_deref()
        .map(Name::parse_optional)
        .transpose()?;
    let transport = asked.transport_type.as_deref().map(Transport::parse);
    let transport = transport.transpose()?;
    if name.is_none() && transport.is_none() {
        let why = "nothing to change: give name, transport_type or both";
        return Err(Error::Invalid(why.to_string()));
    }
    reply::ok(&request.backend.update_service(id, name, transport)?)
}

pub fn delete(request: &Request, id: ServiceId) -> Result<Reply> {
    request.backend.delete_service(id)?;
    reply::ok(&Deleted { deleted: true })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Agent;
    use super::super::samples::{peer_id, public_key, service_id};
    use super::*;

    fn refused(method: &str, path: &str, body: &str, code: &str, word: &str) {
        let agent = Agent::new();
        let answer = agent.admin(method, path, body);
        assert_eq!(answer.code(), code, "{body}: {}", answer.error());
        assert!(answer.error().contains(word), "{body}: {}", answer.error());
        assert!(agent.state().asked.is_empty(), "{body}");
    }

    #[test]
    fn filters_take_ids_of_the_departed() {
        let agent = Agent::new();
        let path = format!("/v1/services?target_peer_id={}", peer_id(7));
        let answer = agent.admin("GET", &path, "");
        assert_eq!((answer.status, answer.json), (200, serde_json::json!([])));
        let asked = format!("services None Some({})", peer_id(7));
        assert_eq!(agent.state().asked, [asked]);
        let path = "/v1/services?source_peer_id=bob";
        refused("GET", path, "", "INVALID_REQUEST", "source_peer_id");
    }

    #[test]
    fn created_from_here_over_tcp_unless_said_otherwise() {
        let agent = Agent::new();
        let (one, two) = (peer_id(2), peer_id(3));
        let short = format!(r#"{{"target_peer_id": "{one}"}}"#);
        let answer = agent.admin("POST", "/v1/services", &short);
        assert_eq!(
            (answer.status, answer.json["transport_type"].as_str()),
            (201, Some("tcp"))
        );
        let full = format!(
            r#"{{"target_peer_id": "{one}", "source_peer_id": "{two}", "transport_type": "kcp", "name": "web"}}"#
        );
        let answer = agent.admin("POST", "/v1/services", &full);
        assert_eq!(answer.json["source_peer_id"], two.to_string());
        assert_eq!(answer.json["transport_type"], "kcp");
        let asked = agent.state().asked.clone();
        assert!(asked[0].contains("source: None"), "{asked:?}");
        agent.state().error = Some(Error::NotFound("peer"));
        assert_eq!(agent.admin("POST", "/v1/services", &short).status, 404);
    }

    #[test]
    fn creations_that_are_malformed() {
        let (local, other) = (peer_id(1), peer_id(2));
        let older = PeerId::derive(&public_key(2), 9);
        for (body, code, word) in [
            ("{}".to_string(), "MISSING_FIELD", "'target_peer_id'"),
            (
                r#"{"target_peer_id": 1}"#.into(),
                "INVALID_REQUEST",
                "'target_peer_id'",
            ),
            (
                r#"{"target_peer_id": "bob"}"#.into(),
                "INVALID_REQUEST",
                "target_peer_id",
            ),
            (
                format!(r#"{{"target_peer_id": "{local}"}}"#),
                "INVALID_REQUEST",
                "same peer",
            ),
            (
                format!(r#"{{"target_peer_id": "{other}", "source_peer_id": "{older}"}}"#),
                "INVALID_REQUEST",
                "same peer",
            ),
            (
                format!(r#"{{"target_peer_id": "{other}", "transport_type": "udp"}}"#),
                "INVALID_TRANSPORT",
                "'udp'",
            ),
            (
                format!(r#"{{"target_peer_id": "{other}", "port": 1}}"#),
                "INVALID_REQUEST",
                "port",
            ),
        ] {
            refused("POST", "/v1/services", &body, code, word);
        }
    }

    #[test]
    fn updated_in_what_is_mutable() {
        let path = format!("/v1/services/{}", service_id());
        let agent = Agent::new();
        for body in [r#"{"name": ""}"#, r#"{"transport_type": "kcp"}"#] {
            assert_eq!(agent.admin("PUT", &path, body).status, 200);
        }
        for (body, code, word) in [
            ("{}", "INVALID_REQUEST", "nothing to change"),
            (
                r#"{"target_peer_id": "x"}"#,
                "INVALID_REQUEST",
                "'target_peer_id' is immutable",
            ),
            (r#"{"transport_type": "udp"}"#, "INVALID_TRANSPORT", "'udp'"),
            (r#"{"name": 7}"#, "INVALID_REQUEST", "'name'"),
        ] {
            refused("PUT", &path, body, code, word);
        }
    }

    #[test]
    fn got_and_deleted_by_id() {
        let agent = Agent::new();
        let path = format!("/v1/services/{}", service_id());
        assert_eq!(agent.admin("GET", &path, "").status, 404);
        let answer = agent.admin("DELETE", &path, "");
        assert_eq!(answer.json, serde_json::json!({"deleted": true}));
        refused(
            "DELETE",
            "/v1/services/web",
            "",
            "NOT_FOUND",
            "service not found",
        );
    }
}

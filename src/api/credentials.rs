//! `/v1/credentials`.

use super::{Request, body, reply};
use crate::domain::{ClientId, Error, Name, Result, Scope, Scopes};
use crate::transport::Reply;
use crate::wire::operator::{CreateCredential, Deleted};

pub fn list(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.credentials()?)
}

/// Nobody gives away what they do not have themselves.
pub fn create(request: &Request) -> Result<Reply> {
    let asked: CreateCredential = body::read(request.call)?;
    let own = &request.caller()?.scopes;
    let scopes = match &asked.scopes {
        Some(list) => parse(list)?,
        None => own.clone(),
    };
    if let Some(scope) = own.lacks(&scopes) {
        return Err(Error::Forbidden(scope.to_string()));
    }
    let name = Name::parse_optional(asked.name.as_deref().unwrap_or(""))?;
    reply::created(&request.backend.create_credential(scopes, name)?)
}

fn parse(list: &[String]) -> Result<Scopes> {
    let scopes: Vec<Scope> = list
        .iter()
        .map(|text| Scope::parse(text))
        .collect::<Result<_>>()?;
    if scopes.is_empty() {
        let why = "scopes is empty; leave it out for the caller's own";
        return Err(Error::Invalid(why.to_string()));
    }
    Ok(Scopes::of(&scopes))
}

pub fn revoke(request: &Request, id: ClientId) -> Result<Reply> {
    let caller = request.caller()?;
    request
        .backend
        .revoke_credential(id, caller.client, &caller.scopes)?;
    reply::ok(&Deleted { deleted: true })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Agent;
    use super::super::samples::client;
    use super::*;

    const WRITE: &str = "urn:tillered:arctic:credentials.write";

    #[test]
    fn nobody_gives_more_than_they_have() {
        let agent = Agent::new();
        let token = agent.token_with(&[Scope::CredentialsWrite, Scope::PeersRead]);
        let create = |body: &str| agent.call("POST", "/v1/credentials", &token, body);
        let own = create("{}");
        assert_eq!(own.status, 201);
        assert_eq!(
            own.json["scopes"],
            serde_json::json!(["urn:tillered:arctic:peers.read", WRITE])
        );
        assert!(own.json["client_secret"].is_string());
        let less = create(r#"{"scopes": ["peers.read"], "name": "ci"}"#);
        assert_eq!((less.status, less.json["name"].as_str()), (201, Some("ci")));
        agent.state().asked.clear();
        for scope in ["admin", "peers.write", "urn:tillered:arctic:services.read"] {
            let answer = create(&format!(r#"{{"scopes": ["peers.read", "{scope}"]}}"#));
            assert_eq!(
                (answer.status, answer.code()),
                (403, "FORBIDDEN"),
                "{scope}"
            );
            assert!(answer.error().contains(scope), "{}", answer.error());
        }
        assert!(agent.state().asked.is_empty());
    }

    #[test]
    fn a_narrow_token_of_an_admin_creates_narrow_credentials() {
        let agent = Agent::new();
        let token = agent.token(client(0), &[Scope::CredentialsWrite]);
        let answer = agent.call("POST", "/v1/credentials", &token, "{}");
        assert_eq!(answer.json["scopes"], serde_json::json!([WRITE]));
    }

    #[test]
    fn creations_that_are_malformed() {
        for (body, word) in [
            (r#"{"scopes": []}"#, "scopes is empty"),
            (r#"{"scopes": ["everything"]}"#, "'everything'"),
            (r#"{"scopes": "admin"}"#, "'scopes'"),
            (r#"{"name": "self"}"#, "name"),
            (r#"{"scope": ["admin"]}"#, "`scope`"),
        ] {
            let agent = Agent::new();
            let answer = agent.admin("POST", "/v1/credentials", body);
            assert_eq!(
                (answer.status, answer.code()),
                (400, "INVALID_REQUEST"),
                "{body}"
            );
            assert!(answer.error().contains(word), "{body}: {}", answer.error());
            assert!(agent.state().asked.is_empty());
        }
    }

    #[test]
    fn revoked_by_others_only() {
        let agent = Agent::new();
        let revoke = |n| agent.admin("DELETE", &format!("/v1/credentials/{}", client(n)), "");
        assert_eq!(revoke(0).code(), "CANNOT_REVOKE_CURRENT");
        assert_eq!(revoke(3).json, serde_json::json!({"deleted": true}));
        let asked = format!("revoke_credential {} by {}", client(3), client(0));
        assert!(agent.state().asked.contains(&asked));
        let answer = agent.admin("DELETE", "/v1/credentials/x", "");
        assert_eq!(
            (answer.status, answer.error()),
            (404, "credential not found")
        );
        assert_eq!(
            agent.admin("GET", "/v1/credentials", "").json,
            serde_json::json!([])
        );
    }
}

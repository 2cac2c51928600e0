//! What an OAuth client or a JOSE library wants to find: metadata (RFC 8414) and keys (RFC 7517).

use super::{Request, jwt, reply};
use crate::domain::{Address, Error, PeerId, PublicKey, Result, Scope};
use crate::transport::Reply;
use serde::Serialize;

/// One document for OpenID Connect Discovery and RFC 8414. The issuer is the peer id, as in the
/// tokens: an agent may be reached under many addresses. Before bootstrap there is none.
#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<PeerId>,
    token_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 1],
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    scopes_supported: Vec<String>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
}

pub fn metadata(request: &Request) -> Result<Reply> {
    let base = base_url(request.call.header("host"))?;
    reply::ok(&Metadata {
        issuer: request.backend.local()?.map(|local| local.peer_id),
        token_endpoint: format!("{base}/v1/oauth/token"),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        grant_types_supported: ["client_credentials"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        scopes_supported: Scope::ALL.map(|scope| scope.to_string()).to_vec(),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["EdDSA"],
    })
}

pub fn keys(request: &Request) -> Result<Reply> {
    let keys = match request.backend.local()? {
        Some(_) => vec![describe(&request.backend.token_key()?.public())],
        None => Vec::new(),
    };
    reply::ok(&KeySet { keys })
}

fn describe(key: &PublicKey) -> Key {
    Key {
        kty: "OKP",
        crv: "Ed25519",
        x: jwt::encode(key.as_bytes()),
        usage: "sig",
        alg: "EdDSA",
        kid: jwt::key_id(key),
    }
}

/// The address under which the caller reached this agent. It is the caller's word, so it must have
/// the form of an address; without a port it is that of http.
fn base_url(host: Option<&str>) -> Result<String> {
    let host = host.ok_or(Error::Invalid("the Host header is missing".into()))?;
    let address = Address::parse(host).or_else(|_| Address::parse(&format!("{host}:80")));
    match address {
        Ok(address) => Ok(format!("http://{address}")),
        Err(_) => Err(Error::Invalid("the Host header is not HOST:PORT".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Agent, Answer};
    use super::super::samples::{call, local, token_key};
    use super::*;

    fn metadata_at(agent: &Agent, host: &str) -> Answer {
        let mut call = call("GET", "/.well-known/oauth-authorization-server");
        call.headers = vec![("host".into(), host.into())];
        agent.send(call)
    }

    #[test]
    fn urls_are_those_of_the_caller() {
        let agent = Agent::new();
        for (host, base) in [
            ("10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("Alice.example:8080", "http://alice.example:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("alice", "http://alice:80"),
        ] {
            let answer = metadata_at(&agent, host);
            assert_eq!(answer.status, 200, "{host}");
            assert_eq!(
                answer.json["token_endpoint"],
                format!("{base}/v1/oauth/token")
            );
            assert_eq!(
                answer.json["jwks_uri"],
                format!("{base}/.well-known/jwks.json")
            );
            assert_eq!(answer.json["issuer"], local().peer_id.to_string());
        }
        for host in ["", "a b", "evil/x", "u@evil:80", "http://evil", "a\"b:80"] {
            assert_eq!(metadata_at(&agent, host).status, 400, "{host}");
        }
    }

    #[test]
    fn both_documents_are_one() {
        let agent = Agent::new();
        let one = agent.send(call("GET", "/.well-known/openid-configuration"));
        let two = agent.send(call("GET", "/.well-known/oauth-authorization-server"));
        assert_eq!((one.status, &one.json), (200, &two.json));
        assert_eq!(one.json["grant_types_supported"][0], "client_credentials");
        assert_eq!(one.json["scopes_supported"].as_array().unwrap().len(), 7);
    }

    #[test]
    fn the_key_set_names_the_key_that_signs() {
        let agent = Agent::new();
        let answer = agent.send(call("GET", "/.well-known/jwks.json"));
        let key = &answer.json["keys"][0];
        assert_eq!(
            (&key["kty"], &key["crv"]),
            (&"OKP".into(), &"Ed25519".into())
        );
        assert_eq!((&key["use"], &key["alg"]), (&"sig".into(), &"EdDSA".into()));
        assert_eq!(key["kid"], jwt::key_id(&token_key().public()));
        assert_eq!(key["x"], jwt::encode(token_key().public().as_bytes()));
    }

    #[test]
    fn before_bootstrap_there_is_no_key_and_no_issuer() {
        let agent = Agent::new();
        agent.state().bootstrapped = false;
        let keys = agent.send(call("GET", "/.well-known/jwks.json"));
        assert_eq!(
            (keys.status, keys.json),
            (200, serde_json::json!({"keys": []}))
        );
        let metadata = metadata_at(&agent, "10.0.0.1:8080");
        assert_eq!(metadata.status, 200);
        assert!(metadata.json.get("issuer").is_none());
    }
}

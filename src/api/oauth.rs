//! The token endpoint: client credentials for an access token (RFC 6749 section 4.4).

use super::backend::{Backend, Local};
use super::form::{self, Form};
use super::jwt::{self, Claims, LIFETIME_S};
use super::{Request, body, reply};
use crate::domain::{ClientId, Error, Result, Scopes};
use crate::transport::{Call, Reply};
use crate::wire::operator::{TokenBody, TokenError};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A refusal of RFC 6749 section 5.2, or a fault of this agent.
enum Denied {
    Protocol(&'static str, &'static str),
    Fault(Error),
}

impl From<Error> for Denied {
    fn from(error: Error) -> Denied {
        Denied::Fault(error)
    }
}

const fn invalid_request(why: &'static str) -> Denied {
    Denied::Protocol("invalid_request", why)
}

/// It never says what of the two was wrong.
const INVALID_CLIENT: Denied = Denied::Protocol("invalid_client", "client authentication failed");

/// What a client says to prove itself.
struct Presented {
    id: String,
    secret: String,
}

pub fn token(request: &Request) -> Result<Reply> {
    body::require_type(request.call, body::FORM)?;
    match grant(request.backend, request.local()?, request.call) {
        Ok(body) => {
            let mut reply = reply::json(200, &body);
            // RFC 6749 section 5.1 asks for it beside Cache-Control.
            reply.headers.push(("Pragma", "no-cache".to_string()));
            Ok(reply)
        }
        Err(Denied::Protocol(error, why)) => Ok(refuse(error, why)),
        Err(Denied::Fault(error)) => Err(error),
    }
}

/// RFC 6749 section 5.2. A 401 always carries a challenge (RFC 9110 section 11.6.1).
fn refuse(error: &str, why: &str) -> Reply {
    let body = TokenError {
        error: error.to_string(),
        error_description: why.to_string(),
    };
    if error != "invalid_client" {
        return reply::json(400, &body);
    }
    let mut reply = reply::json(401, &body);
    let challenge = r#"Basic realm="arctic", charset="UTF-8""#.to_string();
    reply.headers.push(("WWW-Authenticate", challenge));
    reply
}

fn grant(
    backend: &dyn Backend,
    local: &Local,
    call: &Call,
) -> std::result::Result<TokenBody, Denied> {
    let text = std::str::from_utf8(&call.body).map_err(|_| invalid_request("not a form"))?;
    let form = Form::parse(text)
        .map_err(|_| invalid_request("a parameter is malformed or occurs twice"))?;
    let kind = form
        .given("grant_type")
        .ok_or(invalid_request("grant_type is missing"))?;
    let (client, allowed) = prove(backend, &presented(call, &form)?)?;
    if kind != "client_credentials" {
        let why = "the only grant_type is client_credentials";
        return Err(Denied::Protocol("unsupported_grant_type", why));
    }
    let scopes = narrow(&allowed, form.given("scope"))?;
    backend.note_use(client);
    Ok(TokenBody {
        access_token: mint(backend, local, client, &scopes)?,
        token_type: "Bearer".to_string(),
        expires_in: LIFETIME_S.unsigned_abs(),
        scope: scopes.to_string(),
    })
}

/// The client's id and secret, from HTTP Basic or from the form; a client uses one method (RFC 6749
/// section 2.3). Some send their id in the form beside Basic, which is no second method.
fn presented(call: &Call, form: &Form) -> std::result::Result<Presented, Denied> {
    let mut sent = call
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization");
    let Some((_, header)) = sent.next() else {
        let id = form.given("client_id").ok_or(INVALID_CLIENT)?;
        let secret = form.given("client_secret").ok_or(INVALID_CLIENT)?;
        return Ok(Presented {
            id: id.to_string(),
            secret: secret.to_string(),
        });
    };
    let basic = basic(header).ok_or(INVALID_CLIENT)?;
    let other = form.given("client_id").is_some_and(|id| id != basic.id);
    if sent.next().is_some() || other || form.get("client_secret").is_some() {
        return Err(invalid_request("more than one way of authentication"));
    }
    Ok(basic)
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
fn basic(header: &str) -> Option<Presented> {
    let (scheme, coded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(Presented {
        id: form::decode(id)?,
        secret: form::decode(secret)?,
    })
}

/// Looks the client up and compares, with the same work whether it exists or not.
fn prove(
    backend: &dyn Backend,
    presented: &Presented,
) -> std::result::Result<(ClientId, Scopes), Denied> {
    let parsed = ClientId::parse(&presented.id);
    let id = parsed.unwrap_or(ClientId::from_bytes([0; 16]));
    let row = backend.credential(id)?;
    let known = Choice::from(u8::from(row.is_some()));
    let stored = row.as_ref().map_or([0; 32], |row| row.secret_hash);
    let hash: [u8; 32] = Sha256::digest(&presented.secret).into();
    let good = bool::from(stored.ct_eq(&hash) & known);
    match row {
        Some(row) if good => Ok((id, row.scopes)),
        _ => Err(INVALID_CLIENT),
    }
}

/// The scopes that were asked for, if the client has them; else all of its own.
fn narrow(allowed: &Scopes, asked: Option<&str>) -> std::result::Result<Scopes, Denied> {
    let Some(asked) = asked else {
        return Ok(allowed.clone());
    };
    let refused = || Denied::Protocol("invalid_scope", "not a scope that this client has");
    let wanted = Scopes::parse(asked).map_err(|_| refused())?;
    match allowed.lacks(&wanted) {
        None if !wanted.is_empty() => Ok(wanted),
        _ => Err(refused()),
    }
}

fn mint(backend: &dyn Backend, local: &Local, client: ClientId, scopes: &Scopes) -> Result<String> {
    let iat = backend.now().seconds();
    let claims = Claims {
        iss: local.peer_id,
        sub: client,
        client_id: client,
        aud: local.peer_id,
        scope: scopes.to_string(),
        iat,
        exp: iat.saturating_add(LIFETIME_S),
        jti: jwt::encode(&backend.random16()?),
    };
    Ok(jwt::mint(&claims, &backend.token_key()?))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Agent, Answer, SECRET};
    use super::super::samples::{call, client, local, token_key};
    use super::*;
    use crate::domain::Scope;

    fn post(agent: &Agent, authorization: Option<&str>, body: &str) -> Answer {
        let mut call = call("POST", "/v1/oauth/token");
        let form = "application/x-www-form-urlencoded";
        call.headers.push(("content-type".into(), form.into()));
        let named = |value: &str| ("authorization".to_string(), value.to_string());
        call.headers.extend(authorization.map(named));
        call.body = body.as_bytes().to_vec();
        agent.send(call)
    }

    fn form(id: &str, secret: &str) -> String {
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
    }

    fn good_form() -> String {
        form(&client(0).to_string(), SECRET)
    }

    fn coded(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    fn fails(answer: &Answer, status: u16, error: &str) {
        assert_eq!((answer.status, answer.error()), (status, error));
        assert!(answer.json["error_description"].is_string());
        assert!(answer.json.get("access_token").is_none());
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        let challenge = answer.header("WWW-Authenticate").unwrap_or("");
        assert_eq!(challenge.starts_with("Basic "), status == 401);
    }

    #[test]
    fn a_good_client_gets_a_token_that_works() {
        let agent = Agent::new();
        let answer = post(&agent, None, &good_form());
        assert_eq!(answer.status, 200, "{}", answer.json);
        assert_eq!(answer.json["token_type"], "Bearer");
        assert_eq!(answer.json["expires_in"], 3600);
        assert_eq!(answer.json["scope"], "urn:tillered:arctic:admin");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(agent.state().asked, [format!("used {}", client(0))]);
        let token = answer.json["access_token"].as_str().unwrap();
        let claims = jwt::verify(token, &token_key().public()).unwrap();
        assert_eq!((claims.iss, claims.sub), (local().peer_id, client(0)));
        assert_eq!(claims.exp - claims.iat, 3600);
        assert_eq!(agent.call("GET", "/v1/license", token, "").status, 200);
        let again = post(&agent, None, &good_form());
        assert_ne!(again.json["access_token"], answer.json["access_token"]);
    }

    #[test]
    fn basic_does_as_well_encoded_or_not() {
        let agent = Agent::new();
        let id = client(0).to_string();
        let grant = "grant_type=client_credentials";
        let percent = SECRET.replace('-', "%2D").replace('_', "%5f");
        for header in [
            coded(&id, SECRET),
            coded(&id, &percent),
            coded(&id, SECRET).replacen("Basic", "bASIC", 1),
        ] {
            assert_eq!(post(&agent, Some(&header), grant).status, 200, "{header}");
        }
        let beside = format!("{grant}&client_id={id}");
        assert_eq!(post(&agent, Some(&coded(&id, SECRET)), &beside).status, 200);
    }

    #[test]
    fn two_ways_at_once_are_refused() {
        let agent = Agent::new();
        let header = coded(&client(0).to_string(), SECRET);
        fails(
            &post(&agent, Some(&header), &good_form()),
            400,
            "invalid_request",
        );
        let other = format!("grant_type=client_credentials&client_id={}", client(1));
        fails(&post(&agent, Some(&header), &other), 400, "invalid_request");
    }

    #[test]
    fn wrong_clients_all_look_alike() {
        let agent = Agent::new();
        let id = client(0).to_string();
        let mut bodies = Vec::new();
        for body in [
            form(&id, "sec_wrong"),
            form(&client(5).to_string(), SECRET),
            form("nonsense", SECRET),
            form(&id, ""),
            form("", SECRET),
            "grant_type=client_credentials".to_string(),
        ] {
            let answer = post(&agent, None, &body);
            fails(&answer, 401, "invalid_client");
            bodies.push(answer.json);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        for header in [
            coded(&id, "wrong"),
            coded(&id, "%zz"),
            "Basic".into(),
            "Basic !".into(),
            "Bearer x".into(),
            format!("Basic {}", STANDARD.encode("no colon")),
            format!("Basic {}", STANDARD.encode([0xff, b':'])),
        ] {
            let answer = post(&agent, Some(&header), "grant_type=client_credentials");
            fails(&answer, 401, "invalid_client");
        }
        assert!(agent.state().asked.is_empty());
    }

    #[test]
    fn malformed_requests() {
        let agent = Agent::new();
        let good = good_form();
        for body in [
            String::new(),
            good.replace("grant_type=client_credentials&", ""),
            good.replace("client_credentials", ""),
            format!("{good}&grant_type=client_credentials"),
            format!("{good}&scope=admin&scope=admin"),
            format!("{good}&x=%"),
        ] {
            fails(&post(&agent, None, &body), 400, "invalid_request");
        }
        for kind in ["password", "authorization_code", "CLIENT_CREDENTIALS"] {
            let body = good.replace("client_credentials", kind);
            fails(&post(&agent, None, &body), 400, "unsupported_grant_type");
        }
        assert_eq!(
            post(&agent, None, &format!("{good}&resource=x")).status,
            200
        );
        assert!(!agent.state().asked.is_empty());
    }

    #[test]
    fn scopes_are_narrowed_and_never_widened() {
        let agent = Agent::new();
        agent.token_with(&[Scope::PeersRead, Scope::ServicesRead]);
        let ask = |scope: &str| {
            let body = form(&client(1).to_string(), SECRET);
            post(&agent, None, &format!("{body}&scope={scope}"))
        };
        let urn = "urn:tillered:arctic:peers.read";
        assert_eq!(ask("peers.read").json["scope"], urn);
        assert_eq!(ask(urn).json["scope"], urn);
        assert_eq!(
            ask("").json["scope"],
            format!("{urn} urn:tillered:arctic:services.read")
        );
        for bad in ["admin", "peers.read+peers.write", "everything", "+"] {
            fails(&ask(bad), 400, "invalid_scope");
        }
        let admin = post(&agent, None, &format!("{}&scope=peers.read", good_form()));
        assert_eq!(admin.json["scope"], urn);
        let token = admin.json["access_token"].as_str().unwrap();
        assert_eq!(agent.call("GET", "/v1/license", token, "").status, 403);
    }

    #[test]
    fn only_a_form_is_read_and_only_once_bootstrapped() {
        let agent = Agent::new();
        let mut json = call("POST", "/v1/oauth/token");
        json.headers
            .push(("content-type".into(), "application/json".into()));
        json.body = b"{}".to_vec();
        let answer = agent.send(json);
        assert_eq!(
            (answer.status, answer.code()),
            (415, "UNSUPPORTED_MEDIA_TYPE")
        );
        agent.state().deactivated = true;
        assert_eq!(post(&agent, None, &good_form()).status, 200);
        agent.state().bootstrapped = false;
        let answer = post(&agent, None, &good_form());
        assert_eq!((answer.status, answer.code()), (409, "NOT_BOOTSTRAPPED"));
    }
}

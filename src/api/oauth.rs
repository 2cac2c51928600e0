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

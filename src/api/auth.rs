//! Who asks, and whether they may (RFC 6750).

use super::backend::{Backend, Local};
use super::jwt::{self, Claims};
use super::reply::NO_TOKEN;
use crate::domain::{ClientId, Error, Result, Scope, Scopes, Timestamp};
use crate::transport::Call;

/// How far the clock may have been set back since a token was made, in seconds, before the token is
/// no longer good. Without it such a token would outlive its hour.
const MAX_BACKSTEP_S: i64 = 60;
const BAD_TOKEN: &str = "the access token is not valid here";

/// A client with a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub client: ClientId,
    /// What both the token and its credentials allow.
    pub scopes: Scopes,
}

impl Caller {
    /// Refuses, naming the scope, unless the caller has it.
    pub fn require(&self, scope: Scope) -> Result<()> {
        match self.scopes.allows(scope) {
            true => Ok(()),
            false => Err(Error::Forbidden(scope.to_string())),
        }
    }
}

/// The caller behind the request's token. Its credentials are looked up each time: with them the
/// token dies.
pub fn authenticate(backend: &dyn Backend, local: &Local, call: &Call) -> Result<Caller> {
    let token = bearer(call)?;
    let claims = jwt::verify(token, &backend.token_key()?.public())
        .filter(|claims| claims.iss == local.peer_id && claims.aud == local.peer_id)
        .filter(|claims| claims.sub == claims.client_id)
        .ok_or(Error::Unauthorized(BAD_TOKEN))?;
    check_time(&claims, backend.now())?;
    let granted = Scopes::parse(&claims.scope).map_err(|_| Error::Unauthorized(BAD_TOKEN))?;
    let row = backend
        .credential(claims.client_id)?
        .ok_or(Error::Unauthorized(BAD_TOKEN))?;
    Ok(Caller {
        client: claims.client_id,
        scopes: both(&granted, &row.scopes),
    })
}

fn bearer(call: &Call) -> Result<&str> {
    let mut sent = call
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization");
    let Some((_, value)) = sent.next() else {
        return Err(Error::Unauthorized(NO_TOKEN));
    };
    if sent.next().is_some() {
        return Err(Error::Unauthorized(BAD_TOKEN));
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Error::Unauthorized(NO_TOKEN)),
    }
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<()> {
    let earliest = claims.iat.saturating_sub(MAX_BACKSTEP_S);
    match (earliest..claims.exp).contains(&now.seconds()) {
        true => Ok(()),
        false => Err(Error::TokenExpired),
    }
}

/// What both sets allow.
fn both(a: &Scopes, b: &Scopes) -> Scopes {
    let common: Vec<Scope> = Scope::ALL
        .into_iter()
        .filter(|scope| a.allows(*scope) && b.allows(*scope))
        .collect();
    // Two admins allow everything; their common set is said with that one word.
    match common.contains(&Scope::Admin) {
        true => Scopes::of(&[Scope::Admin]),
        false => Scopes::of(&common),
    }
}

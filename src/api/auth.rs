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

/// Refuses a change that a web page asks for. By DNS rebinding a page is of one origin with the agent, so
/// that its scripts may send anything and read the answer; but browsers put an `Origin` header on
/// everything except GET and HEAD (Fetch standard, "Append a request `Origin` header"), and programs do not.
pub fn programs_only(call: &Call) -> Result<()> {
    match call.method != "GET" && call.header("origin").is_some() {
        true => Err(Error::FromWebPage),
        false => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::super::fake::{Agent, Answer};
    use super::super::samples::{call, client, peer_id, token_key};
    use super::*;
    use crate::domain::SecretKey;

    fn ask(agent: &Agent, token: &str) -> Answer {
        agent.call("GET", "/v1/peers", token, "")
    }

    fn invalid(answer: &Answer, code: &str) {
        assert_eq!((answer.status, answer.code()), (401, code));
        let challenge = answer.header("WWW-Authenticate").unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""));
    }

    #[test]
    fn a_token_lives_an_hour() {
        let agent = Agent::new();
        let token = agent.token(client(0), &[Scope::Admin]);
        let start = agent.state().now;
        for (seconds, good) in [
            (0, true),
            (3599, true),
            (-60, true),
            (3600, false),
            (-61, false),
        ] {
            agent.state().now = Timestamp(start.0 + seconds * 1000);
            let answer = ask(&agent, &token);
            match good {
                true => assert_eq!(answer.status, 200, "{seconds}"),
                false => invalid(&answer, "TOKEN_EXPIRED"),
            }
        }
    }

    #[test]
    fn a_token_dies_with_its_credentials() {
        let agent = Agent::new();
        let token = agent.token_with(&[Scope::PeersRead]);
        assert_eq!(ask(&agent, &token).status, 200);
        let path = format!("/v1/credentials/{}", client(1));
        assert_eq!(agent.admin("DELETE", &path, "").status, 200);
        invalid(&ask(&agent, &token), "UNAUTHORIZED");
    }

    #[test]
    fn a_token_allows_what_its_credentials_still_allow() {
        let agent = Agent::new();
        agent.token_with(&[Scope::PeersWrite]);
        let token = agent.token(client(1), &[Scope::Admin]);
        assert_eq!(ask(&agent, &token).status, 403);
        let narrow = agent.token(client(0), &[Scope::ServicesRead]);
        assert_eq!(ask(&agent, &narrow).status, 403);
    }

    #[test]
    fn tokens_for_others_and_of_others_are_refused() {
        let agent = Agent::new();
        let good = agent.claims(client(0), &[Scope::Admin]);
        assert_eq!(ask(&agent, &jwt::mint(&good, &token_key())).status, 200);
        let other = peer_id(2);
        for claims in [
            Claims {
                aud: other,
                ..good.clone()
            },
            Claims {
                iss: other,
                ..good.clone()
            },
            Claims {
                sub: client(9),
                ..good.clone()
            },
            Claims {
                sub: client(9),
                client_id: client(9),
                ..good.clone()
            },
            Claims {
                scope: "everything".into(),
                ..good.clone()
            },
        ] {
            invalid(
                &ask(&agent, &jwt::mint(&claims, &token_key())),
                "UNAUTHORIZED",
            );
        }
        let stranger = jwt::mint(&good, &SecretKey::from_seed(&[8; 32]));
        invalid(&ask(&agent, &stranger), "UNAUTHORIZED");
        invalid(&ask(&agent, ""), "UNAUTHORIZED");
    }

    #[test]
    fn the_header_is_bearer_once() {
        let agent = Agent::new();
        let token = agent.token(client(0), &[Scope::Admin]);
        let send = |values: &[String]| {
            let mut call = call("GET", "/v1/peers");
            let named = |value: &String| ("authorization".to_string(), value.clone());
            call.headers.extend(values.iter().map(named));
            agent.send(call)
        };
        assert_eq!(send(&[format!("bearer {token}")]).status, 200);
        for values in [
            vec![format!("Basic {token}")],
            vec![token.clone()],
            vec![format!("Bearer {token}"), format!("Bearer {token}")],
            vec![format!("Bearer {token} {token}")],
        ] {
            assert_eq!(send(&values).status, 401, "{values:?}");
        }
    }
}

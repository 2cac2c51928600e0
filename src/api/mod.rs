//! Floor 6: the HTTP surface of an agent.
//!
//! Knows: routes, scopes, tokens, the shapes of requests and answers. Must never know: sockets, SQL,
//! threads, the clock.
//! Invariant: nothing behind the `Backend` is asked to read or change anything of the cluster before
//! the caller has been found to have the scope that the table of `route` names; a web page changes
//! nothing, whatever it knows; and every answer has a request id, forbids caching, and says nothing of
//! the cause of a fault.

mod auth;
pub mod backend;
mod body;
mod bootstrap;
mod cluster;
mod credentials;
mod discovery;
#[cfg(test)]
mod fake;
mod form;
mod gossip;
mod health;
mod jwt;
mod license;
pub mod live;
mod oauth;
mod peers;
#[cfg(test)]
mod properties;
mod reply;
pub mod route;
#[cfg(test)]
mod samples;
mod services;

pub use backend::{Backend, CredentialRow, Local, NewService, Readiness};

use crate::domain::{Error, Result};
use crate::transport::{Allowance, Call, Handler, Reply};
use crate::wire::{operator, peer};
use auth::Caller;
use log::{debug, error};
use reply::NO_TOKEN;
use route::{Access, Action, Route};
use std::net::IpAddr;

/// What other agents say goes there.
const GOSSIP: &str = "/v1/gossip/";

/// The API of one agent.
pub struct Api {
    backend: Box<dyn Backend>,
}

/// One request on its way through, with what was found out about who asks.
struct Request<'a> {
    backend: &'a dyn Backend,
    call: &'a Call,
    local: Option<Local>,
    caller: Option<Caller>,
}

impl Api {
    pub fn new(backend: Box<dyn Backend>) -> Api {
        Api { backend }
    }

    fn respond(&self, call: &Call) -> Result<Reply> {
        auth::programs_only(call)?;
        let found = route::find(&call.method, &call.path, &call.query)?;
        let request = self.admit(found.route, call)?;
        perform(found.action()?, &request)
    }

    /// Finds out who asks and whether they may, before anything else of the request is read.
    fn admit<'a>(&'a self, route: &Route, call: &'a Call) -> Result<Request<'a>> {
        let mut request = Request {
            backend: self.backend.as_ref(),
            call,
            local: None,
            caller: None,
        };
        if route.access == Access::Anyone {
            return Ok(request);
        }
        let local = self.backend.local()?.ok_or(Error::NotBootstrapped)?;
        request.local = Some(local);
        if let Access::Needs(scope) = route.access {
            let caller = auth::authenticate(request.backend, &local, call)?;
            caller.require(scope)?;
            request.caller = Some(caller);
        }
        match route.writes() && local.deactivated {
            true => Err(Error::Deactivated),
            false => Ok(request),
        }
    }

    /// An id for the log and the answer. Without entropy there is still an answer.
    fn request_id(&self) -> String {
        match self.backend.random16() {
            Ok(bytes) => jwt::encode(&bytes),
            Err(_) => "unavailable".to_string(),
        }
    }

    fn failed(&self, error: &Error, request_id: &str) -> Reply {
        log_cause(error, request_id);
        reply::finish(reply::error(error), request_id)
    }
}

impl Handler for Api {
    fn body_limit(&self, _method: &str, path: &str) -> usize {
        match path.starts_with(GOSSIP) {
            true => peer::MAX_MESSAGE,
            false => operator::MAX_BODY,
        }
    }

    fn allowance(&self, path: &str, remote: IpAddr, beginning: &[u8]) -> Allowance {
        match path.starts_with(GOSSIP) {
            true => self.backend.gossip_allowance(path, remote, beginning),
            // Whoever has a token sends less than this is asked for.
            false => Allowance {
                limit: operator::MAX_BODY,
                stranger: true,
            },
        }
    }

    fn answer(&self, call: Call) -> Reply {
        let id = self.request_id();
        let reply = match self.respond(&call) {
            Ok(reply) => reply::finish(reply, &id),
            Err(error) => self.failed(&error, &id),
        };
        log_request(&call, &reply, &id);
        reply
    }

    fn refuse(&self, error: &Error) -> Reply {
        let id = self.request_id();
        let reply = self.failed(error, &id);
        debug!("request {id}: unreadable, {}", reply.status);
        reply
    }
}

/// The query and the headers stay out of the log; what is in it cannot forge a line.
fn log_request(call: &Call, reply: &Reply, id: &str) {
    debug!(
        "request {id}: {} {} {}, {}",
        call.remote,
        call.method.escape_debug(),
        call.path.escape_debug(),
        reply.status
    );
}

fn log_cause(error: &Error, request_id: &str) {
    if let Some(cause) = error.cause() {
        error!("request {request_id}: {error}: {}", cause.escape_debug());
    }
}

impl Request<'_> {
    fn local(&self) -> Result<&Local> {
        self.local.as_ref().ok_or(Error::NotBootstrapped)
    }

    fn caller(&self) -> Result<&Caller> {
        let caller = self.caller.as_ref();
        caller.ok_or(Error::Unauthorized(NO_TOKEN))
    }
}

fn perform(action: Action, request: &Request) -> Result<Reply> {
    match action {
        Action::Live => health::live(request),
        Action::Ready => health::ready(request),
        Action::Metadata => discovery::metadata(request),
        Action::Keys => discovery::keys(request),
        Action::Bootstrap => bootstrap::bootstrap(request),
        Action::Token => oauth::token(request),
        Action::GetLicense => license::get(request),
        Action::UpdateLicense => license::update(request),
        Action::Identity => cluster::identity(request),
        Action::Status => cluster::status(request),
        Action::Sync => cluster::sync(request),
        Action::ListPeers { is_local } => peers::list(request, is_local),
        Action::GetPeer(id) => peers::get(request, id),
        Action::AddPeer => peers::add(request),
        Action::RenamePeer(id) => peers::rename(request, id),
        Action::DeletePeer(id) => peers::delete(request, id),
        Action::RemoveSelf { force } => peers::remove_self(request, force),
        Action::ListServices { source, target } => services::list(request, source, target),
        Action::GetService(id) => services::get(request, id),
        Action::CreateService => services::create(request),
        Action::UpdateService(id) => services::update(request, id),
        Action::DeleteService(id) => services::delete(request, id),
        Action::ListCredentials => credentials::list(request),
        Action::CreateCredential => credentials::create(request),
        Action::RevokeCredential(id) => credentials::revoke(request, id),
        Action::Gossip => gossip::gossip(request),
    }
}

#[cfg(test)]
mod tests {
    use super::fake::{Agent, Answer};
    use super::samples::{call, path_of as sample, peer_id};
    use super::*;
    use crate::domain::Scope;

    fn refused(answer: &Answer) -> bool {
        matches!(answer.status, 401 | 403 | 405)
    }

    #[test]
    fn every_row_asks_for_its_scope_and_no_other() {
        for route in route::TABLE {
            let (agent, path) = (Agent::new(), sample(route));
            let bare = agent.send(call(route.method, &path));
            let Access::Needs(needed) = route.access else {
                let own = ["POST /v1/oauth/token", "POST /v1/gossip/*"];
                let name = format!("{} {}", route.method, route.path);
                assert!(!refused(&bare) || own.contains(&name.as_str()), "{name}");
                continue;
            };
            assert_eq!((bare.status, bare.code()), (401, "UNAUTHORIZED"), "{path}");
            let challenge = bare.header("WWW-Authenticate");
            assert_eq!(challenge, Some(r#"Bearer realm="arctic""#));
            for scope in Scope::ALL {
                let token = agent.token_with(&[scope]);
                agent.state().asked.clear();
                let answer = agent.call(route.method, &path, &token, "{}");
                if scope == needed || scope == Scope::Admin {
                    assert!(!refused(&answer), "{path} {scope}");
                    continue;
                }
                assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN"), "{path}");
                assert!(answer.error().contains(&needed.to_string()), "{path}");
                let challenge = answer.header("WWW-Authenticate").unwrap();
                assert!(
                    challenge.contains("error=\"insufficient_scope\""),
                    "{challenge}"
                );
                assert!(challenge.contains(&format!("scope=\"{needed}\"")));
                assert!(agent.state().asked.is_empty(), "{path}");
            }
        }
    }

    #[test]
    fn before_bootstrap_only_the_listed_calls_are_answered() {
        for route in route::TABLE {
            let agent = Agent::new();
            agent.state().bootstrapped = false;
            let answer = agent.admin(route.method, &sample(route), "{}");
            let shut = (answer.status, answer.code()) == (409, "NOT_BOOTSTRAPPED");
            assert_eq!(shut, route.access != Access::Anyone, "{}", route.path);
        }
    }

    #[test]
    fn a_deactivated_agent_refuses_writes_and_goes_on_reading() {
        for route in route::TABLE {
            let agent = Agent::new();
            agent.state().deactivated = true;
            let answer = agent.admin(route.method, &sample(route), "{}");
            let shut = (answer.status, answer.code()) == (409, "DEACTIVATED");
            let operator = matches!(route.access, Access::Needs(_));
            assert_eq!(shut, operator && route.method != "GET", "{}", route.path);
            assert!(!shut || agent.state().asked.is_empty(), "{}", route.path);
        }
    }

    #[test]
    fn every_answer_has_its_headers() {
        for (method, target) in [
            ("GET", "/livez"),
            ("GET", "/nowhere"),
            ("PATCH", "/v1/peers"),
            ("GET", "/v1/peers"),
            ("POST", "/v1/oauth/token"),
            ("POST", "/v1/gossip/message"),
        ] {
            let agent = Agent::new();
            let (one, two) = (
                agent.send(call(method, target)),
                agent.send(call(method, target)),
            );
            assert_eq!(
                one.header("Content-Type"),
                Some("application/json"),
                "{target}"
            );
            assert_eq!(one.header("Cache-Control"), Some("no-store"), "{target}");
            let ids = (one.header("X-Request-Id"), two.header("X-Request-Id"));
            assert!(ids.0.is_some() && ids.0 != ids.1, "{target}");
        }
    }

    #[test]
    fn what_does_not_exist_and_what_is_not_allowed() {
        let agent = Agent::new();
        for path in [
            "/",
            "/v1/events",
            "/metrics",
            "/openapi.json",
            "/v1/peers/",
            "/livez/",
        ] {
            let answer = agent.send(call("GET", path));
            assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{path}");
        }
        let answer = agent.send(call("DELETE", "/v1/peers"));
        assert_eq!((answer.status, answer.code()), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(answer.header("Allow"), Some("GET, HEAD, POST"));
        let path = format!("/v1/peers/{}?scope=cluster", peer_id(2));
        let answer = agent.admin("DELETE", &path, "");
        assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"));
        assert!(agent.state().asked.is_empty());
    }

    #[test]
    fn causes_stay_inside_and_the_busy_say_when_to_return() {
        for (error, status, retry) in [
            (Error::Internal("/a/path".into()), 500, None),
            (Error::StorageUnavailable("/a/path".into()), 503, Some("1")),
            (Error::Overloaded, 503, Some("1")),
            (Error::TooMany, 429, Some("1")),
            (Error::StorageFull, 507, None),
        ] {
            let agent = Agent::new();
            agent.state().error = Some(error.clone());
            let answer = agent.admin("GET", "/v1/peers", "");
            assert_eq!(answer.status, status);
            assert_eq!(answer.code(), error.code().row().name);
            assert_eq!(answer.header("Retry-After"), retry);
            assert!(!answer.json.to_string().contains("/a/path"));
        }
    }

    #[test]
    fn limits_and_unreadable_requests() {
        let api = Agent::new().api;
        assert_eq!(api.body_limit("POST", "/v1/gossip/message"), 256 * 1024);
        assert_eq!(api.body_limit("POST", "/v1/gossip"), 64 * 1024);
        assert_eq!(api.body_limit("POST", "/v1/peers"), 64 * 1024);
        let reply = api.refuse(&Error::HeadersTooLarge);
        assert_eq!(reply.status, 431);
        assert!(
            reply
                .headers
                .iter()
                .any(|(name, _)| *name == "X-Request-Id")
        );
        assert!(
            String::from_utf8(reply.body)
                .unwrap()
                .contains("HEADERS_TOO_LARGE")
        );
    }

    #[test]
    fn gossip_is_handed_on_whole_and_only_posted() {
        let agent = Agent::new();
        agent.state().bootstrapped = false;
        let answer = agent.send(call("POST", "/v1/gossip/any/thing"));
        assert_eq!(answer.status, 403);
        assert_eq!(agent.state().asked, ["gossip /v1/gossip/any/thing"]);
        let answer = agent.send(call("GET", "/v1/gossip/message"));
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("POST")));
    }
}

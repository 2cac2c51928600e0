//! Floor 6: the HTTP surface of an agent.
//!
//! Knows: routes, scopes, tokens, the shapes of requests and answers. Must never know: sockets, SQL,
//! threads, the clock.
//! Invariant: nothing behind the `Backend` is asked to read or change anything of the cluster before
//! the caller has been found to have the scope that the table of `route` names; and every answer has
//! a request id, forbids caching, and says nothing of the cause of a fault.

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
mod reply;
pub mod route;
#[cfg(test)]
mod samples;
mod services;

pub use backend::{Backend, CredentialRow, Local, NewService, Readiness};

use crate::domain::{Error, Result};
use crate::transport::{Call, Handler, Reply};
use crate::wire::{operator, peer};
use auth::Caller;
use log::{debug, error};
use reply::NO_TOKEN;
use route::{Access, Action, Route};

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
        match path.starts_with("/v1/gossip/") {
            true => peer::MAX_MESSAGE,
            false => operator::MAX_BODY,
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
        Action::RemoveSelf => peers::remove_self(request),
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

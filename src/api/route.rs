//! The router: one table, and a pure function from a request line to an action.

use super::body;
use super::form::Form;
use crate::domain::{ClientId, Error, PeerId, Result, Scope, ServiceId};

/// What is asked for. An action holds whatever path and query said; bodies are read later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Live,
    Ready,
    Metadata,
    Keys,
    Bootstrap,
    Token,
    GetLicense,
    UpdateLicense,
    Identity,
    Status,
    Sync,
    ListPeers {
        is_local: Option<bool>,
    },
    GetPeer(PeerId),
    AddPeer,
    RenamePeer(PeerId),
    DeletePeer(PeerId),
    RemoveSelf {
        force: bool,
    },
    ListServices {
        source: Option<PeerId>,
        target: Option<PeerId>,
    },
    GetService(ServiceId),
    CreateService,
    UpdateService(ServiceId),
    DeleteService(ServiceId),
    ListCredentials,
    CreateCredential,
    RevokeCredential(ClientId),
    Gossip,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, also before bootstrap.
    Anyone,
    /// Anyone, once the agent is bootstrapped.
    Bootstrapped,
    /// Whoever has a token with this scope.
    Needs(Scope),
}

/// One row: a method of a path.
pub struct Route {
    pub method: &'static str,
    /// `{…}` stands for one segment, `*` at the end for all that follow.
    pub path: &'static str,
    pub access: Access,
    /// The query parameters that it knows.
    pub query: &'static [&'static str],
    make: fn(&Params) -> Result<Action>,
}

/// What a request line says beyond the row that it met.
pub struct Params<'a> {
    segment: &'a str,
    query: Form,
}

/// A request line that met a row.
pub struct Found<'a> {
    pub route: &'static Route,
    segment: &'a str,
    query: &'a str,
}

const fn row(
    method: &'static str,
    path: &'static str,
    access: Access,
    query: &'static [&'static str],
    make: fn(&Params) -> Result<Action>,
) -> Route {
    Route {
        method,
        path,
        access,
        query,
        make,
    }
}

use Access::{Anyone, Bootstrapped, Needs};
use Scope::{
    Admin, CredentialsRead, CredentialsWrite, PeersRead, PeersWrite, ServicesRead, ServicesWrite,
};

/// Every call there is. Of two paths that fit, the earlier is meant.
#[rustfmt::skip]
pub static TABLE: &[Route] = &[
    row("GET", "/livez", Anyone, &[], |_| Ok(Action::Live)),
    row("GET", "/readyz", Anyone, &[], |_| Ok(Action::Ready)),
    row("GET", "/.well-known/openid-configuration", Anyone, &[], |_| Ok(Action::Metadata)),
    row("GET", "/.well-known/oauth-authorization-server", Anyone, &[], |_| Ok(Action::Metadata)),
    row("GET", "/.well-known/jwks.json", Anyone, &[], |_| Ok(Action::Keys)),
    row("POST", "/v1/bootstrap", Anyone, &[], |_| Ok(Action::Bootstrap)),
    row("POST", "/v1/oauth/token", Bootstrapped, &[], |_| Ok(Action::Token)),
    row("GET", "/v1/license", Needs(Admin), &[], |_| Ok(Action::GetLicense)),
    row("PUT", "/v1/license", Needs(Admin), &[], |_| Ok(Action::UpdateLicense)),
    row("GET", "/v1/cluster/identity", Bootstrapped, &[], |_| Ok(Action::Identity)),
    row("GET", "/v1/cluster/status", Needs(PeersRead), &[], |_| Ok(Action::Status)),
    row("POST", "/v1/cluster/sync", Needs(Admin), &[], |_| Ok(Action::Sync)),
    row("GET", "/v1/peers", Needs(PeersRead), &["is_local"], |p| p.list_peers()),
    row("POST", "/v1/peers", Needs(PeersWrite), &[], |_| Ok(Action::AddPeer)),
    row("DELETE", "/v1/peers/self", Needs(PeersWrite), &["force"], |p| p.remove_self()),
    row("GET", "/v1/peers/{peer}", Needs(PeersRead), &[], |p| p.peer().map(Action::GetPeer)),
    row("PUT", "/v1/peers/{peer}", Needs(PeersWrite), &[], |p| p.peer().map(Action::RenamePeer)),
    row("DELETE", "/v1/peers/{peer}", Needs(PeersWrite), &[], |p| p.peer().map(Action::DeletePeer)),
    row("GET", "/v1/services", Needs(ServicesRead), &["source_peer_id", "target_peer_id"], |p| p.list_services()),
    row("POST", "/v1/services", Needs(ServicesWrite), &[], |_| Ok(Action::CreateService)),
    row("GET", "/v1/services/{service}", Needs(ServicesRead), &[], |p| p.service().map(Action::GetService)),
    row("PUT", "/v1/services/{service}", Needs(ServicesWrite), &[], |p| p.service().map(Action::UpdateService)),
    row("DELETE", "/v1/services/{service}", Needs(ServicesWrite), &[], |p| p.service().map(Action::DeleteService)),
    row("GET", "/v1/credentials", Needs(CredentialsRead), &[], |_| Ok(Action::ListCredentials)),
    row("POST", "/v1/credentials", Needs(CredentialsWrite), &[], |_| Ok(Action::CreateCredential)),
    row("DELETE", "/v1/credentials/{client}", Needs(CredentialsWrite), &[], |p| p.client().map(Action::RevokeCredential)),
    row("POST", "/v1/gossip/*", Anyone, &[], |_| Ok(Action::Gossip)),
];

/// The row that a request line meets. Paths are compared as they were sent: no path of ours needs an
/// escape, so one with `%` is none of ours, and nothing can be reached by two spellings.
pub fn find<'a>(method: &str, path: &'a str, query: &'a str) -> Result<Found<'a>> {
    let fits = |route: &&Route| segment(route.path, path).is_some();
    let first = TABLE.iter().find(fits).ok_or(Error::NotFound("path"))?;
    let mut same = TABLE.iter().filter(|route| route.path == first.path);
    let route = same
        .find(|route| route.method == method)
        .ok_or_else(|| Error::MethodNotAllowed(allow(first.path)))?;
    if method == "DELETE" && first.path == "/v1/peers/{peer}" && asks_cluster_wide(query) {
        return Err(Error::NotFound("path"));
    }
    let segment = segment(first.path, path).unwrap_or_default();
    Ok(Found {
        route,
        segment,
        query,
    })
}

/// A removal from the whole cluster is a call of its own, which this agent does not offer. To do the
/// local one in its place would be wrong.
fn asks_cluster_wide(query: &str) -> bool {
    let form = Form::parse(query);
    form.is_ok_and(|form| form.get("scope") == Some("cluster"))
}

impl Route {
    /// Whether an operator changes something by it, which a deactivated agent refuses.
    pub fn writes(&self) -> bool {
        self.method != "GET" && matches!(self.access, Needs(_))
    }
}

impl Found<'_> {
    /// Reads ids and query.
    pub fn action(&self) -> Result<Action> {
        let query = Form::parse(self.query)?;
        query.only(self.route.query)?;
        (self.route.make)(&Params {
            segment: self.segment,
            query,
        })
    }
}

impl Params<'_> {
    fn peer(&self) -> Result<PeerId> {
        PeerId::parse(self.segment).map_err(|_| Error::NotFound("peer"))
    }

    fn service(&self) -> Result<ServiceId> {
        ServiceId::parse(self.segment).map_err(|_| Error::NotFound("service"))
    }

    fn client(&self) -> Result<ClientId> {
        ClientId::parse(self.segment).map_err(|_| Error::NotFound("credential"))
    }

    fn list_peers(&self) -> Result<Action> {
        let is_local = self.yes_no("is_local")?;
        Ok(Action::ListPeers { is_local })
    }

    fn remove_self(&self) -> Result<Action> {
        let force = self.yes_no("force")?.unwrap_or(false);
        Ok(Action::RemoveSelf { force })
    }

    fn yes_no(&self, name: &str) -> Result<Option<bool>> {
        match self.query.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::Invalid(format!("{name} is neither true nor false"))),
        }
    }

    fn list_services(&self) -> Result<Action> {
        Ok(Action::ListServices {
            source: self.end("source_peer_id")?,
            target: self.end("target_peer_id")?,
        })
    }

    fn end(&self, name: &str) -> Result<Option<PeerId>> {
        let text = self.query.get(name);
        text.map(|text| body::peer_id(name, text)).transpose()
    }
}

/// What a path says in the place of the pattern's variable part ("" where it has none), if it fits.
fn segment<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return path.strip_prefix(prefix).filter(|rest| !rest.is_empty());
    }
    let Some((prefix, _)) = pattern.split_once('{') else {
        return (pattern == path).then_some("");
    };
    let rest = path.strip_prefix(prefix)?;
    (!rest.is_empty() && !rest.contains('/')).then_some(rest)
}

/// The methods of a path for `Allow`; a test holds it to the table.
fn allow(path: &str) -> &'static str {
    let rows = TABLE.iter().filter(|route| route.path == path);
    let methods: Vec<&str> = rows.map(|route| route.method).collect();
    match methods.as_slice() {
        ["GET"] => "GET, HEAD",
        ["POST"] => "POST",
        ["DELETE"] => "DELETE",
        ["GET", "POST"] => "GET, HEAD, POST",
        ["GET", "PUT"] => "GET, HEAD, PUT",
        _ => "GET, HEAD, PUT, DELETE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "/v1/peers/peer_01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn action(method: &str, path: &str, query: &str) -> Result<Action> {
        find(method, path, query)?.action()
    }

    #[test]
    fn allow_follows_the_table() {
        for route in TABLE {
            let rows = TABLE.iter().filter(|r| r.path == route.path);
            let names = rows.map(|r| {
                if r.method == "GET" {
                    "GET, HEAD"
                } else {
                    r.method
                }
            });
            assert_eq!(allow(route.path), names.collect::<Vec<_>>().join(", "));
            let e = find("PATCH", route.path, "").err();
            assert_eq!(e, Some(Error::MethodNotAllowed(allow(route.path))));
        }
    }

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for route in TABLE {
            assert!(std::ptr::eq(
                find(route.method, route.path, "").unwrap().route,
                route
            ));
        }
    }

    #[test]
    fn paths_are_exact() {
        for bad in [
            "",
            "/",
            "*",
            "/livez/",
            "//livez",
            "/LIVEZ",
            "/v1/peers/",
            "/v1//peers",
            "/v1/peer%73",
            "/v1/peers/a/b",
            "/v1/gossip/",
            "/v1/gossip",
            "/v1/events",
            "/metrics",
            "/openapi.json",
            "/v1/peers/../license",
            "/v1/cluster",
            "/.well-known/",
            "/v2/peers",
        ] {
            assert_eq!(
                action("GET", bad, ""),
                Err(Error::NotFound("path")),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_malformed_id_is_not_found() {
        let peer = Err(Error::NotFound("peer"));
        for bad in [
            "x",
            "%70eer_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "peer_",
            "svc_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert_eq!(
                action("GET", &format!("/v1/peers/{bad}"), ""),
                peer,
                "{bad}"
            );
        }
        assert_eq!(
            action("GET", "/v1/services/x", ""),
            Err(Error::NotFound("service"))
        );
        assert_eq!(
            action("DELETE", "/v1/credentials/x", ""),
            Err(Error::NotFound("credential"))
        );
        assert!(action("GET", PEER, "").is_ok());
    }

    #[test]
    fn self_is_a_path_of_its_own() {
        assert_eq!(
            action("DELETE", "/v1/peers/self", ""),
            Ok(Action::RemoveSelf { force: false })
        );
        let e = action("GET", "/v1/peers/self", "");
        assert_eq!(e, Err(Error::MethodNotAllowed("DELETE")));
    }

    #[test]
    fn cluster_wide_is_not_offered_and_never_done_locally() {
        for query in ["scope=cluster", "scope=%63luster", "a=b&scope=cluster"] {
            assert_eq!(action("DELETE", PEER, query), Err(Error::NotFound("path")));
        }
        for query in ["scope=local", "scope=cluster&scope=x", "scope="] {
            assert!(matches!(
                action("DELETE", PEER, query),
                Err(Error::Invalid(_))
            ));
        }
    }

    #[test]
    fn queries() {
        let list = |query| action("GET", "/v1/peers", query);
        assert_eq!(
            list("is_local=true"),
            Ok(Action::ListPeers {
                is_local: Some(true)
            })
        );
        assert_eq!(list(""), Ok(Action::ListPeers { is_local: None }));
        for (query, word) in [
            ("is_local=1", "is_local"),
            ("is_local", "is_local"),
            ("local=true", "'local'"),
            ("is_local=true&is_local=true", "twice"),
            ("is_local=%", "percent"),
        ] {
            assert!(
                list(query).unwrap_err().to_string().contains(word),
                "{query}"
            );
        }
        let services = |query| action("GET", "/v1/services", query);
        assert!(
            services("source_peer_id=self")
                .unwrap_err()
                .to_string()
                .contains("source_peer_id")
        );
        assert!(services(&format!("target_peer_id={}", &PEER[10..])).is_ok());
        assert!(action("GET", "/livez", "x=1").is_err());
    }
}

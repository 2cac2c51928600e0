//! A backend for the tests of this floor: it notes what it is asked and answers something plausible.

use super::backend::{Backend, CredentialRow, Local, NewService, Readiness};
use super::samples::{
    call, client, license_body, local, peer, peer_id, public_key, service, token_key,
};
use super::{Api, jwt};
use crate::domain::{
    Address, ClientId, Error, License, Name, PeerId, Result, Scope, Scopes, SecretKey, ServiceId,
    Timestamp, Transport,
};
use crate::transport::{Allowance, Call, Handler, Reply};
use crate::wire::operator::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

pub const SECRET: &str = "sec_the-secret-of-every-client-here";
pub const NOW: &str = "2026-01-15T10:30:00Z";

/// What a test may set, and look at afterwards.
pub struct State {
    pub bootstrapped: bool,
    pub deactivated: bool,
    pub now: Timestamp,
    pub credentials: Vec<(ClientId, CredentialRow)>,
    pub readiness: Result<Readiness>,
    /// The next call fails with it.
    pub error: Option<Error>,
    /// What was asked that needs a right or changes something.
    pub asked: Vec<String>,
    randoms: u8,
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<State>>);

/// An API before a fake, and the way to call it.
pub struct Agent {
    pub api: Api,
    pub fake: Fake,
}

/// An answer, its body read.
pub struct Answer {
    pub status: u16,
    pub reply: Reply,
    pub json: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.reply.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("")
    }

    pub fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or("")
    }
}

impl Agent {
    /// Bootstrapped, with one client of admin scope: `client(0)`.
    pub fn new() -> Agent {
        let fake = Fake(Arc::new(Mutex::new(State {
            bootstrapped: true,
            deactivated: false,
            now: Timestamp::parse(NOW).unwrap_or(Timestamp(0)),
            credentials: Vec::new(),
            readiness: Ok(Readiness::Ready(None)),
            error: None,
            asked: Vec::new(),
            randoms: 0,
        })));
        fake.add_client(&[Scope::Admin]);
        Agent {
            api: Api::new(Box::new(fake.clone())),
            fake,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.fake.state()
    }

    pub fn send(&self, call: Call) -> Answer {
        let reply = self.api.answer(call);
        Answer {
            status: reply.status,
            json: serde_json::from_slice(&reply.body).unwrap_or_default(),
            reply,
        }
    }

    /// A call with a token and, unless it is empty, a JSON body.
    pub fn call(&self, method: &str, target: &str, token: &str, body: &str) -> Answer {
        let mut call = call(method, target);
        call.headers
            .push(("authorization".into(), format!("Bearer {token}")));
        call.headers.push((
            "content-type".into(),
            "application/json; charset=utf-8".into(),
        ));
        call.body = body.as_bytes().to_vec();
        self.send(call)
    }

    /// The same as the first client, an admin.
    pub fn admin(&self, method: &str, target: &str, body: &str) -> Answer {
        self.call(
            method,
            target,
            &self.token(client(0), &[Scope::Admin]),
            body,
        )
    }

    /// A token of a new client that has these scopes.
    pub fn token_with(&self, scopes: &[Scope]) -> String {
        let id = self.fake.add_client(scopes);
        self.token(id, scopes)
    }

    pub fn token(&self, id: ClientId, scopes: &[Scope]) -> String {
        jwt::mint(&self.claims(id, scopes), &token_key())
    }

    pub fn claims(&self, id: ClientId, scopes: &[Scope]) -> jwt::Claims {
        let iat = self.state().now.seconds();
        jwt::Claims {
            iss: local().peer_id,
            sub: id,
            client_id: id,
            aud: local().peer_id,
            scope: Scopes::of(scopes).to_string(),
            iat,
            exp: iat + jwt::LIFETIME_S,
            jti: "test".into(),
        }
    }
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn add_client(&self, scopes: &[Scope]) -> ClientId {
        let mut state = self.state();
        let id = client(state.credentials.len() as u8);
        let row = CredentialRow {
            client_id: id,
            secret_hash: Sha256::digest(SECRET).into(),
            name: String::new(),
            scopes: Scopes::of(scopes),
            created_at: Timestamp(0),
            last_used_at: None,
        };
        state.credentials.push((id, row));
        id
    }

    fn note(&self, what: impl Into<String>) -> Result<()> {
        let mut state = self.state();
        state.asked.push(what.into());
        state.error.take().map_or(Ok(()), Err)
    }
}

impl Backend for Fake {
    fn now(&self) -> Timestamp {
        self.state().now
    }
    fn random16(&self) -> Result<[u8; 16]> {
        let mut state = self.state();
        state.randoms = state.randoms.wrapping_add(1);
        Ok([state.randoms; 16])
    }
    fn local(&self) -> Result<Option<Local>> {
        let state = self.state();
        let deactivated = state.deactivated;
        Ok(state.bootstrapped.then(|| Local {
            deactivated,
            ..local()
        }))
    }
    fn token_key(&self) -> Result<SecretKey> {
        Ok(token_key())
    }
    fn credential(&self, id: ClientId) -> Result<Option<CredentialRow>> {
        let state = self.state();
        let row = state.credentials.iter().find(|(known, _)| *known == id);
        Ok(row.map(|(_, row)| row.clone()))
    }
    fn note_use(&self, id: ClientId) {
        self.state().asked.push(format!("used {id}"));
    }
    fn readiness(&self) -> Result<Readiness> {
        self.state().readiness.clone()
    }
    fn bootstrap(&self, asked: Bootstrap) -> Result<Bootstrapped> {
        self.note(format!("bootstrap {}", asked.name))?;
        Ok(Bootstrapped {
            peer_id: peer_id(1).to_string(),
            peer_public_key: public_key(1).to_string(),
            client_id: client(0).to_string(),
            client_secret: SECRET.into(),
            license_id: asked.license.terms.license_id.to_string(),
            cluster_id: "clu".into(),
            expires_at: asked.license.terms.expires_at,
            max_nodes: asked.license.terms.max_nodes,
            max_services: asked.license.terms.max_services,
        })
    }
    fn identity(&self) -> Result<Identity> {
        self.note("identity")?;
        Ok(Identity {
            peer_id: peer_id(1).to_string(),
            public_key: public_key(1).to_string(),
            license_id: "lic".into(),
            cluster_id: "clu".into(),
            version: "0".into(),
        })
    }
    fn license(&self) -> Result<LicenseBody> {
        self.note("license").map(|()| license_body())
    }
    fn update_license(&self, license: Option<License>, forget: bool) -> Result<LicenseBody> {
        self.note(format!("update_license {} {forget}", license.is_some()))?;
        Ok(license_body())
    }
    fn status(&self) -> Result<ClusterStatus> {
        self.note("status")?;
        Ok(ClusterStatus {
            peer_id: peer_id(1).to_string(),
            cluster_id: "clu".into(),
            register_hash: String::new(),
            incarnation: 1,
            over_limit: false,
            isolated: false,
            members: MemberCounts::default(),
            duplicate: None,
            refused_by: Vec::new(),
            refuses: Vec::new(),
            last_round_at: None,
            gossip: GossipCounters::default(),
        })
    }
    fn sync(&self) -> Result<()> {
        self.note("sync")
    }
    fn peers(&self) -> Result<Vec<Peer>> {
        self.note("peers")?;
        Ok(vec![peer(1, "alice"), peer(2, "bob")])
    }
    fn peer(&self, id: PeerId) -> Result<Peer> {
        self.note(format!("peer {id}"))?;
        Ok(peer(2, "bob"))
    }
    fn add_peer(&self, address: Address, name: Name) -> Result<(bool, Peer)> {
        self.note(format!("add_peer {address} '{name}'"))?;
        Ok((address.port() != 1, peer(2, name.as_str())))
    }
    fn rename_peer(&self, id: PeerId, name: Name) -> Result<Peer> {
        self.note(format!("rename_peer {id} '{name}'"))?;
        Ok(peer(2, name.as_str()))
    }
    fn delete_peer(&self, id: PeerId) -> Result<()> {
        self.note(format!("delete_peer {id}"))
    }
    fn remove_self(&self, force: bool) -> Result<Deactivated> {
        self.note(if force {
            "remove_self by force"
        } else {
            "remove_self"
        })?;
        Ok(Deactivated {
            deactivated: true,
            announced_to: 2,
            pending: 1,
        })
    }
    fn services(&self, source: Option<PeerId>, target: Option<PeerId>) -> Result<Vec<Service>> {
        self.note(format!("services {source:?} {target:?}"))?;
        Ok(Vec::new())
    }
    fn service(&self, id: ServiceId) -> Result<Service> {
        self.note(format!("service {id}"))?;
        Err(Error::NotFound("service"))
    }
    fn create_service(&self, new: NewService) -> Result<Service> {
        self.note(format!("create_service {new:?}"))?;
        Ok(service(&new))
    }
    fn update_service(
        &self,
        id: ServiceId,
        name: Option<Name>,
        transport: Option<Transport>,
    ) -> Result<Service> {
        self.note(format!("update_service {id} {name:?} {transport:?}"))?;
        Ok(service(&NewService {
            source: None,
            target: peer_id(2),
            transport: transport.unwrap_or(Transport::Tcp),
            name: name.unwrap_or_default(),
        }))
    }
    fn delete_service(&self, id: ServiceId) -> Result<()> {
        self.note(format!("delete_service {id}"))
    }
    fn credentials(&self) -> Result<Vec<Credential>> {
        self.note("credentials").map(|()| Vec::new())
    }
    fn create_credential(&self, scopes: Scopes, name: Name) -> Result<NewCredential> {
        self.note(format!("create_credential {scopes} '{name}'"))?;
        Ok(NewCredential {
            client_id: client(99).to_string(),
            client_secret: SECRET.into(),
            scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
            name: name.to_string(),
            created_at: Timestamp(0),
        })
    }
    fn revoke_credential(&self, id: ClientId, current: ClientId, _: &Scopes) -> Result<()> {
        self.note(format!("revoke_credential {id} by {current}"))?;
        if id == current {
            return Err(Error::RevokeCurrent);
        }
        self.state().credentials.retain(|(known, _)| *known != id);
        Ok(())
    }
    fn gossip_allowance(&self, _: &str, _: IpAddr, beginning: &[u8]) -> Allowance {
        Allowance {
            limit: beginning.len(),
            stranger: false,
        }
    }
    fn gossip(&self, call: &Call) -> Reply {
        self.state().asked.push(format!("gossip {}", call.path));
        Reply {
            status: 403,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        }
    }
}

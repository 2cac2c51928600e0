//! The backend of a running agent: each call becomes work for the pulse, a reader or the usher.

use super::backend::{Backend, CredentialRow, Local};
use super::reply;
use crate::agent::Agent;
use crate::core::settle::Ends;
use crate::domain::{
    Address, ClientId, Code, Error, License, Name, PeerId, Result, Scopes, SecretKey, ServiceId,
    Timestamp, Transport,
};
use crate::node::{Inbound, NewService, Readiness};
use crate::transport::{Allowance, Call, Reply};
use crate::wire::operator::{
    Bootstrap, Bootstrapped, ClusterStatus, Credential, Deactivated, Identity, LicenseBody,
    NewCredential, Peer, Service,
};
use crate::wire::peer::{self, HANDSHAKE_PATH, HandshakeAnswer, MESSAGE_PATH, Refused};
use std::net::IpAddr;
use std::sync::Arc;

/// The agent as the API's backend.
pub struct Live {
    agent: Arc<Agent>,
}

impl Live {
    pub fn new(agent: Arc<Agent>) -> Live {
        Live { agent }
    }

    fn message(&self, call: &Call) -> Result<Reply> {
        match self.agent.message(&call.body, call.remote)? {
            Inbound::Answer(frame) => Ok(reply::raw_json(200, frame)),
            Inbound::Stranger(refusal) => Ok(reply::json(403, &refusal)),
            Inbound::TooMany => Err(Error::TooMany),
        }
    }

    fn handshake(&self, call: &Call) -> Result<Reply> {
        let message = peer::read(&call.body)?;
        let ends = Ends {
            remote: call.remote,
            local: call.local,
        };
        let answer = self.agent.handshake(message, ends)?;
        let status = match &answer {
            HandshakeAnswer::Refused {
                why: Refused::TooMany,
            } => Code::TooManyRequests,
            HandshakeAnswer::Refused {
                why: Refused::Overloaded,
            } => Code::Overloaded,
            HandshakeAnswer::Refused {
                why: Refused::NotBootstrapped,
            } => Code::NotBootstrapped,
            HandshakeAnswer::Refused { .. } => Code::HandshakeFailed,
            _ => return Ok(reply::json(200, &answer)),
        };
        let mut refused = reply::json(status.row().http_status, &answer);
        if matches!(status, Code::TooManyRequests | Code::Overloaded) {
            refused.headers.push(reply::retry());
        }
        Ok(refused)
    }
}

impl Backend for Live {
    fn now(&self) -> Timestamp {
        self.agent.now().wall
    }

    fn random16(&self) -> Result<[u8; 16]> {
        self.agent.random()
    }

    fn local(&self) -> Result<Option<Local>> {
        let identity = self.agent.read(|reader| reader.identity())?;
        Ok(identity.map(|row| Local {
            peer_id: row.peer_id,
            public_key: row.public_key,
            deactivated: row.deactivated,
        }))
    }

    fn token_key(&self) -> Result<SecretKey> {
        let key = self.agent.read(|reader| reader.token_key())?;
        key.ok_or(Error::NotBootstrapped)
    }

    fn credential(&self, id: ClientId) -> Result<Option<CredentialRow>> {
        self.agent.read(|reader| reader.credential(id))
    }

    fn note_use(&self, id: ClientId) {
        let noted = self.agent.node(move |node, now| node.note_use(id, now));
        if let Err(e) = noted {
            log::debug!("the use of credentials was not noted: {e}");
        }
    }

    fn readiness(&self) -> Result<Readiness> {
        self.agent.node(|node, _| Ok(node.readiness()))
    }

    fn bootstrap(&self, request: Bootstrap) -> Result<Bootstrapped> {
        self.agent.bootstrap(request)
    }

    fn identity(&self) -> Result<Identity> {
        self.agent.node(|node, _| node.identity())
    }

    fn license(&self) -> Result<LicenseBody> {
        self.agent.node(|node, now| node.license_body(now))
    }

    fn update_license(
        &self,
        license: Option<License>,
        forget_previous: bool,
    ) -> Result<LicenseBody> {
        self.agent
            .node(move |node, now| node.update_license(license, forget_previous, now))
    }

    fn status(&self) -> Result<ClusterStatus> {
        self.agent.node(|node, now| node.status(now))
    }

    fn sync(&self) -> Result<()> {
        self.agent.node(|node, _| node.sync())
    }

    fn peers(&self) -> Result<Vec<Peer>> {
        self.agent.node(|node, _| node.peers())
    }

    fn peer(&self, id: PeerId) -> Result<Peer> {
        self.agent.node(move |node, _| node.peer(id))
    }

    fn add_peer(&self, address: Address, name: Name) -> Result<(bool, Peer)> {
        self.agent.join(address, name)
    }

    fn rename_peer(&self, id: PeerId, name: Name) -> Result<Peer> {
        self.agent
            .node(move |node, now| node.rename_peer(id, name, now))
    }

    fn delete_peer(&self, id: PeerId) -> Result<()> {
        self.agent.node(move |node, now| node.delete_peer(id, now))
    }

    fn remove_self(&self, force: bool) -> Result<Deactivated> {
        self.agent.remove_self(force)
    }

    fn services(&self, source: Option<PeerId>, target: Option<PeerId>) -> Result<Vec<Service>> {
        self.agent
            .node(move |node, _| node.services(source, target))
    }

    fn service(&self, id: ServiceId) -> Result<Service> {
        self.agent.node(move |node, _| node.service(id))
    }

    fn create_service(&self, new: NewService) -> Result<Service> {
        self.agent
            .node(move |node, now| node.create_service(new, now))
    }

    fn update_service(
        &self,
        id: ServiceId,
        name: Option<Name>,
        transport: Option<Transport>,
    ) -> Result<Service> {
        self.agent
            .node(move |node, now| node.update_service(id, name, transport, now))
    }

    fn delete_service(&self, id: ServiceId) -> Result<()> {
        self.agent
            .node(move |node, now| node.delete_service(id, now))
    }

    fn credentials(&self) -> Result<Vec<Credential>> {
        let rows = self.agent.read(|reader| reader.credentials())?;
        let shown = rows.into_iter().map(|row| Credential {
            client_id: row.client_id.to_string(),
            name: row.name,
            scopes: row.scopes.iter().map(|s| s.to_string()).collect(),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        });
        Ok(shown.collect())
    }

    fn create_credential(&self, scopes: Scopes, name: Name) -> Result<NewCredential> {
        self.agent
            .node(move |node, now| node.create_credential(scopes, name, now))
    }

    fn revoke_credential(&self, id: ClientId, current: ClientId, own: &Scopes) -> Result<()> {
        let own = own.clone();
        self.agent
            .node(move |node, _| node.revoke_credential(id, current, &own))
    }

    fn gossip_allowance(&self, path: &str, from: IpAddr, beginning: &[u8]) -> Allowance {
        match path {
            HANDSHAKE_PATH => self.agent.handshake_allowance(beginning, from),
            _ => self.agent.message_allowance(beginning),
        }
    }

    fn gossip(&self, call: &Call) -> Reply {
        let answer = match call.path.as_str() {
            MESSAGE_PATH => self.message(call),
            HANDSHAKE_PATH => self.handshake(call),
            _ => Err(Error::NotFound("path")),
        };
        answer.unwrap_or_else(|error| reply::error(&error))
    }
}

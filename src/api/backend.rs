//! What the HTTP surface asks of the agent behind it.

use crate::domain::{
    Address, ClientId, License, Name, PeerId, PublicKey, Result, Scopes, SecretKey, ServiceId,
    Timestamp, Transport,
};
use crate::transport::{Allowance, Call, Reply};
use crate::wire::operator::{
    Bootstrap, Bootstrapped, ClusterStatus, Credential, Deactivated, Identity, LicenseBody,
    NewCredential, Peer, Service,
};
use std::net::IpAddr;

/// This agent, once it is bootstrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    pub peer_id: PeerId,
    pub public_key: PublicKey,
    /// It has removed itself, or was removed for good.
    pub deactivated: bool,
}

pub use crate::node::{NewService, Readiness};
pub use crate::store::CredentialRow;

/// The agent as the API sees it. A call may block for as long as its contract says (`add_peer` 10 s,
/// `remove_self` 2 s), and is made from many threads at once.
///
/// What a license in `read_only` forbids is refused in here, inside the transaction that would write.
pub trait Backend: Send + Sync {
    fn now(&self) -> Timestamp;
    /// Bytes that nobody can guess, for token and request ids.
    fn random16(&self) -> Result<[u8; 16]>;

    /// None before bootstrap. Asked at every request.
    fn local(&self) -> Result<Option<Local>>;
    /// The key that signs access tokens, and nothing else. Asked only once bootstrapped.
    fn token_key(&self) -> Result<SecretKey>;
    /// Asked at every request with a token, so that a revocation ends tokens at once.
    fn credential(&self, id: ClientId) -> Result<Option<CredentialRow>>;
    /// The client has proved its secret: `last_used_at`, best effort. Not told for each request.
    fn note_use(&self, id: ClientId);
    fn readiness(&self) -> Result<Readiness>;

    fn bootstrap(&self, request: Bootstrap) -> Result<Bootstrapped>;
    fn identity(&self) -> Result<Identity>;
    fn license(&self) -> Result<LicenseBody>;
    /// At least one of the two is asked for.
    fn update_license(
        &self,
        license: Option<License>,
        forget_previous: bool,
    ) -> Result<LicenseBody>;
    fn status(&self) -> Result<ClusterStatus>;
    fn sync(&self) -> Result<()>;

    /// The local peer first, then by name and id.
    fn peers(&self) -> Result<Vec<Peer>>;
    fn peer(&self, id: PeerId) -> Result<Peer>;
    /// True: a new peer. False: a member that proved itself at a new address.
    fn add_peer(&self, address: Address, name: Name) -> Result<(bool, Peer)>;
    fn rename_peer(&self, id: PeerId, name: Name) -> Result<Peer>;
    fn delete_peer(&self, id: PeerId) -> Result<()>;
    fn remove_self(&self, force: bool) -> Result<Deactivated>;

    /// None is any.
    fn services(&self, source: Option<PeerId>, target: Option<PeerId>) -> Result<Vec<Service>>;
    fn service(&self, id: ServiceId) -> Result<Service>;
    fn create_service(&self, new: NewService) -> Result<Service>;
    /// None leaves a field as it is; at least one is given. An empty name takes the name away.
    fn update_service(
        &self,
        id: ServiceId,
        name: Option<Name>,
        transport: Option<Transport>,
    ) -> Result<Service>;
    fn delete_service(&self, id: ServiceId) -> Result<()>;

    fn credentials(&self) -> Result<Vec<Credential>>;
    fn create_credential(&self, scopes: Scopes, name: Name) -> Result<NewCredential>;
    /// `current` is whose token makes the request, `own` what it allows.
    fn revoke_credential(&self, id: ClientId, current: ClientId, own: &Scopes) -> Result<()>;

    /// How much of a body is read that goes there and begins like this.
    fn gossip_allowance(&self, path: &str, from: IpAddr, beginning: &[u8]) -> Allowance;
    /// Everything under `/v1/gossip/`, POST only, also before bootstrap and when deactivated.
    fn gossip(&self, call: &Call) -> Reply;
}

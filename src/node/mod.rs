//! Floor 3: the deterministic node: core and store together, (input, now) -> outputs.
//!
//! Knows: the register, the view, what this agent observed, what is owed to others. Must never know:
//! threads, sockets, the clock. The agent's threads and the simulator drive this same object.
//! Invariant: what changes a decision is committed to the store before it is believed or sent.
//!
//! Kinds of method: commands of the operator (`bootstrap`, `delete_peer`, …), `receive` for what
//! another agent sent, `completed` for what became of a call, `tick` for the passing of time; after
//! each of them `take_calls` has what is to be sent, and `next_deadline` when to tick again.

mod calls;
mod credentials;
mod double;
mod entrance;
mod identity;
mod join;
mod joins;
mod leave;
mod licensing;
mod merge;
mod outcome;
mod receive;
mod refusals;
mod services;
#[cfg(test)]
mod tests;
mod touch;
mod view;
mod waiting;
mod welcome;

pub use calls::{Call, CallFault};
pub use entrance::{Admitted, Entrance, Judged, Verdict};
pub use joins::{CallOutcome, JoinOut, Joins, Port};
pub use receive::Inbound;
pub use services::NewService;
pub use view::Readiness;

use crate::core::admission::Reservations;
use crate::core::contact::Contact;
use crate::core::door::Facts;
use crate::core::gossip::Gossip;
use crate::core::liveness::Liveness;
use crate::core::pace::Pace;
use crate::core::register::Register;
use crate::core::schedule::{Now, TokenBucket};
use crate::domain::{
    Address, Customer, Description, Error, IssueKey, KeyHash, License, Name, PeerId, PublicKey,
    Result, SecretKey, Timestamp,
};
use crate::store::Store;
use crate::wire::operator::GossipCounters;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What the agent was started with.
#[derive(Clone)]
pub struct Config {
    pub issuers: Vec<PublicKey>,
    /// Named in the error when no issuer is trusted.
    pub issuers_file: String,
    pub customer: Option<Customer>,
    pub advertise: Option<Address>,
    pub listen: SocketAddr,
}

/// Where random bytes come from: the system, or the simulator's seed.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

pub struct Node {
    config: Config,
    store: Store,
    entropy: Entropy,
    /// Drawn at each start; travels in the record.
    start: u64,
    life: Option<Life>,
    outbound: Vec<Call>,
    next_call: u64,
    counters: GossipCounters,
    /// It has said goodbye.
    leaving: bool,
    /// Shared with the threads that read messages.
    entrance: Entrance,
}

/// What a bootstrapped agent is.
struct Life {
    key: SecretKey,
    id: PeerId,
    name: Name,
    description: Description,
    incarnation: u64,
    address: Option<Address>,
    deactivated: bool,
    created_at: Timestamp,
    /// The current issue first.
    licenses: Vec<License>,
    issues: Vec<IssueKey>,
    register: Register,
    view: ViewState,
    liveness: Liveness,
    gossip: Gossip,
    outbox: BTreeMap<KeyHash, leave::Delivery>,
    calls: BTreeMap<u64, calls::Flight>,
    /// The members that have our current record.
    introduced: BTreeSet<KeyHash>,
    /// The members that have deleted this agent from their view, or hold no issue of our license.
    refused_by: BTreeSet<KeyHash>,
    /// How many messages each member was sent by this start.
    numbers: BTreeMap<KeyHash, u64>,
    /// The start of which a member has said goodbye: once is enough.
    parted: BTreeMap<KeyHash, u64>,
    reserved: Reservations,
    /// Another live agent uses this agent's key.
    double: Option<double::Double>,
    /// Rumours of one that are looked into.
    looks: TokenBucket,
    last_round_at: Option<Timestamp>,
    contact: Contact,
    pace: Pace,
    /// When contact and deletions were looked at last.
    looked: Option<Now>,
}

/// What makes the view out of the register, apart from observations.
#[derive(Default)]
struct ViewState {
    hidden: BTreeMap<KeyHash, Name>,
    names: BTreeMap<KeyHash, Name>,
    departed: BTreeMap<KeyHash, Name>,
    created: BTreeMap<KeyHash, Timestamp>,
}

impl Life {
    fn hash(&self) -> KeyHash {
        self.id.hash()
    }

    fn license(&self) -> &License {
        // A life begins with a license and only ever replaces it.
        &self.licenses[0]
    }

    fn max_nodes(&self) -> u32 {
        self.license().terms.max_nodes
    }

    /// Members that this agent talks to: neither itself nor hidden.
    fn partners(&self) -> Vec<KeyHash> {
        let own = self.hash();
        let shown = |hash: &KeyHash| *hash != own && !self.view.hidden.contains_key(hash);
        self.register
            .members()
            .map(|(h, _)| *h)
            .filter(shown)
            .collect()
    }

    /// A member in this agent's view.
    fn is_shown(&self, hash: KeyHash) -> bool {
        self.register.member(hash).is_some() && !self.view.hidden.contains_key(&hash)
    }
}

impl Node {
    /// A node on this store. With a key and a database that belong together it lives on; with a
    /// database alone it refuses.
    pub fn new(
        config: Config,
        store: Store,
        key: Option<(PeerId, SecretKey)>,
        mut entropy: Entropy,
        now: Now,
    ) -> Result<Node> {
        let mut start = [0u8; 8];
        entropy(&mut start);
        let mut node = Node {
            config,
            store,
            entropy,
            // 53 bits: what every JSON reader holds exactly.
            start: u64::from_be_bytes(start) >> 11,
            life: None,
            outbound: Vec::new(),
            next_call: 0,
            counters: GossipCounters::default(),
            leaving: false,
            entrance: Entrance::default(),
        };
        node.resume(key, now)?;
        Ok(node)
    }

    fn life(&self) -> Result<&Life> {
        self.life.as_ref().ok_or(Error::NotBootstrapped)
    }

    /// The life of an agent that may still change something.
    fn active(&self) -> Result<&Life> {
        let life = self.life()?;
        match life.deactivated {
            true => Err(Error::Deactivated),
            false => Ok(life),
        }
    }

    /// Adds, updates and creates by an operator: also refused once the license's grace is over.
    fn writable(&self, now: Now) -> Result<&Life> {
        let life = self.active()?;
        let terms = &life.license().terms;
        match terms.read_only(now.wall) {
            true => Err(Error::LicenseExpired(terms.expires_at.for_people())),
            false => Ok(life),
        }
    }

    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0u8; N];
        (self.entropy)(&mut bytes);
        bytes
    }

    /// A number below `n`; the bias of the remainder does not matter for choosing whom to send to.
    fn pick(&mut self, n: usize) -> usize {
        match n {
            0 | 1 => 0,
            n => (u64::from_be_bytes(self.random()) % n as u64) as usize,
        }
    }

    /// Where messages of other agents are judged before they come to this node.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// What others are judged by, as it is committed now.
    fn publish(&self) {
        if let Some(life) = &self.life {
            let facts = Facts {
                id: life.id,
                key: life.key.clone(),
                start: self.start,
                hash: life.register.hash(),
                issues: life.issues.clone(),
            };
            self.entrance.sync(facts, &life.register);
        }
    }

    /// What is to be sent since the last time.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.outbound)
    }

    /// The hash of the register, for tests and the simulator's oracle.
    pub fn register_hash(&self) -> Option<[u8; 32]> {
        self.life.as_ref().map(|life| life.register.hash())
    }

    /// The register itself, for the simulator's oracle.
    pub fn register(&self) -> Option<&Register> {
        self.life.as_ref().map(|life| &life.register)
    }

    /// The store and its life end here: what a crash leaves behind, for the simulator.
    pub fn into_store(self) -> Store {
        self.store
    }
}

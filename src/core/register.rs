//! The register: what all agents share and converge on, and the rule by which two claims become one.

use crate::domain::{
    Announcement, ClusterId, KeyHash, PeerId, PeerRecord, PublicKey, ServiceId, ServiceRecord,
    Signed, SignedKind, Timestamp,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How many buckets the digest has. One byte names one.
pub const BUCKETS: usize = 256;
/// How many bytes of a version the digest compares.
pub const VERSION_BYTES: usize = 8;
/// Bytes of an entry's key on the wire: kind and id.
pub const KEY_BYTES: usize = 17;

/// Names one entry of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKey {
    Peer(KeyHash),
    Ended(KeyHash),
    Service(ServiceId),
}

impl EntryKey {
    pub fn to_bytes(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0u8; KEY_BYTES];
        match self {
            EntryKey::Peer(hash) => bytes[1..11].copy_from_slice(&hash.0),
            EntryKey::Ended(hash) => {
                bytes[0] = 1;
                bytes[1..11].copy_from_slice(&hash.0);
            }
            EntryKey::Service(id) => {
                bytes[0] = 2;
                bytes[1..].copy_from_slice(&id.to_bytes());
            }
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Option<EntryKey> {
        let mut hash = [0u8; 10];
        hash.copy_from_slice(&bytes[1..11]);
        let mut id = [0u8; 16];
        id.copy_from_slice(&bytes[1..]);
        let padded = bytes[11..].iter().all(|b| *b == 0);
        match bytes[0] {
            0 if padded => Some(EntryKey::Peer(KeyHash(hash))),
            1 if padded => Some(EntryKey::Ended(KeyHash(hash))),
            2 => Some(EntryKey::Service(ServiceId::from_bytes(id))),
            _ => None,
        }
    }

    /// Random bits of the id: the hash of a key, or the low bits of a service's id.
    pub fn bucket(self) -> u8 {
        match self {
            EntryKey::Peer(hash) | EntryKey::Ended(hash) => hash.0[9],
            EntryKey::Service(id) => id.to_bytes()[15],
        }
    }
}

/// A claim whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Peer(PeerRecord),
    Announcement(Announcement),
    Service(ServiceRecord),
}

impl Item {
    /// Verifies the signature, then reads.
    pub fn open(signed: Signed) -> crate::domain::Result<Item> {
        match signed.kind {
            SignedKind::Peer => PeerRecord::open(signed).map(Item::Peer),
            SignedKind::Announcement => Announcement::open(signed).map(Item::Announcement),
            SignedKind::Service => ServiceRecord::open(signed).map(Item::Service),
        }
    }

    pub fn key(&self) -> EntryKey {
        match self {
            Item::Peer(record) => EntryKey::Peer(record.fields.id.hash()),
            Item::Announcement(a) => EntryKey::Ended(a.subject()),
            Item::Service(record) => EntryKey::Service(record.fields.id),
        }
    }

    /// As much of the version as the digest compares.
    pub fn version(&self) -> [u8; VERSION_BYTES] {
        short(&self.signed().version())
    }

    pub fn signed(&self) -> &Signed {
        match self {
            Item::Peer(record) => &record.signed,
            Item::Announcement(a) => &a.signed,
            Item::Service(record) => &record.signed,
        }
    }

    /// Adds the tags of these issues. Returns whether anything changed.
    pub fn add_tags(&mut self, issues: &[crate::domain::IssueKey]) -> bool {
        self.signed_mut().add_tags(issues)
    }

    fn signed_mut(&mut self) -> &mut Signed {
        match self {
            Item::Peer(record) => &mut record.signed,
            Item::Announcement(a) => &mut a.signed,
            Item::Service(record) => &mut record.signed,
        }
    }
}

/// What a claim does to the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Store the item in place of what is there under its key. An announcement also drops its
    /// subject's record.
    Put(Item),
    /// The stored item stays; it gains license tags.
    Tags(Item),
}

/// The register itself, a copy in memory of what the database holds.
#[derive(Debug, Clone, Default)]
pub struct Register {
    peers: BTreeMap<KeyHash, PeerRecord>,
    ended: BTreeMap<KeyHash, Announcement>,
    services: BTreeMap<ServiceId, ServiceRecord>,
    /// Those of the services that are deleted, the oldest deletion first.
    deletions: BTreeSet<(Timestamp, ServiceId)>,
    buckets: Buckets,
}

impl Register {
    pub fn members(&self) -> impl Iterator<Item = (&KeyHash, &PeerRecord)> {
        self.peers.iter()
    }

    pub fn member(&self, hash: KeyHash) -> Option<&PeerRecord> {
        self.peers.get(&hash)
    }

    pub fn member_count(&self) -> usize {
        self.peers.len()
    }

    pub fn ended(&self, hash: KeyHash) -> Option<&Announcement> {
        self.ended.get(&hash)
    }

    pub fn ended_all(&self) -> impl Iterator<Item = &Announcement> {
        self.ended.values()
    }

    pub fn ended_count(&self) -> usize {
        self.ended.len()
    }

    pub fn service(&self, id: ServiceId) -> Option<&ServiceRecord> {
        self.services.get(&id)
    }

    /// The services that are not deleted.
    pub fn services(&self) -> impl Iterator<Item = &ServiceRecord> {
        let there = |s: &&ServiceRecord| s.fields.deleted_at.is_none();
        self.services.values().filter(there)
    }

    pub fn service_count(&self) -> usize {
        self.services.len() - self.deletions.len()
    }

    /// When which service was deleted, as far as it is remembered; the oldest first.
    pub fn deletions(&self) -> &BTreeSet<(Timestamp, ServiceId)> {
        &self.deletions
    }

    /// Whether this key is the one that is stored for its identity.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.peers
            .get(&key.hash())
            .is_some_and(|record| record.fields.key == *key)
    }

    /// The smallest id of all identities, departed ones included.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        let members = self.peers.values().map(|r| r.fields.id);
        let departed = self.ended.values().map(|a| a.fields.subject);
        members.chain(departed).min().map(ClusterId::of)
    }

    /// The peer id of an identity, whether it is a member or has departed.
    pub fn id_of(&self, hash: KeyHash) -> Option<PeerId> {
        let member = self.peers.get(&hash).map(|r| r.fields.id);
        member.or_else(|| self.ended.get(&hash).map(|a| a.fields.subject))
    }

    pub fn get(&self, key: EntryKey) -> Option<Item> {
        match key {
            EntryKey::Peer(hash) => self.peers.get(&hash).cloned().map(Item::Peer),
            EntryKey::Ended(hash) => self.ended.get(&hash).cloned().map(Item::Announcement),
            EntryKey::Service(id) => self.services.get(&id).cloned().map(Item::Service),
        }
    }

    pub fn contains(&self, key: EntryKey) -> bool {
        match key {
            EntryKey::Peer(hash) => self.peers.contains_key(&hash),
            EntryKey::Ended(hash) => self.ended.contains_key(&hash),
            EntryKey::Service(id) => self.services.contains_key(&id),
        }
    }

    /// The merge rule: what this claim would change, or nothing. Who may claim at all is decided by
    /// admission; this only says which of two valid claims stands.
    pub fn consider(&self, item: &Item) -> Option<Change> {
        let wins = match item {
            Item::Peer(new) => self.peer_wins(new)?,
            Item::Announcement(new) => {
                let old = self.ended.get(&new.subject());
                old.is_none_or(|old| new.rank() < old.rank())
            }
            Item::Service(new) => {
                let old = self.services.get(&new.fields.id);
                old.is_none_or(|old| new.rank() > old.rank())
            }
        };
        if wins {
            return Some(Change::Put(item.clone()));
        }
        self.tags_gained(item)
    }

    /// None where a tombstone stands. Of two ids with one hash the lower is kept, then the lower
    /// key, and only then does the incarnation speak.
    fn peer_wins(&self, new: &PeerRecord) -> Option<bool> {
        let hash = new.fields.id.hash();
        if self.ended.contains_key(&hash) {
            return None;
        }
        let Some(old) = self.peers.get(&hash) else {
            return Some(true);
        };
        let order = |r: &PeerRecord| (Reverse(r.fields.id), Reverse(r.fields.key));
        Some((order(new), new.rank()) > (order(old), old.rank()))
    }

    /// Equal signed bytes may arrive with tags of another issue: the union stays.
    fn tags_gained(&self, item: &Item) -> Option<Change> {
        let mut stored = self.get(item.key())?;
        if stored.signed().payload != item.signed().payload {
            return None;
        }
        let own = stored.signed().tags.clone();
        let full = own.len() >= crate::domain::signed::MAX_TAGS;
        if full
            || item
                .signed()
                .tags
                .iter()
                .all(|t| own.iter().any(|o| o.issue == t.issue))
        {
            return None;
        }
        stored.signed_mut().tags = item.signed().tags.clone();
        stored.signed_mut().union_tags(&own);
        Some(Change::Tags(stored))
    }

    /// Takes a change that the database has committed.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(item) => {
                if let Item::Announcement(a) = item {
                    self.take(EntryKey::Peer(a.subject()));
                }
                self.take(item.key());
                self.put(item.clone());
            }
            // Tags are not part of what is hashed.
            Change::Tags(item) => self.replace(item.clone()),
        }
    }

    /// A service leaves without a trace: its deletion is over, or the cluster does not hold it.
    pub fn forget(&mut self, id: ServiceId) {
        self.take(EntryKey::Service(id));
    }

    fn put(&mut self, item: Item) {
        self.buckets.toggle(item.key(), &item.signed().version());
        self.replace(item);
    }

    fn replace(&mut self, item: Item) {
        match item {
            Item::Peer(r) => drop(self.peers.insert(r.fields.id.hash(), r)),
            Item::Announcement(a) => drop(self.ended.insert(a.subject(), a)),
            Item::Service(s) => {
                let id = s.fields.id;
                self.deletions
                    .extend(s.fields.deleted_at.map(|at| (at, id)));
                self.services.insert(id, s);
            }
        }
    }

    fn take(&mut self, key: EntryKey) {
        let Some(item) = self.get(key) else { return };
        self.buckets.toggle(key, &item.signed().version());
        match key {
            EntryKey::Peer(hash) => drop(self.peers.remove(&hash)),
            EntryKey::Ended(hash) => drop(self.ended.remove(&hash)),
            EntryKey::Service(id) => {
                let gone = self.services.remove(&id);
                let deleted_at = gone.and_then(|s| s.fields.deleted_at);
                deleted_at.map(|at| self.deletions.remove(&(at, id)));
            }
        }
    }

    /// The hash of everything: equal registers have equal hashes.
    pub fn hash(&self) -> [u8; 32] {
        self.buckets.total
    }

    /// The digest: 8 bytes for each bucket.
    pub fn digest(&self) -> Vec<u8> {
        self.buckets.each.concat()
    }

    /// Every entry, deleted services included.
    pub fn keys(&self) -> impl Iterator<Item = EntryKey> {
        let peers = self.peers.keys().map(|h| EntryKey::Peer(*h));
        let ended = self.ended.keys().map(|h| EntryKey::Ended(*h));
        let services = self.services.keys().map(|id| EntryKey::Service(*id));
        peers.chain(ended).chain(services)
    }

    /// The entries of one bucket with the first bytes of their versions.
    pub fn bucket(&self, bucket: u8) -> Vec<(EntryKey, [u8; VERSION_BYTES])> {
        self.keys()
            .filter(|key| key.bucket() == bucket)
            .filter_map(|key| Some((key, self.get(key)?.version())))
            .collect()
    }
}

fn short(version: &[u8; 32]) -> [u8; VERSION_BYTES] {
    let mut short = [0u8; VERSION_BYTES];
    short.copy_from_slice(&version[..VERSION_BYTES]);
    short
}

/// Sums of the versions, kept up to date with every change. Exclusive or is its own inverse.
#[derive(Debug, Clone)]
struct Buckets {
    total: [u8; 32],
    each: Vec<[u8; VERSION_BYTES]>,
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets {
            total: [0; 32],
            each: vec![[0; VERSION_BYTES]; BUCKETS],
        }
    }
}

impl Buckets {
    fn toggle(&mut self, key: EntryKey, version: &[u8; 32]) {
        for (sum, byte) in self.total.iter_mut().zip(version) {
            *sum ^= byte;
        }
        let bucket = &mut self.each[usize::from(key.bucket())];
        for (sum, byte) in bucket.iter_mut().zip(version) {
            *sum ^= byte;
        }
    }
}

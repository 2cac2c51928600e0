//! Who may enter: the checks before a claim reaches the merge rule. The cheap ones come first: the
//! tag (a MAC) before the signature.

use super::register::{Item, Register};
use super::schedule::Now;
use crate::domain::license::Terms;
use crate::domain::{IssueKey, KeyHash, ServiceRecord, Signed};
use std::collections::BTreeMap;

/// The smallest number of members that every agent has room for.
const MEMBERS_FLOOR: usize = 64;
/// Tombstones for each member, and services for each.
const ENTRIES_PER_MEMBER: usize = 64;
/// With so many deletions of services remembered none is created.
pub const MAX_DELETIONS: usize = 8192;
/// So many are kept of services that this agent never had: those of two clusters that meet.
const DELETIONS_BROUGHT: usize = 2 * MAX_DELETIONS;

/// How many members an agent keeps at most under this license.
pub fn member_capacity(max_nodes: u32) -> usize {
    let four_fold = usize::try_from(max_nodes)
        .unwrap_or(usize::MAX)
        .saturating_mul(4);
    four_fold.max(MEMBERS_FLOOR)
}

/// How many tombstones of members.
fn entry_capacity(max_nodes: u32) -> usize {
    member_capacity(max_nodes).saturating_mul(ENTRIES_PER_MEMBER)
}

/// Why a claim stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Neither a stored signer nor an accepted license tag.
    Unproved,
    /// No room for one more identity. Nobody is displaced.
    Full,
}

/// Whether this signer's word is heard: a stored identity's always, another's with a tag of an
/// issue that admits here now.
pub fn heard(register: &Register, signed: &Signed, issues: &[IssueKey]) -> Result<(), Outside> {
    if register.knows(&signed.key) || signed.tagged_by(issues) {
        return Ok(());
    }
    Err(Outside::Unproved)
}

/// How many services, deleted ones not counted: gossip may bring more than the license allows.
fn service_capacity(terms: &Terms) -> usize {
    let four_fold = usize::try_from(terms.max_services)
        .unwrap_or(usize::MAX)
        .saturating_mul(4);
    four_fold.max(entry_capacity(terms.max_nodes))
}

/// Whether there is room for this claim.
pub fn room_for(register: &Register, item: &Item, terms: &Terms) -> Result<(), Outside> {
    match item {
        Item::Service(record) => service_room(register, record, terms),
        Item::Peer(record) => room_for_member(register, record.fields.id.hash(), terms.max_nodes),
        Item::Announcement(a) => end_room(register, a.subject(), terms.max_nodes),
    }
}

/// Whether there is room for this member, and for its end, which is kept for ever.
pub fn room_for_member(register: &Register, hash: KeyHash, max_nodes: u32) -> Result<(), Outside> {
    let full = register.member_count() >= member_capacity(max_nodes)
        || register.ended_count() >= entry_capacity(max_nodes);
    match full && register.member(hash).is_none() {
        true => Err(Outside::Full),
        false => Ok(()),
    }
}

/// A member's own end always has room: it replaces the record.
fn end_room(register: &Register, hash: KeyHash, max_nodes: u32) -> Result<(), Outside> {
    let full = register.ended_count() >= entry_capacity(max_nodes);
    match full && register.id_of(hash).is_none() {
        true => Err(Outside::Full),
        false => Ok(()),
    }
}

/// A change or the deletion of a service that is stored always has room.
fn service_room(register: &Register, record: &ServiceRecord, terms: &Terms) -> Result<(), Outside> {
    let remembered = register.deletions().len() >= DELETIONS_BROUGHT;
    let there = register.service_count() >= service_capacity(terms);
    // What is created will be deleted, and then has to be remembered.
    let full = remembered || (there && record.fields.deleted_at.is_none());
    match full && register.service(record.fields.id).is_none() {
        true => Err(Outside::Full),
        false => Ok(()),
    }
}

/// How long a place stays taken for a handshake under way, in ms.
const RESERVED_MS: u64 = 15_000;

/// Places in the license that handshakes under way have taken, and until when. One that is over
/// counts nowhere, whoever asks.
#[derive(Debug, Default)]
pub struct Reservations(BTreeMap<KeyHash, u64>);

impl Reservations {
    pub fn take(&mut self, hash: KeyHash, now: Now) {
        self.0.retain(|_, until| *until > now.mono_ms);
        self.0.insert(hash, now.mono_ms + RESERVED_MS);
    }

    /// The handshake is over, however it went.
    pub fn release(&mut self, hash: KeyHash) {
        self.0.remove(&hash);
    }

    /// Who has a place now.
    pub fn held(&self, now: Now) -> impl Iterator<Item = KeyHash> + '_ {
        let held = move |(_, until): &(&KeyHash, &u64)| **until > now.mono_ms;
        self.0.iter().filter(held).map(|(hash, _)| *hash)
    }
}

/// How many members the union of a register, what is reserved and another side's members would have.
pub fn union_count(
    register: &Register,
    reserved: impl Iterator<Item = KeyHash>,
    others: impl Iterator<Item = KeyHash>,
) -> usize {
    let mut union: std::collections::BTreeSet<KeyHash> =
        register.members().map(|(hash, _)| *hash).collect();
    union.extend(reserved);
    union.extend(others.filter(|hash| register.ended(*hash).is_none()));
    union.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_counts_for_a_while_or_until_it_is_released() {
        let at = |mono_ms| Now {
            mono_ms,
            wall: Timestamp(0),
        };
        let [a, b] = [1, 2].map(|n| KeyHash([n; 10]));
        let mut reserved = Reservations::default();
        reserved.take(a, at(1000));
        reserved.take(b, at(1001));
        assert_eq!(reserved.held(at(15_999)).count(), 2);
        assert_eq!(reserved.held(at(16_000)).collect::<Vec<_>>(), [b]);
        reserved.take(a, at(16_000));
        reserved.release(b);
        assert_eq!(reserved.held(at(16_000)).collect::<Vec<_>>(), [a]);
        reserved.take(b, at(40_000));
        assert_eq!(reserved.0.len(), 1, "what is over is forgotten");
    }
    use crate::core::register::Change;
    use crate::domain::service::ServiceFields;
    use crate::domain::{
        Customer, LicenseId, Name, PeerId, SecretKey, ServiceId, Timestamp, Transport,
    };

    fn terms() -> Terms {
        Terms {
            license_id: LicenseId::from_parts(1, [1; 10]),
            customer_id: Customer::parse("cust_acme").unwrap(),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1000),
            max_nodes: 10,
            max_services: 2000,
        }
    }

    /// Admission looks at what it says; that its signature is none does not matter here.
    fn record(number: usize, deleted: bool, base: &ServiceRecord) -> Item {
        let mut record = base.clone();
        record.fields.id = ServiceId::from_parts(number as u64, [0; 10]);
        record.fields.deleted_at = deleted.then_some(Timestamp(0));
        Item::Service(record)
    }

    fn base() -> ServiceRecord {
        let key = SecretKey::from_seed(&[1; 32]);
        let editor = PeerId::derive(&key.public(), 1);
        let fields = ServiceFields {
            v: 1,
            id: ServiceId::from_parts(1, [0; 10]),
            source: editor,
            target: editor,
            transport: Transport::Tcp,
            name: Name::none(),
            created_at: Timestamp(0),
            version: 1,
            deleted_at: None,
            editor,
            editor_key: key.public(),
        };
        ServiceRecord::seal(fields, &key, &[])
    }

    /// How many of these find room, one after the other.
    fn taken(register: &mut Register, items: impl Iterator<Item = Item>) -> usize {
        let mut taken = 0;
        for item in items {
            if room_for(register, &item, &terms()).is_ok() {
                register.apply(&Change::Put(item));
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn what_is_stored_can_always_be_deleted_and_the_rest_is_bounded() {
        let (base, mut register) = (&base(), Register::default());
        // Four times what the license allows.
        let created = (0..20_000).map(|n| record(n, false, base));
        assert_eq!(taken(&mut register, created), 8000);
        let brought = (50_000..70_000).map(|n| record(n, true, base));
        assert_eq!(taken(&mut register, brought), DELETIONS_BROUGHT);
        let deleted = (0..20_000).map(|n| record(n, true, base));
        assert_eq!(taken(&mut register, deleted), 8000);
        assert_eq!(register.service_count(), 0);
        assert_eq!(register.deletions().len(), DELETIONS_BROUGHT + 8000);
        // Or whoever creates and deletes would fill every disk.
        let more = (80_000..90_000).map(|n| record(n, false, base));
        assert_eq!(taken(&mut register, more), 0);
    }
}

//! Who may enter: the checks before a claim reaches the merge rule. The cheap ones come first: the
//! tag (a MAC) before the signature.

use super::register::{EntryKey, Register};
use crate::domain::{IssueKey, KeyHash, Signed};

/// The smallest number of members that every agent has room for.
const MEMBERS_FLOOR: usize = 64;
/// Tombstones for each member, and service entries for each.
const ENTRIES_PER_MEMBER: usize = 64;

/// How many members an agent keeps at most under this license.
pub fn member_capacity(max_nodes: u32) -> usize {
    let four_fold = usize::try_from(max_nodes)
        .unwrap_or(usize::MAX)
        .saturating_mul(4);
    four_fold.max(MEMBERS_FLOOR)
}

/// How many tombstones, and how many service entries, deleted ones included.
pub fn entry_capacity(max_nodes: u32) -> usize {
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
/// issue that this agent holds.
pub fn heard(register: &Register, signed: &Signed, issues: &[IssueKey]) -> Result<(), Outside> {
    if register.knows(&signed.key) || signed.tagged_by(issues) {
        return Ok(());
    }
    Err(Outside::Unproved)
}

/// Whether there is room for this entry.
pub fn room(register: &Register, key: EntryKey, max_nodes: u32) -> Result<(), Outside> {
    if register.contains(key) {
        return Ok(());
    }
    let full = match key {
        EntryKey::Peer(_) => register.member_count() >= member_capacity(max_nodes),
        // A member's own end always has room: it replaces the record.
        EntryKey::Ended(hash) => {
            register.member(hash).is_none() && register.ended_count() >= entry_capacity(max_nodes)
        }
        EntryKey::Service(_) => register.service_entries() >= entry_capacity(max_nodes),
    };
    if full { Err(Outside::Full) } else { Ok(()) }
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

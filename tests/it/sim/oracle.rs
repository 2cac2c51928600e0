//! What must hold after every step, whoever did what. Only the host that was just driven is checked,
//! and its register only when its hash moved.

use super::host::Host;
use super::world::{Checked, World};
use arctic::core::admission::member_capacity;
use arctic::core::register::Register;
use arctic::domain::{KeyHash, PeerId, PeerRecord};
use std::collections::{BTreeMap, BTreeSet};

/// What one host was last seen to hold.
#[derive(Default)]
struct Held {
    hash: Option<[u8; 32]>,
    incarnations: BTreeMap<KeyHash, u64>,
    ended: BTreeSet<KeyHash>,
    /// Deleted here, and not added here since.
    hidden: BTreeMap<KeyHash, PeerId>,
}

pub struct Oracle {
    held: Vec<Held>,
    /// Who was given the license.
    genuine: BTreeMap<KeyHash, usize>,
    /// Every record that each subject was seen to hold of itself: the exact bytes.
    signed: BTreeMap<(KeyHash, u64), Vec<Vec<u8>>>,
    departed: BTreeSet<KeyHash>,
    capacity: usize,
    members: usize,
}

impl Oracle {
    pub fn new(members: usize, max_nodes: u32) -> Oracle {
        Oracle {
            held: Vec::new(),
            genuine: BTreeMap::new(),
            signed: BTreeMap::new(),
            departed: BTreeSet::new(),
            capacity: member_capacity(max_nodes),
            members,
        }
    }

    pub fn meet(&mut self, index: usize, hash: KeyHash) {
        self.held.push(Held::default());
        if index < self.members {
            self.genuine.insert(hash, index);
        }
    }

    /// Somebody outside the simulation who was given the license, too, and signed this.
    pub fn licensed(&mut self, record: &PeerRecord) {
        let hash = record.fields.id.hash();
        self.genuine.insert(hash, usize::MAX);
        let signed = self.signed.entry((hash, record.fields.incarnation));
        signed.or_default().push(record.signed.payload.0.clone());
    }

    pub fn hid(&mut self, index: usize, id: PeerId) {
        self.held[index].hidden.insert(id.hash(), id);
    }

    pub fn shown_again(&mut self, index: usize, hash: KeyHash) {
        self.held[index].hidden.remove(&hash);
    }

    pub fn departs(&mut self, hash: KeyHash) {
        self.departed.insert(hash);
    }

    /// Its disk was replaced: it may forget, its key may not.
    pub fn lost_disk(&mut self, index: usize) {
        self.held[index] = Held::default();
    }

    pub fn check(&mut self, index: usize, host: &Host) -> Checked {
        let Some(node) = &host.node else {
            return Ok(());
        };
        let Some(register) = node.register() else {
            return Ok(());
        };
        if index >= self.members {
            return self.check_rogue(host, register);
        }
        let held = &self.held[index];
        for (hash, id) in &held.hidden {
            if node.peer(*id).is_ok() && !held.ended.contains(hash) {
                return Err(format!("{id} was deleted here and is shown again"));
            }
        }
        if held.hash == node.register_hash() {
            return Ok(());
        }
        self.held[index].hash = node.register_hash();
        self.note_own(host, register);
        self.check_members(index, register)?;
        self.check_ended(index, register)
    }

    /// A subject is the one that can say what it signed.
    fn note_own(&mut self, host: &Host, register: &Register) {
        if let Some(own) = register.member(host.hash()) {
            let key = (host.hash(), own.fields.incarnation);
            let known = self.signed.entry(key).or_default();
            if !known.contains(&own.signed.payload.0) {
                known.push(own.signed.payload.0.clone());
            }
        }
    }

    fn check_members(&mut self, index: usize, register: &Register) -> Checked {
        if register.member_count() > self.capacity {
            return Err(format!("{} members", register.member_count()));
        }
        let held = &mut self.held[index];
        for (hash, record) in register.members() {
            let (id, new) = (record.fields.id, record.fields.incarnation);
            if held.incarnations.get(hash) == Some(&new) {
                continue;
            }
            if !self.genuine.contains_key(hash) {
                return Err(format!(
                    "{id} is a member without ever having held the license"
                ));
            }
            let signed = self.signed.get(&(*hash, new));
            if !signed.is_some_and(|known| known.contains(&record.signed.payload.0)) {
                return Err(format!("{id} never signed the record of incarnation {new}"));
            }
            match held.incarnations.insert(*hash, new) {
                Some(old) if old > new => {
                    return Err(format!("{id} went from incarnation {old} back to {new}"));
                }
                _ => {}
            }
        }
        // Nobody but its own end takes a member out of the register: silence never does.
        let gone =
            |hash: &&KeyHash| register.member(**hash).is_none() && register.ended(**hash).is_none();
        match held.incarnations.keys().find(gone) {
            Some(hash) => Err(format!("{hash:?} was a member and is forgotten")),
            None => Ok(()),
        }
    }

    fn check_ended(&mut self, index: usize, register: &Register) -> Checked {
        let held = &mut self.held[index];
        for announcement in register.ended_all() {
            let hash = announcement.subject();
            if !self.departed.contains(&hash) {
                return Err(format!("{hash:?} is ended and never left"));
            }
            held.ended.insert(hash);
        }
        for hash in &held.ended {
            if register.ended(*hash).is_none() {
                return Err(format!("the tombstone of {hash:?} is gone"));
            }
            if register.member(*hash).is_some() {
                return Err(format!("{hash:?} was ended here and is a member again"));
            }
        }
        Ok(())
    }

    /// A rogue is alone for ever.
    fn check_rogue(&self, host: &Host, register: &Register) -> Checked {
        match register.members().find(|(hash, _)| **hash != host.hash()) {
            Some((hash, _)) => Err(format!("a rogue took {hash:?} into its register")),
            None => Ok(()),
        }
    }
}

/// Whether all that are to be equal have the same hash: the cheap half of `converged`.
pub fn agree(world: &World) -> bool {
    let live = world.hosts[..world.members].iter().filter(|h| !h.departed);
    let mut hashes = live.map(|h| h.node.as_ref().and_then(|n| n.register_hash()));
    let first = hashes.next().flatten();
    first.is_some() && hashes.all(|hash| hash == first)
}

/// What holds once everything is up and has had its time. The first thing that does not.
pub fn converged(world: &World) -> Checked {
    let live: Vec<usize> = (0..world.members)
        .filter(|i| !world.hosts[*i].departed)
        .collect();
    let expected: BTreeSet<KeyHash> = live.iter().map(|i| world.hosts[*i].hash()).collect();
    let mut hashes = BTreeSet::new();
    for index in &live {
        let host = &world.hosts[*index];
        let node = host.node.as_ref().ok_or(format!("host {index} is down"))?;
        let register = node
            .register()
            .ok_or(format!("host {index} has no license"))?;
        let members: BTreeSet<KeyHash> = register.members().map(|(hash, _)| *hash).collect();
        if members != expected {
            let lacking = expected.difference(&members).count();
            let extra = members.difference(&expected).count();
            return Err(format!(
                "host {index} lacks {lacking} members and has {extra} departed ones"
            ));
        }
        for (i, gone) in world.hosts[..world.members].iter().enumerate() {
            if gone.departed && !gone.unknown && register.ended(gone.hash()).is_none() {
                return Err(format!("host {index} has no tombstone of host {i}"));
            }
        }
        for peer in node.peers().map_err(|e| e.to_string())? {
            if peer.status != "alive" {
                let of = world.hosts.iter().position(|h| h.id.to_string() == peer.id);
                return Err(format!(
                    "host {index} calls host {} {}, at {}, where it is at {}",
                    of.unwrap_or_default(),
                    peer.status,
                    peer.address,
                    of.map_or(String::new(), |i| world.hosts[i].address().to_string())
                ));
            }
        }
        hashes.insert(node.register_hash());
    }
    match hashes.len() {
        0 | 1 => Ok(()),
        n => Err(format!("{n} different registers with the same members")),
    }
}

/// Whoever left was heard by everyone: nothing is owed any more, but to members that moved away from
/// the address that the departed one knew.
pub fn delivered(world: &World) -> Checked {
    let moved = world.hosts.iter().filter(|h| h.moved).count();
    for (i, host) in world.hosts.iter().enumerate().filter(|(_, h)| h.departed) {
        let owed = host
            .node
            .as_ref()
            .map_or(0, |n| n.pending_acknowledgements());
        if owed > moved {
            return Err(format!(
                "host {i} left, and {owed} members have not acknowledged it"
            ));
        }
    }
    Ok(())
}

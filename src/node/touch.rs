//! Contact with the cluster, and what its loss means for services: a deletion is remembered for 90
//! days, so an agent that was away for longer takes the others' services instead of offering its own.

use super::{Life, Node};
use crate::core::admission::MAX_DELETIONS;
use crate::core::register::{EntryKey, Item, Register, VERSION_BYTES};
use crate::core::schedule::Now;
use crate::domain::service::forgotten_at;
use crate::domain::{Error, Result, ServiceId};
use crate::wire::peer::Touch;
use std::collections::{BTreeMap, BTreeSet};

/// How often contact and deletions are looked at. A deletion that is over when it comes, of an agent
/// whose clock is behind, has that long to reach all.
const LOOK_MS: u64 = 60_000;

/// A wall clock that goes otherwise than the monotonic one by this much was set.
const SET_MS: u64 = 60 * 60_000;

/// What another agent holds, in the buckets that differ.
pub(super) struct Summary {
    pub buckets: BTreeSet<u8>,
    pub rows: BTreeMap<EntryKey, [u8; VERSION_BYTES]>,
    pub hash: [u8; 32],
    pub touch: Touch,
    /// There are more buckets that differ.
    pub more: bool,
}

impl Node {
    /// Once a minute: notes that there is contact, and forgets deletions whose time is over.
    pub(super) fn keep_touch(&mut self, now: Now) -> Result<()> {
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        let before = *life.looked.get_or_insert(now);
        if life.deactivated || now.mono_ms - before.mono_ms < LOOK_MS {
            return Ok(());
        }
        life.looked = Some(now);
        life.pace.tidy(now.mono_ms);
        if was_set(before, now) {
            // By another clock other deletions are over: what was not taken may be taken now.
            life.gossip.try_all_again();
        }
        if life.contact.is_due(now) {
            self.forget(&[], true, now)?;
        }
        let over = self.life()?.deletions_over(now);
        match over.is_empty() {
            true => Ok(()),
            false => self.forget(&over, false, now),
        }
    }

    /// An agent that was away gives up what one that was not does not hold, and takes the rest from it.
    pub(super) fn yield_services(&mut self, theirs: &Summary, now: Now) -> Result<()> {
        let life = self.life()?;
        let touch = life.contact.touch(now);
        if touch == Touch::Kept || theirs.touch != Touch::Kept {
            return Ok(());
        }
        let given_up = match touch {
            Touch::Lost => life.services_unlike(theirs),
            Touch::New | Touch::Kept => Vec::new(),
        };
        if !given_up.is_empty() {
            log::warn!(
                "this agent was away for over 90 days: {} services and deletions that the cluster does not hold are given up",
                given_up.len()
            );
        }
        self.forget(&given_up, !theirs.more, now)
    }

    /// Takes services out of store and register, and notes the contact where it is one.
    fn forget(&mut self, services: &[ServiceId], settled: bool, now: Now) -> Result<()> {
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        self.store.write(|tx| {
            if settled {
                tx.set_last_contact(now.wall)?;
            }
            services.iter().try_for_each(|id| tx.forget_service(*id))
        })?;
        services.iter().for_each(|id| life.register.forget(*id));
        if settled {
            life.contact.settle(now);
        }
        self.publish();
        Ok(())
    }
}

impl Life {
    /// The deletions that are over. While nobody can be told of them they stay: whoever comes back
    /// learns them all the same.
    fn deletions_over(&self, now: Now) -> Vec<ServiceId> {
        let deletions = self.register.deletions();
        let over = deletions
            .iter()
            .take_while(|(at, _)| forgotten_at(*at) <= now.wall);
        let alone = self.register.member_count() == 1;
        let told = alone || (self.contact.touch(now) == Touch::Kept && self.contact.is_recent(now));
        let most = match told {
            true => deletions.len(),
            false => deletions.len().saturating_sub(MAX_DELETIONS),
        };
        over.take(most).map(|(_, id)| *id).collect()
    }

    /// What this agent holds otherwise than that one, deletions included.
    fn services_unlike(&self, theirs: &Summary) -> Vec<ServiceId> {
        let held = theirs.buckets.iter().flat_map(|b| self.register.bucket(*b));
        let unlike = |(key, version): (EntryKey, [u8; VERSION_BYTES])| match key {
            EntryKey::Service(id) if theirs.rows.get(&key) != Some(&version) => Some(id),
            _ => None,
        };
        held.filter_map(unlike).collect()
    }

    /// Whether an entry of another agent is wanted: not the services of one that was away.
    pub(super) fn wants(&self, key: EntryKey, theirs: Touch, now: Now) -> bool {
        let stale = theirs == Touch::Lost && self.contact.touch(now) == Touch::Kept;
        !(stale && matches!(key, EntryKey::Service(_)))
    }
}

/// Whether the wall clock was set in between.
fn was_set(before: Now, now: Now) -> bool {
    let passed = now.wall.0.abs_diff(before.wall.0);
    passed.abs_diff(now.mono_ms - before.mono_ms) > SET_MS
}

/// A deletion that everybody forgets, of a service that is not here: taken, it would travel for ever
/// between those whose clocks differ. One that is here is deleted, whoever's clock is right.
pub(super) fn is_forgotten(register: &Register, item: &Item, now: Now) -> bool {
    match item {
        Item::Service(record) => {
            let deleted_at = record.fields.deleted_at;
            deleted_at.is_some_and(|at| forgotten_at(at) <= now.wall)
                && register.service(record.fields.id).is_none()
        }
        Item::Peer(_) | Item::Announcement(_) => false,
    }
}

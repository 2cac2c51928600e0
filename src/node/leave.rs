//! Leaving: `remove-self` is one transaction; what follows is delivery until everyone knows.

use super::calls::Purpose;
use super::{Life, Node};
use crate::core::gossip::Gossip;
use crate::core::liveness::{Liveness, Status};
use crate::core::pace::Pace;
use crate::core::register::{Change, Item};
use crate::core::schedule::Now;
use crate::domain::announcement::AnnouncementFields;
use crate::domain::{Announcement, Error, KeyHash, Name, Result};
use crate::store::OutboxRow;
use crate::wire::peer::{Body, VERSION};

/// How long a member is offered the deactivation.
const GIVE_UP_DAYS: i64 = 30;
const FIRST_RETRY_MS: u64 = 1000;
const LAST_RETRY_MS: u64 = 60_000;
/// Where the retries of a member begin that was unreachable already: those that answer come first.
const UNREACHABLE_RETRY_MS: u64 = 4000;
/// Deliveries under way at once.
const AT_ONCE: usize = 16;

/// One addressee that has not acknowledged yet.
pub(super) struct Delivery {
    row: OutboxRow,
    due_ms: u64,
    wait_ms: u64,
    in_flight: bool,
}

impl Node {
    /// The point of no return: deactivated, incarnation raised, deactivation signed, a row for each
    /// member. Gives the number of members that are to acknowledge.
    pub fn remove_self(&mut self, force: bool, now: Now) -> Result<usize> {
        self.active()?;
        if !force {
            self.check_single()?;
        }
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        let incarnation = life.incarnation + 1;
        let announcement = life.deactivation(incarnation);
        let change = Change::Put(Item::Announcement(announcement));
        let owed = life.addressees(now);
        let waits: Vec<u64> = owed.iter().map(|row| life.first_wait(row)).collect();
        self.store.write(|tx| {
            tx.set_incarnation(incarnation, life.address.as_ref())?;
            tx.set_deactivated()?;
            tx.put(&change, &life.name, now.wall)?;
            owed.iter().try_for_each(|row| tx.put_outbox(row))
        })?;
        life.incarnation = incarnation;
        life.register.apply(&change);
        life.deactivate();
        let count = owed.len();
        for (row, wait_ms) in owed.into_iter().zip(waits) {
            life.owe(row, wait_ms, now);
        }
        self.publish();
        self.deliver(now)?;
        Ok(count)
    }

    /// Members that have not acknowledged this agent's deactivation yet.
    pub fn pending_acknowledgements(&self) -> usize {
        self.life.as_ref().map_or(0, |life| life.outbox.len())
    }

    /// Sends the deactivation to everyone whose turn it is.
    pub(super) fn deliver(&mut self, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let Some(announcement) = life.register.ended(life.hash()).cloned() else {
            return Ok(());
        };
        // A clock that was set forward by years is no reason to give up what was never offered: each
        // start offers for a while before it looks at the date.
        let expired = |d: &&Delivery| {
            d.wait_ms >= LAST_RETRY_MS && d.row.created_at.plus_days(GIVE_UP_DAYS) <= now.wall
        };
        let stale: Vec<KeyHash> = life
            .outbox
            .values()
            .filter(expired)
            .map(|d| d.row.peer_id.hash())
            .collect();
        let given_up: Vec<Result<()>> = stale
            .into_iter()
            .map(|hash| self.acknowledged(hash))
            .collect();
        for row in self.due_deliveries(now) {
            let items = vec![announcement.signed.clone()];
            let hash = row.peer_id.hash();
            let sent = self.post(
                row.peer_id,
                row.key,
                row.address,
                Body::Beat { items },
                Purpose::Deliver,
                now,
            );
            if let (false, Some(life)) = (sent, &mut self.life) {
                life.delivery_failed(hash, now);
            }
        }
        given_up.into_iter().collect()
    }

    /// The addressees whose turn it is, as many as there is room for. Those that failed least come
    /// first, so that members that hang do not stand before those that answer.
    fn due_deliveries(&mut self, now: Now) -> Vec<OutboxRow> {
        let Some(life) = &mut self.life else {
            return Vec::new();
        };
        let busy = life.deliveries_under_way();
        let mut due: Vec<&mut Delivery> = life
            .outbox
            .values_mut()
            .filter(|d| !d.in_flight && d.due_ms <= now.mono_ms)
            .collect();
        due.sort_by_key(|d| d.wait_ms);
        due.truncate(AT_ONCE.saturating_sub(busy));
        due.into_iter()
            .map(|delivery| {
                delivery.in_flight = true;
                delivery.row.clone()
            })
            .collect()
    }

    /// A member knows, or is gone itself, or was offered it for long enough.
    pub(super) fn acknowledged(&mut self, hash: KeyHash) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        if life.outbox.contains_key(&hash) {
            self.store.write(|tx| tx.take_outbox(hash))?;
            life.outbox.remove(&hash);
        }
        Ok(())
    }
}

impl Life {
    fn deactivation(&self, incarnation: u64) -> Announcement {
        let fields = AnnouncementFields {
            v: VERSION,
            subject: self.id,
            subject_key: self.key.public(),
            license_id: self.license().terms.license_id,
            incarnation,
        };
        Announcement::seal(fields, &self.key, &self.issues)
    }

    /// One row for each other member of the register, hidden ones included.
    fn addressees(&self, now: Now) -> Vec<OutboxRow> {
        let own = self.hash();
        self.register
            .members()
            .filter(|(hash, _)| **hash != own)
            .filter_map(|(_, record)| {
                Some(OutboxRow {
                    peer_id: record.fields.id,
                    key: record.fields.key,
                    address: record.fields.address.clone()?,
                    created_at: now.wall,
                })
            })
            .collect()
    }

    fn first_wait(&self, row: &OutboxRow) -> u64 {
        match self.liveness.status(row.peer_id.hash()) {
            Some((Status::Unreachable, _)) => UNREACHABLE_RETRY_MS,
            _ => FIRST_RETRY_MS,
        }
    }

    /// What an earlier start left to deliver.
    pub(super) fn still_owe(&mut self, row: OutboxRow, now: Now) {
        self.owe(row, FIRST_RETRY_MS, now);
    }

    fn owe(&mut self, row: OutboxRow, wait_ms: u64, now: Now) {
        let delivery = Delivery {
            due_ms: now.mono_ms,
            wait_ms,
            in_flight: false,
            row,
        };
        self.outbox.insert(delivery.row.peer_id.hash(), delivery);
    }

    /// An ended agent probes nobody and passes nothing on; it only delivers.
    pub(super) fn deactivate(&mut self) {
        self.deactivated = true;
        self.liveness = Liveness::default();
        self.gossip = Gossip::default();
        self.pace = Pace::default();
        self.view.departed.insert(self.hash(), self.name.clone());
    }

    pub(super) fn delivery_failed(&mut self, hash: KeyHash, now: Now) {
        if let Some(delivery) = self.outbox.get_mut(&hash) {
            delivery.in_flight = false;
            delivery.due_ms = now.mono_ms + delivery.wait_ms;
            delivery.wait_ms = (delivery.wait_ms * 2).min(LAST_RETRY_MS);
        }
    }

    /// When the next one can go: with every place taken, only the end of one that is under way tells.
    pub(super) fn next_delivery(&self) -> Option<u64> {
        let waiting = self.outbox.values().filter(|d| !d.in_flight);
        let next = waiting.map(|d| d.due_ms).min();
        next.filter(|_| self.deliveries_under_way() < AT_ONCE)
    }

    fn deliveries_under_way(&self) -> usize {
        self.outbox.values().filter(|d| d.in_flight).count()
    }

    /// The name that this agent knows a peer by, or last knew it by.
    pub(super) fn name_of(&self, hash: KeyHash) -> Name {
        if hash == self.hash() && !self.view.names.contains_key(&hash) {
            return self.name.clone();
        }
        let own_word = self.view.names.get(&hash).cloned();
        let kept = || {
            self.view
                .departed
                .get(&hash)
                .or(self.view.hidden.get(&hash))
                .cloned()
        };
        let suggested = || self.register.member(hash).map(|r| r.fields.name.clone());
        own_word
            .or_else(kept)
            .or_else(suggested)
            .unwrap_or_default()
    }

    /// For the log: the id, and the name with everything escaped that could forge a line.
    pub(super) fn label(&self, hash: KeyHash) -> String {
        let id = self
            .register
            .id_of(hash)
            .map_or_else(String::new, |id| id.to_string());
        match self.name_of(hash) {
            name if name.is_none() => id,
            name => format!("{id} ({})", name.as_str().escape_debug()),
        }
    }
}

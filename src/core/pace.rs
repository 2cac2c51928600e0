//! How fast what is stored may change: flash wears out, and everybody stores what one signs. What
//! comes faster waits, and of several the newest.

use super::register::{Change, EntryKey, Item, Register, VERSION_BYTES};
use super::schedule::TokenBucket;
use crate::domain::KeyHash;
use std::collections::BTreeMap;

/// Changes of one identity or one service: so many a second, so many at once.
const ENTRY_A_SECOND: u64 = 1;
const ENTRY_AT_ONCE: u64 = 8;
/// Changes of services by one editor.
const EDITOR_A_SECOND: u64 = 20;
/// What waits is looked through at most once in this time, so that it is written together.
const PASS_MS: u64 = 1000;
/// Entries of which something waits, at most. What finds no room, the digest repairs.
const MAX_WAITING: usize = 2048;

/// What may change, and what waits until it may: one a stored entry. An entry that is new is bounded
/// by the capacity of the register and never waits.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    entries: BTreeMap<EntryKey, TokenBucket>,
    editors: BTreeMap<KeyHash, TokenBucket>,
    waiting: BTreeMap<EntryKey, Item>,
    passed_ms: u64,
}

impl Pace {
    /// A claim together with what waits under its key: whichever stands.
    pub fn join(&mut self, item: Item) -> Item {
        match self.waiting.remove(&item.key()) {
            Some(waits) => newer(waits, item),
            None => item,
        }
    }

    /// Whether this claim may change the register now; then that counts.
    pub fn may_change(&mut self, register: &Register, item: &Item, now_ms: u64) -> bool {
        !register.contains(item.key()) || self.take(item, now_ms)
    }

    /// The claim is good, and comes too fast.
    pub fn wait(&mut self, item: Item) {
        if self.waiting.len() < MAX_WAITING || self.waiting.contains_key(&item.key()) {
            let item = self.join(item);
            self.waiting.insert(item.key(), item);
        }
    }

    /// What waits under this key, and does so no longer.
    pub fn claim(&mut self, key: EntryKey) -> Option<Item> {
        self.waiting.remove(&key)
    }

    /// The version of what waits under this key.
    pub fn version(&self, key: EntryKey) -> Option<[u8; VERSION_BYTES]> {
        self.waiting.get(&key).map(Item::version)
    }

    /// What has waited for long enough.
    pub fn due(&mut self, now_ms: u64) -> Vec<Item> {
        if self.next_deadline().is_none_or(|at_ms| at_ms > now_ms) {
            return Vec::new();
        }
        self.passed_ms = now_ms;
        let waiting = std::mem::take(&mut self.waiting);
        let (due, rest) = waiting
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, item)| self.take(item, now_ms));
        self.waiting = rest;
        due.into_values().collect()
    }

    pub fn next_deadline(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then_some(self.passed_ms + PASS_MS)
    }

    /// What was quiet for long is as if it had never been seen.
    pub fn tidy(&mut self, now_ms: u64) {
        self.entries.retain(|_, bucket| !bucket.is_full(now_ms));
        self.editors.retain(|_, bucket| !bucket.is_full(now_ms));
    }

    /// One change of the entry, and of its editor where it is a service: both, or neither.
    fn take(&mut self, item: &Item, now_ms: u64) -> bool {
        let fresh = || TokenBucket::new(ENTRY_AT_ONCE, ENTRY_A_SECOND);
        let entry = self.entries.entry(item.key()).or_insert_with(fresh);
        let Item::Service(record) = item else {
            return entry.take(now_ms);
        };
        let fresh = || TokenBucket::new(EDITOR_A_SECOND, EDITOR_A_SECOND);
        let editor = record.signed.key.hash();
        let editor = self.editors.entry(editor).or_insert_with(fresh);
        entry.ready_at(now_ms) <= now_ms && editor.take(now_ms) && entry.take(now_ms)
    }
}

/// Whichever of two claims under one key the merge would leave.
fn newer(a: Item, b: Item) -> Item {
    let mut only = Register::default();
    only.apply(&Change::Put(a.clone()));
    match only.consider(&b) {
        Some(Change::Put(item) | Change::Tags(item)) => item,
        None => a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::ServiceFields;
    use crate::domain::{Name, PeerId, SecretKey, ServiceId, ServiceRecord, Timestamp, Transport};

    fn by(editor: u8) -> ServiceRecord {
        let key = SecretKey::from_seed(&[editor; 32]);
        let id = PeerId::derive(&key.public(), 1);
        let fields = ServiceFields {
            v: 1,
            id: ServiceId::from_parts(0, [0; 10]),
            source: id,
            target: id,
            transport: Transport::Tcp,
            name: Name::none(),
            created_at: Timestamp(0),
            version: 1,
            deleted_at: None,
            editor: id,
            editor_key: key.public(),
        };
        ServiceRecord::seal(fields, &key, &[])
    }

    /// Another service at another version; whether its signature is good does not matter here.
    fn edit(of: &ServiceRecord, service: u64, version: u64) -> Item {
        let mut record = of.clone();
        record.fields.id = ServiceId::from_parts(service, [0; 10]);
        record.fields.version = version;
        Item::Service(record)
    }

    /// How many changes of this service may be made now.
    fn leave(pace: &mut Pace, of: &ServiceRecord, service: u64, now_ms: u64) -> usize {
        let item = edit(of, service, 1);
        (0..100).take_while(|_| pace.take(&item, now_ms)).count()
    }

    #[test]
    fn a_service_and_its_editor_have_a_rate_each() {
        let (alice, bob, mut pace) = (by(1), by(2), Pace::default());
        assert_eq!(leave(&mut pace, &alice, 1, 0), 8);
        assert_eq!(leave(&mut pace, &bob, 1, 0), 0, "whoever edits it");
        assert_eq!(leave(&mut pace, &alice, 2, 0), 8);
        assert_eq!(leave(&mut pace, &alice, 3, 0), 4, "20 of one editor");
        assert_eq!(leave(&mut pace, &bob, 4, 0), 8);
        // Refused for its editor's sake, a service has lost nothing.
        assert_eq!(leave(&mut pace, &alice, 5, 0), 0);
        assert_eq!(leave(&mut pace, &bob, 5, 0), 8);
        assert_eq!(leave(&mut pace, &alice, 1, 1000), 1);
    }

    #[test]
    fn what_waits_is_looked_through_together() {
        let (alice, mut pace) = (by(1), Pace::default());
        assert_eq!(leave(&mut pace, &alice, 1, 5000), 8);
        pace.wait(edit(&alice, 1, 3));
        pace.wait(edit(&alice, 1, 2));
        pace.wait(edit(&alice, 2, 1));
        let due = pace.due(5000);
        assert_eq!(due, [edit(&alice, 2, 1)]);
        assert_eq!(pace.next_deadline(), Some(6000));
        pace.wait(edit(&alice, 2, 2));
        assert!(pace.due(5999).is_empty());
        assert_eq!(pace.due(6000), [edit(&alice, 1, 3), edit(&alice, 2, 2)]);
        assert_eq!(pace.next_deadline(), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let (alice, mut pace) = (by(1), Pace::default());
        for service in 0..3000 {
            pace.wait(edit(&alice, service, 1));
        }
        pace.wait(edit(&alice, 7, 2));
        assert_eq!(pace.waiting.len(), MAX_WAITING);
        assert_eq!(
            pace.claim(edit(&alice, 7, 1).key()),
            Some(edit(&alice, 7, 2))
        );
    }

    #[test]
    fn who_was_quiet_is_forgotten() {
        let (alice, mut pace) = (by(1), Pace::default());
        leave(&mut pace, &alice, 1, 0);
        pace.tidy(7999);
        assert_eq!((pace.entries.len(), pace.editors.len()), (1, 0));
        pace.tidy(8000);
        assert!(pace.entries.is_empty());
    }
}

//! What to send to whom: news at once and to few, exchanges when two registers differ.
//!
//! Epidemic spread carries what is new; the exchange by digest and delta repairs whatever it missed.

use super::register::EntryKey;
use super::schedule::{Now, TokenBucket};
use crate::domain::KeyHash;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The author of news sends it to at most this many members itself.
pub const AUTHOR_FANOUT: usize = 64;
/// Whoever learns news passes it on to at most this many.
const RELAY_FANOUT: usize = 4;
/// News for one member waits together this long.
const GATHER_MS: u64 = 10;
/// Beyond this many waiting keys for one member an exchange is cheaper.
const MAX_PENDING: usize = 128;
pub const MESSAGES_A_SECOND: u64 = 200;
pub const EXCHANGES_A_SECOND: u64 = 4;

/// To how many others news is passed on. Where its author reaches every member itself, a relay only
/// covers a broken path, and one each is enough: the next beat compares the registers anyway.
pub fn relay_fanout(members: usize) -> usize {
    match members <= AUTHOR_FANOUT {
        true => 1,
        false => RELAY_FANOUT,
    }
}

#[derive(Debug, Clone)]
struct Pending {
    flush_at_ms: u64,
    keys: BTreeSet<EntryKey>,
}

/// Hashes of two registers that an exchange could not bring closer.
type Pair = ([u8; 32], [u8; 32]);

#[derive(Debug, Clone)]
pub struct Gossip {
    pending: BTreeMap<KeyHash, Pending>,
    wanted: VecDeque<KeyHash>,
    exchanging: BTreeSet<KeyHash>,
    /// With whom an exchange changed nothing, and at which pair of hashes.
    fruitless: BTreeMap<KeyHash, Pair>,
    messages: TokenBucket,
    exchanges: TokenBucket,
}

impl Default for Gossip {
    fn default() -> Self {
        Gossip {
            pending: BTreeMap::new(),
            wanted: VecDeque::new(),
            exchanging: BTreeSet::new(),
            fruitless: BTreeMap::new(),
            messages: TokenBucket::new(MESSAGES_A_SECOND, MESSAGES_A_SECOND),
            exchanges: TokenBucket::new(EXCHANGES_A_SECOND, EXCHANGES_A_SECOND),
        }
    }
}

impl Gossip {
    /// News for one member. It travels with what else waits for that member.
    pub fn tell(&mut self, member: KeyHash, key: EntryKey, now: Now) {
        let pending = self.pending.entry(member).or_insert(Pending {
            flush_at_ms: now.mono_ms + GATHER_MS,
            keys: BTreeSet::new(),
        });
        pending.keys.insert(key);
        if pending.keys.len() > MAX_PENDING {
            self.pending.remove(&member);
            self.want_exchange(member);
        }
    }

    /// What waits for a member travels with any message to it.
    pub fn take_news(&mut self, member: KeyHash) -> Vec<EntryKey> {
        let pending = self.pending.remove(&member);
        pending.map_or(Vec::new(), |p| p.keys.into_iter().collect())
    }

    /// The members whose news has waited long enough.
    pub fn due_news(&self, now: Now) -> Vec<KeyHash> {
        self.pending
            .iter()
            .filter(|(_, p)| p.flush_at_ms <= now.mono_ms)
            .map(|(hash, _)| *hash)
            .collect()
    }

    /// Leave to send one message now. What is not sent, the digest repairs.
    pub fn may_send(&mut self, now: Now) -> bool {
        self.messages.take(now.mono_ms)
    }

    /// A partner's hash as it came with a signed message.
    pub fn compare(&mut self, partner: KeyHash, ours: [u8; 32], theirs: [u8; 32]) {
        if ours != theirs && self.fruitless.get(&partner) != Some(&(ours, theirs)) {
            self.want_exchange(partner);
        }
    }

    pub fn want_exchange(&mut self, partner: KeyHash) {
        if !self.wanted.contains(&partner) && !self.exchanging.contains(&partner) {
            self.wanted.push_back(partner);
        }
    }

    /// An operator asks for it: also with partners where the last one changed nothing.
    pub fn want_fresh_exchange(&mut self, partner: KeyHash) {
        self.fruitless.remove(&partner);
        self.want_exchange(partner);
    }

    /// What could not be taken may be taken now.
    pub fn try_all_again(&mut self) {
        self.fruitless.clear();
    }

    /// The next partner to begin an exchange with, within the rate.
    pub fn next_exchange(&mut self, now: Now) -> Option<KeyHash> {
        if self.wanted.is_empty() || !self.exchanges.take(now.mono_ms) {
            return None;
        }
        let partner = self.wanted.pop_front()?;
        self.exchanging.insert(partner);
        Some(partner)
    }

    /// The exchange ended: the hashes when it began and now. One that moved something goes on until
    /// the hashes agree; one that moved nothing rests until either register changes.
    pub fn exchanged(&mut self, partner: KeyHash, before: Pair, after: Pair) {
        self.exchanging.remove(&partner);
        if after.0 == after.1 {
            self.fruitless.remove(&partner);
        } else if before == after {
            self.fruitless.insert(partner, after);
        } else {
            self.want_exchange(partner);
        }
    }

    /// The exchange broke off; the next beat will see the difference again.
    pub fn exchange_failed(&mut self, partner: KeyHash) {
        self.exchanging.remove(&partner);
    }

    pub fn forget(&mut self, member: KeyHash) {
        self.pending.remove(&member);
        self.wanted.retain(|m| *m != member);
        self.exchanging.remove(&member);
        self.fruitless.remove(&member);
    }

    pub fn next_deadline(&mut self, now: Now) -> Option<u64> {
        let news = self.pending.values().map(|p| p.flush_at_ms).min();
        let exchange = match self.wanted.is_empty() {
            true => None,
            false => Some(self.exchanges.ready_at(now.mono_ms)),
        };
        news.into_iter().chain(exchange).min()
    }
}

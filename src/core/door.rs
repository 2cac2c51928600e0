//! The door: what is judged of a message before the node sees it, and in which order: the cheap
//! before the dear, and what nobody signed before what a member may be charged for.
//!
//! address bucket, license MAC, number (read only), signature, the sender's own bucket; then the node
//! takes the message, and the window moves. Numbers are judged as in RFC 6479.

use super::register::Register;
use super::schedule::{AddressBuckets, TokenBucket};
use crate::domain::keys::Context;
use crate::domain::{IssueKey, KeyHash, PeerId, PublicKey, SecretKey, SignedKind};
use crate::wire::peer::{Answer, Answered, Frame, Head, Standing, VERSION};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// Unsigned refusals a second to one address.
const REFUSALS_A_SECOND: u64 = 10;
/// Repeated messages, bad signatures and first messages a second of one address, and at once: a whole
/// cluster may start anew behind one address.
const FAULTS_A_SECOND: u64 = 200;
const FAULTS_AT_ONCE: u64 = 400;
/// Verified messages a second of one member, and at once. It sends fewer: to all together it may send
/// as many as this.
const MESSAGES_A_SECOND: u64 = 200;
const MESSAGES_AT_ONCE: u64 = 400;
/// How far behind the highest number a message may be.
const WINDOW: u64 = 1024;
/// Answers that are kept for the messages that come again: so many a sender, so long each.
const KEPT: usize = 8;
const KEPT_BYTES: usize = 1024;
/// How long a member that was refused stays in the list of them.
const LISTED_MS: u64 = 60_000;

/// What the door knows of this agent: its face to others. No `Debug`.
pub struct Facts {
    pub id: PeerId,
    pub key: SecretKey,
    pub start: u64,
    pub hash: [u8; 32],
    /// Each issue of the license that is held, whatever its dates.
    pub issues: Vec<IssueKey>,
}

/// Where a frame stands after what is cheap was looked at.
pub enum Look {
    /// Its signature is to be verified, then `charge`.
    Verify,
    /// The answer of an earlier time, or one that says that there was one.
    Again(Arc<[u8]>),
    /// Seen before, and its answer was not kept: to be told so, signed.
    Repeated,
    /// No MAC of the license: unsigned. Its own deactivation is read all the same.
    NoLicense,
    TooMany,
}

/// Whether a verified message is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    New,
    Seen,
    /// Another start than that of the stored record.
    OtherStart,
}

/// Judges what comes from other agents. A copy of what the node has committed, behind the one lock that
/// connection threads share with the pulse.
pub struct Door {
    facts: Option<Arc<Facts>>,
    senders: BTreeMap<KeyHash, Sender>,
    refusals: AddressBuckets,
    faults: AddressBuckets,
    closed: bool,
    /// Messages that were not read, since the start.
    refused: u64,
}

impl Default for Door {
    fn default() -> Door {
        Door {
            facts: None,
            senders: BTreeMap::new(),
            refusals: AddressBuckets::new(REFUSALS_A_SECOND, REFUSALS_A_SECOND),
            faults: AddressBuckets::new(FAULTS_AT_ONCE, FAULTS_A_SECOND),
            closed: false,
            refused: 0,
        }
    }
}

/// A member as the door knows it.
struct Sender {
    key: PublicKey,
    start: u64,
    window: Window,
    kept: VecDeque<Kept>,
    bucket: TokenBucket,
    /// It came without the license until then.
    refused_until_ms: u64,
}

struct Kept {
    number: u64,
    nonce: [u8; 32],
    answer: Arc<[u8]>,
}

impl Door {
    /// Takes over what the node has committed.
    pub fn sync(&mut self, facts: Facts, register: &Register) {
        let own = facts.id.hash();
        self.facts = Some(Arc::new(facts));
        self.senders
            .retain(|hash, _| register.member(*hash).is_some());
        for (hash, record) in register.members().filter(|(hash, _)| **hash != own) {
            let (key, start) = (record.fields.key, record.fields.start);
            let known = self.senders.get(hash);
            if !known.is_some_and(|s| s.key == key && s.start == start) {
                self.senders.insert(*hash, Sender::new(key, start));
            }
        }
    }

    /// Nothing is answered any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn facts(&self) -> Option<Arc<Facts>> {
        self.facts.clone()
    }

    /// Whether this is a member's key: only then a long message is read at all.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.senders
            .get(&key.hash())
            .is_some_and(|sender| sender.key == *key)
    }

    /// Whether anything of this address is looked at now.
    pub fn hears(&mut self, from: IpAddr, now_ms: u64) -> bool {
        self.faults.has(from, now_ms)
    }

    /// Judges by the head of a message whose MAC was checked: nothing is charged to a sender yet.
    pub fn look(&mut self, key: &PublicKey, head: &Head, from: IpAddr, now_ms: u64) -> Look {
        let known = self.senders.get(&key.hash()).filter(|s| s.key == *key);
        let Some(sender) = known.filter(|sender| sender.start == head.start) else {
            // A newcomer, or another start: costs a signature that nobody can be charged for.
            return self.fault(from, now_ms, Look::Verify);
        };
        if !sender.window.has(head.number) {
            return Look::Verify;
        }
        let again = sender.answer_to(head.number, &head.nonce);
        let look = again.map_or(Look::Repeated, Look::Again);
        self.fault(from, now_ms, look)
    }

    /// A frame without a MAC of the license, within the bucket of unsigned answers.
    pub fn refuse(&mut self, from: IpAddr, now_ms: u64) -> Look {
        self.refused += 1;
        match self.refusals.take(from, now_ms) {
            true => Look::NoLicense,
            // Beyond the rate it costs what a forged message costs: soon nothing is looked at.
            false => {
                self.faults.take(from, now_ms);
                Look::TooMany
            }
        }
    }

    fn fault(&mut self, from: IpAddr, now_ms: u64, look: Look) -> Look {
        match self.faults.take(from, now_ms) {
            true => look,
            false => Look::TooMany,
        }
    }

    /// Messages that got an unsigned answer or none, since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A signature that did not verify is charged to where it came from.
    pub fn forged(&mut self, from: IpAddr, now_ms: u64) {
        self.faults.take(from, now_ms);
    }

    /// Charges a verified message to its sender; false when it has used up its rate.
    pub fn charge(&mut self, key: &PublicKey, start: u64, now_ms: u64) -> bool {
        match self.senders.get_mut(&key.hash()) {
            Some(sender) if sender.start == start => {
                sender.refused_until_ms = 0;
                sender.bucket.take(now_ms)
            }
            _ => true,
        }
    }

    /// The node reads a verified message: the window moves.
    pub fn enter(&mut self, hash: KeyHash, start: u64, number: u64) -> Entered {
        match self.senders.get_mut(&hash) {
            Some(sender) if sender.start == start => match sender.window.mark(number) {
                true => Entered::New,
                false => Entered::Seen,
            },
            _ => Entered::OtherStart,
        }
    }

    /// The answer to a message, for when it comes again.
    pub fn keep(&mut self, hash: KeyHash, head: (u64, u64, [u8; 32]), answer: &[u8]) {
        let (start, number, nonce) = head;
        let sender = self.senders.get_mut(&hash).filter(|s| s.start == start);
        let Some(sender) = sender.filter(|_| answer.len() <= KEPT_BYTES) else {
            return;
        };
        if sender.kept.len() >= KEPT {
            sender.kept.pop_front();
        }
        sender.kept.push_back(Kept {
            number,
            nonce,
            answer: answer.into(),
        });
    }

    /// A member has signed something without the license: people are told whom this agent shuts out.
    pub fn shut_out(&mut self, hash: KeyHash, now_ms: u64) {
        if let Some(sender) = self.senders.get_mut(&hash) {
            sender.refused_until_ms = now_ms + LISTED_MS;
        }
    }

    /// The members that came without the license lately.
    pub fn refuses(&self, now_ms: u64) -> Vec<KeyHash> {
        let refused = |(_, s): &(&KeyHash, &Sender)| s.refused_until_ms > now_ms;
        self.senders
            .iter()
            .filter(refused)
            .map(|(h, _)| *h)
            .collect()
    }
}

impl Sender {
    fn new(key: PublicKey, start: u64) -> Sender {
        Sender {
            key,
            start,
            window: Window::default(),
            kept: VecDeque::new(),
            bucket: TokenBucket::new(MESSAGES_AT_ONCE, MESSAGES_A_SECOND),
            refused_until_ms: 0,
        }
    }

    fn answer_to(&self, number: u64, nonce: &[u8; 32]) -> Option<Arc<[u8]>> {
        let same = |kept: &&Kept| kept.number == number && kept.nonce == *nonce;
        self.kept.iter().find(same).map(|kept| kept.answer.clone())
    }
}

impl Facts {
    /// A signed answer over the nonce of a message that is not read.
    pub fn answer_unread(&self, head: &Head, body: Answered) -> Frame {
        let answer = Answer {
            v: VERSION,
            from: self.id,
            to: head.from,
            nonce: head.nonce,
            start: self.start,
            hash: self.hash,
            standing: Standing::Member,
            ended: Vec::new(),
            body,
        };
        Frame::seal(Context::Answer, &answer, &self.key, &self.issues)
    }

    /// Whether a message is for this agent, from whom its frame says, in this version.
    pub fn meant(&self, key: &PublicKey, head: &Head) -> bool {
        head.v == VERSION && head.from.matches(key) && head.to == self.id
    }
}

/// A key's own deactivation, which is read from anybody.
pub fn own_end(frame: &Frame) -> Option<&crate::domain::Signed> {
    let own = |r: &&crate::domain::Signed| r.key == frame.key && r.kind == SignedKind::Announcement;
    frame.record.as_ref().filter(own)
}

/// The numbers that were read, as far back as `WINDOW` below the highest (RFC 6479: words of bits in a
/// ring, one more than the window needs, so that moving on clears whole words).
#[derive(Clone)]
struct Window {
    highest: u64,
    words: [u64; WORDS],
}

const WORD_BITS: u64 = 64;
const WORDS: usize = (WINDOW / WORD_BITS) as usize + 1;

impl Default for Window {
    fn default() -> Window {
        Window {
            highest: 0,
            words: [0; WORDS],
        }
    }
}

impl Window {
    /// Whether this number was read, or is too old to tell. Counting begins at 1.
    fn has(&self, number: u64) -> bool {
        if number > self.highest {
            return false;
        }
        self.highest - number >= WINDOW || self.words[word_of(number)] & bit_of(number) != 0
    }

    /// Marks a number as read; false if it was already.
    fn mark(&mut self, number: u64) -> bool {
        if number == 0 || self.has(number) {
            return false;
        }
        let (from, to) = (self.highest / WORD_BITS, number / WORD_BITS);
        for word in (from..to).take(WORDS) {
            self.words[word_of((word + 1) * WORD_BITS)] = 0;
        }
        self.highest = self.highest.max(number);
        self.words[word_of(number)] |= bit_of(number);
        true
    }
}

fn word_of(number: u64) -> usize {
    // Below WORDS, which is a small number.
    (number / WORD_BITS % WORDS as u64) as usize
}

fn bit_of(number: u64) -> u64 {
    1 << (number % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_read_once_and_old_ones_never() {
        let mut window = Window::default();
        assert!(!window.mark(0));
        for number in [1, 3, 2, 70, 65, 1024, 5] {
            assert!(window.mark(number) && !window.mark(number), "{number}");
        }
        assert!(window.mark(1025 + 5));
        for (number, old) in [(4, true), (6, true), (7, false), (1029, false)] {
            assert_eq!(window.has(number), old, "{number}");
        }
    }

    #[test]
    fn a_leap_forgets_what_it_leaves_behind_and_nothing_else() {
        let mut window = Window::default();
        (1..=200).for_each(|n| assert!(window.mark(n)));
        let far = 200 + 64 * 40;
        assert!(window.mark(far));
        for number in far - WINDOW + 1..far {
            assert!(!window.has(number), "{number}");
        }
        assert!(window.has(far - WINDOW) && window.has(200));
        assert!(window.mark(u64::MAX) && !window.mark(u64::MAX) && window.mark(u64::MAX - 1));
        assert!(window.has(far));
    }

    #[test]
    fn any_order_within_the_window_reads_each_once() {
        let mut window = Window::default();
        for block in 0..40u64 {
            let mut numbers: Vec<u64> = (block * 500 + 1..=(block + 1) * 500).collect();
            numbers.reverse();
            for n in &numbers {
                assert!(window.mark(*n), "{n}");
            }
            assert!(numbers.iter().all(|n| window.has(*n)));
        }
    }
}

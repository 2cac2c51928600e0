//! The door: what is taken from whom, and the signed answer.

use super::Node;
use super::merge::Reads;
use crate::core::admission;
use crate::core::register::{BUCKETS, EntryKey, KEY_BYTES, Register, VERSION_BYTES};
use crate::core::schedule::{Now, TokenBucket};
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{Error, KeyHash, PeerId, Result, Signed, SignedKind};
use crate::wire::peer::{self, Answer, Answered, Body, Frame, Message, Refusal, Standing, VERSION};
use std::net::IpAddr;

/// Unsigned refusals a second to one address, and how many addresses are remembered.
const REFUSALS_A_SECOND: u64 = 10;
const STRANGERS: usize = 1024;
/// The rows of one summary, in bytes before base64.
const MAX_SUMMARY: usize = 100 * 1024;

/// What goes back to the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A signed frame.
    Answer(Vec<u8>),
    /// Unsigned: HTTP 403.
    Stranger(Refusal),
    /// HTTP 429.
    TooMany,
}

/// Who sent a message, as far as this agent is concerned.
enum Sender {
    Member,
    /// Hidden from the view: only its own deactivation is read.
    Hidden,
    /// Departed for good: nothing is read.
    Ended,
    /// This agent's own key.
    Ourselves,
    /// Unknown here, and leaving: its own deactivation introduces it, and nothing else is read.
    Leaver,
}

/// Who knocks, before anything but a tag was checked.
enum Knock {
    Known(Sender),
    /// Unknown, with a record of its own whose tag is accepted: enters once its message is verified.
    Newcomer,
}

impl Node {
    /// One message of another agent, from this address.
    pub fn receive(&mut self, body: &[u8], from: IpAddr, now: Now) -> Result<Inbound> {
        self.life()?;
        self.receive_frame(peer::read(body)?, from, now)
    }

    /// The same, for a caller that has read the outer shape already.
    pub fn receive_frame(&mut self, frame: Frame, from: IpAddr, now: Now) -> Result<Inbound> {
        self.life()?;
        if self.leaving {
            // Whoever was told goodbye must not see an answer after it.
            return Err(Error::Overloaded);
        }
        self.counters.messages_received += 1;
        let Some(knock) = self.knock(&frame)? else {
            return Ok(self.stranger("the sender is not known here", from, now));
        };
        let Some(message) = self.open_message(&frame)? else {
            return Ok(self.stranger("the message is not for this agent", from, now));
        };
        let record = frame.record.filter(|r| r.key == frame.key);
        let sender = match knock {
            Knock::Known(sender) => sender,
            Knock::Newcomer => {
                let own = record.iter().cloned().collect();
                self.take_items(own, Some(frame.key.hash()), Reads::All, now)?;
                if !self.life()?.register.knows(&frame.key) {
                    return Ok(self.stranger("the sender is not known here", from, now));
                }
                Sender::Member
            }
        };
        self.answer(sender, message, record, now)
            .map(Inbound::Answer)
    }

    /// The message, if its sender signed it, and for this agent: what was meant for another changes
    /// nothing here, whoever brings it.
    fn open_message(&self, frame: &Frame) -> Result<Option<Message>> {
        let verified = frame
            .key
            .verify(Context::Message, &frame.payload.0, &frame.signature);
        let message: Option<Message> = verified
            .then(|| peer::read(&frame.payload.0).ok())
            .flatten();
        let id = self.life()?.id;
        let meant = |m: &Message| m.v == VERSION && m.from.matches(&frame.key) && m.to == id;
        Ok(message.filter(meant))
    }

    /// The sender's standing, or none for a stranger. The tag of an unknown sender is checked here,
    /// before any signature.
    fn knock(&self, frame: &Frame) -> Result<Option<Knock>> {
        let life = self.life()?;
        let hash = frame.key.hash();
        let known = |sender| Ok(Some(Knock::Known(sender)));
        if frame.key == life.key.public() {
            return known(Sender::Ourselves);
        }
        if life.register.ended(hash).is_some() {
            return known(Sender::Ended);
        }
        if life.register.knows(&frame.key) {
            return known(match life.view.hidden.contains_key(&hash) {
                true => Sender::Hidden,
                false => Sender::Member,
            });
        }
        let tagged = |record: &&Signed| record.key == frame.key && record.tagged_by(&life.issues);
        let Some(record) = frame.record.as_ref().filter(tagged) else {
            return Ok(None);
        };
        if record.kind == SignedKind::Announcement {
            return known(Sender::Leaver);
        }
        if life.deactivated {
            // It met this agent through a handshake that was under way when the agent left, so no
            // outbox has it: it is told like a member, and not admitted.
            return known(Sender::Member);
        }
        let room = admission::room(&life.register, EntryKey::Peer(hash), life.max_nodes()).is_ok();
        Ok(room.then_some(Knock::Newcomer))
    }

    fn stranger(&mut self, why: &str, from: IpAddr, now: Now) -> Inbound {
        self.counters.messages_refused += 1;
        if self.strangers.len() >= STRANGERS && !self.strangers.contains_key(&from) {
            self.strangers
                .retain(|_, bucket| !bucket.is_full(now.mono_ms));
        }
        if self.strangers.len() >= STRANGERS && !self.strangers.contains_key(&from) {
            return Inbound::TooMany;
        }
        let fresh = TokenBucket::new(REFUSALS_A_SECOND, REFUSALS_A_SECOND);
        match self
            .strangers
            .entry(from)
            .or_insert(fresh)
            .take(now.mono_ms)
        {
            true => Inbound::Stranger(Refusal {
                error: why.to_string(),
                code: Error::Forbidden(String::new())
                    .code()
                    .row()
                    .name
                    .to_string(),
            }),
            false => Inbound::TooMany,
        }
    }

    fn answer(
        &mut self,
        sender: Sender,
        message: Message,
        record: Option<Signed>,
        now: Now,
    ) -> Result<Vec<u8>> {
        let from = message.from.hash();
        let (standing, ended, body) = match sender {
            Sender::Ourselves => {
                if message.start != self.start {
                    self.note_double();
                }
                (Standing::Member, Vec::new(), ack(Vec::new()))
            }
            Sender::Ended => {
                let what = self.items(&[EntryKey::Ended(from)]);
                (Standing::Ended, vec![message.from], ack(what))
            }
            Sender::Hidden => {
                let ended = self.take_body(&message.body, from, Reads::OwnEnd, now)?;
                (Standing::DeletedHere, ended, ack(Vec::new()))
            }
            Sender::Leaver => {
                let ended = self.take_body(&message.body, from, Reads::OwnEnd, now)?;
                (Standing::Ended, ended, ack(Vec::new()))
            }
            Sender::Member if self.life()?.deactivated => {
                let ended = self.take_body(&message.body, from, Reads::Ends, now)?;
                let own = EntryKey::Ended(self.life()?.hash());
                (Standing::Deactivated, ended, ack(self.items(&[own])))
            }
            Sender::Member => {
                if let Some(record) = record {
                    self.take_items(vec![record], Some(from), Reads::All, now)?;
                }
                let ended = self.take_body(&message.body, from, Reads::All, now)?;
                if matches!(message.body, Body::Goodbye { .. }) {
                    self.note_parted(from, now)?;
                }
                (Standing::Member, ended, self.reply_to(&message, from))
            }
        };
        self.sign_answer(&message, standing, ended, body)
    }

    /// Takes the items of a message; gives the subjects whose end is final here now.
    fn take_body(
        &mut self,
        body: &Body,
        from: KeyHash,
        reads: Reads,
        now: Now,
    ) -> Result<Vec<PeerId>> {
        let items = match body {
            Body::Beat { items } | Body::Goodbye { items } | Body::Delta { items, .. } => {
                items.clone()
            }
            Body::Digest { .. } => Vec::new(),
        };
        Ok(self.take_items(items, Some(from), reads, now)?.ended)
    }

    fn reply_to(&mut self, message: &Message, from: KeyHash) -> Answered {
        let Some(life) = &mut self.life else {
            return ack(Vec::new());
        };
        match &message.body {
            Body::Beat { .. } => {
                let keys = life.gossip.take_news(from);
                ack(self.items(&keys))
            }
            Body::Goodbye { .. } => ack(Vec::new()),
            Body::Digest { buckets } => {
                let turn = usize::from(message.nonce[0]);
                summary(&life.register, &buckets.0, turn)
            }
            Body::Delta { want, .. } => {
                let keys: Vec<EntryKey> = want
                    .0
                    .chunks_exact(KEY_BYTES)
                    .filter_map(|k| EntryKey::from_bytes(k.first_chunk()?))
                    .collect();
                let items = self.items(&keys);
                Answered::Delta {
                    more: items.len() < keys.len(),
                    items,
                }
            }
        }
    }

    fn sign_answer(
        &mut self,
        message: &Message,
        standing: Standing,
        ended: Vec<PeerId>,
        body: Answered,
    ) -> Result<Vec<u8>> {
        let life = self.life()?;
        let answer = Answer {
            v: VERSION,
            from: life.id,
            to: message.from,
            nonce: message.nonce,
            start: self.start,
            hash: life.register.hash(),
            standing,
            ended,
            body,
        };
        let payload = peer::to_bytes(&answer);
        Ok(peer::to_bytes(&Frame {
            key: life.key.public(),
            signature: life.key.sign(Context::Answer, &payload),
            payload: Bytes(payload),
            record: None,
        }))
    }
}

fn ack(items: Vec<Signed>) -> Answered {
    Answered::Ack { items }
}

/// The rows of the buckets that differ, beginning at a random one, so that a bucket that cannot be
/// brought into agreement does not stand before the others for ever.
fn summary(register: &Register, theirs: &[u8], turn: usize) -> Answered {
    let ours = register.digest();
    let differs = |b: &usize| {
        let at = b * VERSION_BYTES..(b + 1) * VERSION_BYTES;
        theirs.get(at.clone()) != ours.get(at)
    };
    let mut buckets = Vec::new();
    let mut entries = Vec::new();
    let mut more = false;
    for bucket in (0..BUCKETS).map(|b| (b + turn) % BUCKETS).filter(differs) {
        if entries.len() >= MAX_SUMMARY {
            more = true;
            break;
        }
        // There are 256 buckets.
        let bucket = bucket as u8;
        buckets.push(bucket);
        for (key, version) in register.bucket(bucket) {
            entries.extend(key.to_bytes());
            entries.extend(version);
        }
    }
    Answered::Summary {
        buckets: Bytes(buckets),
        entries: Bytes(entries),
        more,
    }
}

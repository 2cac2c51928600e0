//! What another agent sent: what is taken from whom, and the signed answer.

use super::Node;
use super::entrance::{Admitted, Judged, Verdict};
use super::merge::Reads;
use crate::core::admission;
use crate::core::door::Entered;
use crate::core::register::{BUCKETS, EntryKey, KEY_BYTES, VERSION_BYTES};
use crate::core::schedule::Now;
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{Error, KeyHash, PeerId, Result, Signed, SignedKind};
use crate::wire::peer::{self, Answer, Answered, Body, Frame, Message, Refusal, Standing, VERSION};
use std::net::IpAddr;

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
    /// Unknown here, with a record of its own whose tag is accepted: that record is all that is read.
    Newcomer,
    /// Unknown here, and leaving: its own deactivation introduces it, and nothing else is read.
    Leaver,
    /// Met while this agent was leaving: it is told so, and not admitted.
    TooLate,
}

impl Node {
    /// One message of another agent, from this address.
    pub fn receive(&mut self, body: &[u8], from: IpAddr, now: Now) -> Result<Inbound> {
        self.life()?;
        let longest = self.entrance.longest(body);
        if body.len() > longest {
            return Err(Error::PayloadTooLarge(longest));
        }
        match self.entrance.judge(peer::read::<Frame>(body)?, from, now)? {
            Verdict::Done(inbound) => Ok(inbound),
            Verdict::Node(admitted) => self.admit(admitted, now),
        }
    }

    /// What the entrance has let through.
    pub fn admit(&mut self, admitted: Admitted, now: Now) -> Result<Inbound> {
        self.life()?;
        if self.leaving {
            // Whoever was told goodbye must not see an answer after it.
            return Err(Error::Overloaded);
        }
        self.counters.messages_received += 1;
        match admitted {
            Admitted::Message(judged) => self.take_message(*judged, now),
            Admitted::OwnEnd(end, refusal) => {
                let subject = end.key.hash();
                self.take_items(vec![*end], Some(subject), Reads::OwnEnd, now)?;
                Ok(Inbound::Stranger(refusal))
            }
        }
    }

    fn take_message(&mut self, judged: Judged, now: Now) -> Result<Inbound> {
        let Some(sender) = self.sender(&judged, now)? else {
            return Ok(self.stranger("the sender is not known here", judged.from, now));
        };
        let hash = judged.key.hash();
        let Judged {
            key,
            message,
            record,
            from,
        } = judged;
        let member = matches!(
            sender,
            Sender::Member | Sender::Newcomer | Sender::Ourselves
        );
        if matches!(sender, Sender::Ourselves) && message.start != self.start {
            self.met_ourselves(record.clone(), from, now);
        }
        if let Some(record) = record.filter(|_| member) {
            self.take_items(vec![record], Some(hash), Reads::All, now)?;
        }
        if matches!(sender, Sender::Newcomer) && !self.life()?.register.knows(&key) {
            return Ok(self.stranger("the sender is not known here", from, now));
        }
        let stored = self.life()?.register.member(hash).map(|r| &r.signed);
        let answer = match (self.entrance.enter(&message), stored) {
            (Entered::Seen, _) => self.unread(&message, Answered::Repeated)?,
            (Entered::OtherStart, Some(stored)) if matches!(sender, Sender::Member) => {
                let stored = Box::new(stored.clone());
                self.unread(&message, Answered::UnknownStart { stored })?
            }
            (Entered::OtherStart, _) => self.answer(sender, &message, now)?,
            (Entered::New, _) => {
                let answer = self.answer(sender, &message, now)?;
                self.entrance.keep(&message, &answer);
                answer
            }
        };
        Ok(Inbound::Answer(answer))
    }

    /// The sender's standing, or none for a stranger.
    fn sender(&self, judged: &Judged, now: Now) -> Result<Option<Sender>> {
        let life = self.life()?;
        let hash = judged.key.hash();
        if judged.key == life.key.public() {
            return Ok(Some(Sender::Ourselves));
        }
        if life.register.ended(hash).is_some() {
            return Ok(Some(Sender::Ended));
        }
        if life.register.knows(&judged.key) {
            return Ok(Some(match life.view.hidden.contains_key(&hash) {
                true => Sender::Hidden,
                false => Sender::Member,
            }));
        }
        let tagged = |record: &&Signed| record.tagged_by(life.admitting(now));
        let Some(record) = judged.record.as_ref().filter(tagged) else {
            return Ok(None);
        };
        if record.kind == SignedKind::Announcement {
            return Ok(Some(Sender::Leaver));
        }
        if life.deactivated {
            // It met this agent through a handshake that was under way when the agent left, so no
            // outbox has it: it is told like a member, and not admitted.
            return Ok(Some(Sender::TooLate));
        }
        Ok(life.has_place(hash, now).then_some(Sender::Newcomer))
    }

    fn stranger(&self, why: &str, from: IpAddr, now: Now) -> Inbound {
        match self.entrance.stranger(why, from, now.mono_ms) {
            Verdict::Done(inbound) => inbound,
            Verdict::Node(_) => Inbound::TooMany,
        }
    }

    fn answer(&mut self, sender: Sender, message: &Message, now: Now) -> Result<Vec<u8>> {
        let from = message.from.hash();
        let (standing, ended, body) = match sender {
            Sender::Ourselves | Sender::Newcomer => (Standing::Member, Vec::new(), ack(Vec::new())),
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
            Sender::Member | Sender::TooLate if self.life()?.deactivated => {
                let ended = self.take_body(&message.body, from, Reads::Ends, now)?;
                let own = EntryKey::Ended(self.life()?.hash());
                (Standing::Deactivated, ended, ack(self.items(&[own])))
            }
            Sender::Member | Sender::TooLate => {
                if let Some(life) = &mut self.life {
                    life.liveness.heard(from, now);
                }
                let ended = self.take_body(&message.body, from, Reads::All, now)?;
                if let Body::Goodbye { goodbye, .. } = &message.body {
                    self.note_goodbye(goodbye, now)?;
                }
                (Standing::Member, ended, self.reply_to(message, from, now))
            }
        };
        self.sign_answer(message, standing, ended, body)
    }

    fn unread(&self, message: &Message, body: Answered) -> Result<Vec<u8>> {
        self.sign_answer(message, Standing::Member, Vec::new(), body)
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
            Body::Beat { items } | Body::Goodbye { items, .. } | Body::Delta { items, .. } => {
                items.clone()
            }
            Body::Digest { .. } => Vec::new(),
        };
        Ok(self.take_items(items, Some(from), reads, now)?.ended)
    }

    fn reply_to(&mut self, message: &Message, from: KeyHash, now: Now) -> Answered {
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
                life.summary(&buckets.0, turn, now)
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
        &self,
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
        let frame = Frame::seal(Context::Answer, &answer, &life.key, &life.issues);
        Ok(peer::to_bytes(&frame))
    }
}

impl super::Life {
    /// Whether the license has a place for one more: its own reservation is not counted against it.
    fn has_place(&self, hash: KeyHash, now: Now) -> bool {
        let room = admission::room_for_member(&self.register, hash, self.max_nodes());
        let taken = |other: &KeyHash| *other != hash && self.register.member(*other).is_none();
        let reserved = self.reserved.held(now).filter(taken).count();
        let count = self.register.member_count() + reserved;
        room.is_ok() && count < usize::try_from(self.max_nodes()).unwrap_or(usize::MAX)
    }

    /// The rows of the buckets that differ, beginning at a random one, so that a bucket that cannot be
    /// brought into agreement does not stand before the others for ever.
    fn summary(&self, theirs: &[u8], turn: usize, now: Now) -> Answered {
        let ours = self.register.digest();
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
            for (key, version) in self.register.bucket(bucket) {
                entries.extend(key.to_bytes());
                // What waits here need not be sent again.
                entries.extend(self.pace.version(key).unwrap_or(version));
            }
        }
        Answered::Summary {
            buckets: Bytes(buckets),
            entries: Bytes(entries),
            more,
            touch: self.contact.touch(now),
        }
    }
}

fn ack(items: Vec<Signed>) -> Answered {
    Answered::Ack { items }
}

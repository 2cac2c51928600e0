//! The way in: each message of another agent is judged here, on the thread of its connection, before it
//! queues for the node. The door behind the lock is pure; MACs and signatures are checked without it.

use super::Inbound;
use crate::core::door::{Door, Entered, Facts, Look, own_end};
use crate::core::register::Register;
use crate::core::schedule::Now;
use crate::domain::keys::Context;
use crate::domain::{Code, Error, KeyHash, PublicKey, Result, Signed};
use crate::wire::front;
use crate::wire::peer::{
    self, Answered, Frame, Head, MAX_MESSAGE, MAX_STRANGERS_MESSAGE, Message, Refusal,
};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The door of one agent; clones share it.
#[derive(Clone, Default)]
pub struct Entrance(Arc<Mutex<Door>>);

/// What goes on to the node.
pub enum Admitted {
    /// A message whose license and signature were verified, with the record beside it.
    Message(Box<Judged>),
    /// A key's own deactivation, from somebody without our license; the answer is this refusal.
    OwnEnd(Box<Signed>, Refusal),
}

/// A verified message.
pub struct Judged {
    pub(super) key: PublicKey,
    pub(super) message: Message,
    pub(super) record: Option<Signed>,
    pub(super) from: IpAddr,
}

/// The outcome: an answer there and then, or work for the node.
pub enum Verdict {
    Done(Inbound),
    Node(Admitted),
}

impl Entrance {
    /// One message from this address, in the order of what it costs: address, license, number, signature,
    /// the sender's own rate.
    pub fn judge(&self, frame: Frame, from: IpAddr, now: Now) -> Result<Verdict> {
        let now_ms = now.mono_ms;
        let facts = self.lock().facts().ok_or(Error::NotBootstrapped)?;
        if self.lock().is_closed() {
            // Whoever was told goodbye must not see an answer after it.
            return Err(Error::Overloaded);
        }
        if !self.lock().hears(from, now_ms) {
            return Ok(Verdict::Done(Inbound::TooMany));
        }
        if !frame.opens(Context::Message, &facts.issues) {
            return Ok(self.without_license(frame, from, now_ms));
        }
        let Ok(head) = peer::read_signed::<Head>(&frame.payload.0) else {
            return Ok(self.stranger("the message makes no sense", from, now_ms));
        };
        let look = self.lock().look(&frame.key, &head, from, now_ms);
        match look {
            Look::Verify => self.verify(&facts, frame, head, from, now_ms),
            other => Ok(Verdict::Done(told(&facts, other, &head))),
        }
    }

    fn verify(
        &self,
        facts: &Facts,
        frame: Frame,
        head: Head,
        from: IpAddr,
        now_ms: u64,
    ) -> Result<Verdict> {
        if !frame.verifies(Context::Message) || !facts.meant(&frame.key, &head) {
            self.lock().forged(from, now_ms);
            return Ok(self.stranger("the message is not for this agent", from, now_ms));
        }
        if !self.lock().charge(&frame.key, head.start, now_ms) {
            return Ok(Verdict::Done(Inbound::TooMany));
        }
        match peer::read_signed::<Message>(&frame.payload.0) {
            Ok(message) => Ok(Verdict::Node(Admitted::Message(Box::new(Judged {
                record: frame.record.filter(|r| r.key == frame.key),
                key: frame.key,
                message,
                from,
            })))),
            Err(_) if head.is_of_unknown_kind() && self.lock().knows(&frame.key) => {
                let hash = frame.key.hash();
                self.lock().enter(hash, head.start, head.number);
                let answer = facts.answer_unread(&head, Answered::Unsupported);
                Ok(Verdict::Done(Inbound::Answer(peer::to_bytes(&answer))))
            }
            Err(_) => Ok(self.stranger("the message makes no sense", from, now_ms)),
        }
    }

    /// Nothing of it is read but a key's own deactivation. Of a member the signature is checked as well,
    /// within the same rate, so that the list of those who are shut out is true.
    fn without_license(&self, frame: Frame, from: IpAddr, now_ms: u64) -> Verdict {
        let look = self.lock().refuse(from, now_ms);
        if !matches!(look, Look::NoLicense) {
            return Verdict::Done(Inbound::TooMany);
        }
        let refusal = refusal(
            "the message carries no MAC of a license issue that this agent holds",
            Code::LicenseMismatch,
        );
        if own_end(&frame).is_some() {
            if let Some(end) = frame.record {
                return Verdict::Node(Admitted::OwnEnd(Box::new(end), refusal));
            }
        } else if self.lock().knows(&frame.key) && frame.verifies(Context::Message) {
            self.lock().shut_out(frame.key.hash(), now_ms);
        }
        Verdict::Done(Inbound::Stranger(refusal))
    }

    /// An unsigned refusal, so many a second for one address.
    pub(super) fn stranger(&self, why: &str, from: IpAddr, now_ms: u64) -> Verdict {
        let look = self.lock().refuse(from, now_ms);
        Verdict::Done(match look {
            Look::NoLicense => Inbound::Stranger(refusal(why, Code::Forbidden)),
            _ => Inbound::TooMany,
        })
    }

    /// The node's answer, for when the message comes again.
    pub(super) fn keep(&self, message: &Message, answer: &[u8]) {
        let head = (message.start, message.number, message.nonce);
        self.lock().keep(message.from.hash(), head, answer);
    }

    pub(super) fn enter(&self, message: &Message) -> Entered {
        let hash = message.from.hash();
        self.lock().enter(hash, message.start, message.number)
    }

    /// This agent stops.
    pub(super) fn close(&self) {
        self.lock().close();
    }

    /// Takes over what the node has committed.
    pub(super) fn sync(&self, facts: Facts, register: &Register) {
        self.lock().sync(facts, register);
    }

    /// Whether this is a member's key: only then a long message is read at all.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.lock().knows(key)
    }

    /// The longest message that is read of whom its beginning names, in bytes.
    pub fn longest(&self, beginning: &[u8]) -> usize {
        match front::key(beginning) {
            Some(key) if self.knows(&key) => MAX_MESSAGE,
            _ => MAX_STRANGERS_MESSAGE,
        }
    }

    pub(super) fn refuses(&self, now: Now) -> Vec<KeyHash> {
        self.lock().refuses(now.mono_ms)
    }

    pub(super) fn refused(&self) -> u64 {
        self.lock().refused()
    }

    fn lock(&self) -> MutexGuard<'_, Door> {
        // Each change of the door is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(facts: &Facts, look: Look, head: &Head) -> Inbound {
    match look {
        Look::Again(answer) => Inbound::Answer(answer.to_vec()),
        Look::Repeated => {
            let answer = facts.answer_unread(head, Answered::Repeated);
            Inbound::Answer(peer::to_bytes(&answer))
        }
        Look::Verify | Look::NoLicense | Look::TooMany => Inbound::TooMany,
    }
}

fn refusal(why: &str, code: Code) -> Refusal {
    Refusal {
        error: why.to_string(),
        code: code.row().name.to_string(),
    }
}

//! Calls to other agents: what was asked, and what the answer means.

use super::double::Double;
use super::{Life, Node};
use crate::core::liveness::{Miss, PROBE_TIMEOUT_MS};
use crate::core::register::EntryKey;
use crate::core::schedule::Now;
use crate::core::settle;
use crate::domain::goodbye::GoodbyeFields;
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{Address, Goodbye, KeyHash, PeerId, PublicKey, Result, Signed};
use crate::wire::peer::{self, Body, FIRST_ITEMS_BYTES, Frame, MAX_ITEMS_BYTES, Message, VERSION};

/// How long anything but a probe waits for its answer.
const CALL_TIMEOUT_MS: u64 = 3000;
/// A call whose end was never reported counts as unanswered after this.
const LOST_MS: u64 = 15_000;

/// One message to be posted to another agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: u64,
    pub to: Address,
    pub body: Vec<u8>,
    pub timeout_ms: u64,
    /// A name may lead to this host or its link: everybody lives on it.
    pub near: bool,
}

/// How a call failed below the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    Refused,
    Unanswered,
    /// It never left this agent: no evidence about anybody.
    NotSent,
}

/// Hashes of both registers: ours, theirs.
type Pair = ([u8; 32], [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Probe,
    News,
    Digest,
    Delta {
        before: Pair,
    },
    /// This agent's own deactivation.
    Deliver,
    /// Who answers under our own key?
    Double,
}

/// A call under way.
pub(super) struct Flight {
    pub(super) to: PeerId,
    pub(super) address: Address,
    pub(super) key: PublicKey,
    pub(super) nonce: [u8; 32],
    pub(super) purpose: Purpose,
    lost_at_ms: u64,
}

impl Node {
    /// What time alone brings: probes, news that has gathered, exchanges, deliveries.
    pub fn tick(&mut self, now: Now) -> Result<()> {
        if self.life.is_none() {
            return Ok(());
        }
        // A store that fails must not stop the beats: deadlines that nobody moves on would also keep
        // the pulse awake all the time.
        let written = [
            self.lose_calls(now),
            self.deliver(now),
            self.keep_touch(now),
            self.take_waiting(now),
        ];
        let mut probed = Ok(());
        if !self.life()?.deactivated && !self.leaving {
            self.mind_double(now);
            probed = self.probe(now);
            self.send_news(now);
            self.begin_exchanges(now);
        }
        written.into_iter().chain([probed]).collect()
    }

    /// When the next tick is due, on the monotonic clock.
    pub fn next_deadline(&mut self, now: Now) -> u64 {
        const IDLE_MS: u64 = 60_000;
        let Some(life) = &mut self.life else {
            return now.mono_ms + IDLE_MS;
        };
        let lost = life.calls.values().map(|f| f.lost_at_ms).min();
        let owed = life.next_delivery();
        let mut deadlines: Vec<u64> = lost.into_iter().chain(owed).collect();
        if !life.deactivated && !self.leaving {
            deadlines.push(life.liveness.next_deadline(now));
            deadlines.extend(life.gossip.next_deadline(now));
            deadlines.extend(life.double.as_ref().map(Double::deadline));
            deadlines.extend(life.pace.next_deadline());
        }
        deadlines.into_iter().min().unwrap_or(now.mono_ms + IDLE_MS)
    }

    fn lose_calls(&mut self, now: Now) -> Result<()> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let lost = |(_, f): &(&u64, &Flight)| f.lost_at_ms <= now.mono_ms;
        let ids: Vec<u64> = life.calls.iter().filter(lost).map(|(id, _)| *id).collect();
        // Each of them is given up, whatever becomes of the others.
        let given_up: Vec<Result<()>> = ids
            .into_iter()
            .map(|id| self.completed(id, Err(CallFault::NotSent), now))
            .collect();
        given_up.into_iter().collect()
    }

    fn probe(&mut self, now: Now) -> Result<()> {
        let mut draws: Vec<usize> = (0..2).map(|_| self.pick(1 << 30)).collect();
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let due = life
            .liveness
            .due(now, &mut |n| draws.pop().unwrap_or(0) % n.max(1));
        if !due.is_empty() {
            life.last_round_at = Some(now.wall);
        }
        let mut written = Ok(());
        for member in due {
            if self.life()?.leads_astray(member) {
                // Nobody ever reaches it from here: no better than silence.
                written = written.and(self.note_missed(member, Miss::Unanswered, now));
                continue;
            }
            let keys = self.news_for(member);
            let items = self.items_for(member, &keys);
            if !self.send(member, Body::Beat { items }, Purpose::Probe, now) {
                written = written.and(self.unsent(member, now));
            }
        }
        written
    }

    pub(super) fn unsent(&mut self, member: KeyHash, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        match life.liveness.not_sent(member, now) {
            true => self.write_status(member),
            false => Ok(()),
        }
    }

    fn news_for(&mut self, member: KeyHash) -> Vec<EntryKey> {
        let life = self.life.as_mut();
        life.map_or(Vec::new(), |life| life.gossip.take_news(member))
    }

    /// The entries behind these keys, as many as fit.
    pub(super) fn items(&self, keys: &[EntryKey]) -> Vec<Signed> {
        self.items_within(MAX_ITEMS_BYTES, keys)
    }

    /// The same for a message that this member reads, whoever this agent is to it.
    fn items_for(&self, member: KeyHash, keys: &[EntryKey]) -> Vec<Signed> {
        let introduced = |life: &Life| life.introduced.contains(&member);
        let room = match self.life.as_ref().is_some_and(introduced) {
            true => MAX_ITEMS_BYTES,
            false => FIRST_ITEMS_BYTES,
        };
        self.items_within(room, keys)
    }

    fn items_within(&self, mut room: usize, keys: &[EntryKey]) -> Vec<Signed> {
        let Some(life) = &self.life else {
            return Vec::new();
        };
        let mut items = Vec::new();
        for item in keys.iter().filter_map(|key| life.register.get(*key)) {
            let signed = item.signed().clone();
            let size = signed.payload.0.len() + 512;
            if size > room {
                break;
            }
            room -= size;
            items.push(signed);
        }
        items
    }

    fn send_news(&mut self, now: Now) {
        let Some(life) = &self.life else { return };
        for member in life.gossip.due_news(now) {
            let keys = self.news_for(member);
            let items = self.items_for(member, &keys);
            self.send(member, Body::Beat { items }, Purpose::News, now);
        }
    }

    fn begin_exchanges(&mut self, now: Now) {
        while let Some(partner) = self.life.as_mut().and_then(|l| l.gossip.next_exchange(now)) {
            let Some(life) = &mut self.life else { return };
            if !life.liveness.hears(partner) {
                life.gossip.exchange_failed(partner);
                continue;
            }
            let buckets = Bytes(life.register.digest());
            self.counters.exchanges += 1;
            if !self.send(partner, Body::Digest { buckets }, Purpose::Digest, now) {
                self.exchange_failed(partner);
            }
        }
    }

    /// This agent stops: those who watch it are told, and hear nothing from it afterwards.
    pub fn goodbye(&mut self, now: Now) {
        let Some(life) = &self.life else { return };
        let mut partners = life.partners();
        partners.sort_by_key(|member| !life.liveness.hears(*member));
        partners.truncate(crate::core::gossip::AUTHOR_FANOUT);
        if life.deactivated {
            return;
        }
        let fields = GoodbyeFields {
            v: VERSION,
            subject: life.id,
            start: self.start,
        };
        let goodbye = Goodbye::seal(&fields, &life.key);
        for member in partners {
            let keys = self.news_for(member);
            let body = Body::Goodbye {
                goodbye: Box::new(goodbye.clone()),
                items: self.items_for(member, &keys),
            };
            self.send(member, body, Purpose::News, now);
        }
        self.leaving = true;
        self.entrance.close();
    }

    pub(super) fn exchange_failed(&mut self, partner: KeyHash) {
        if let Some(life) = &mut self.life {
            life.gossip.exchange_failed(partner);
        }
    }

    /// Signs a message for a member and hands it out. False when there is nowhere to send it, or the
    /// rate is used up.
    pub(super) fn send(&mut self, to: KeyHash, body: Body, purpose: Purpose, now: Now) -> bool {
        let Some(life) = &mut self.life else {
            return false;
        };
        let Some(record) = life.register.member(to) else {
            return false;
        };
        let (id, key) = (record.fields.id, record.fields.key);
        let Some(address) = record.fields.address.clone() else {
            return false;
        };
        if !life.gossip.may_send(now) {
            return false;
        }
        self.post(id, key, address, body, purpose, now)
    }

    /// Sends to an identity at an address, whether the register has it or not. False where that address
    /// is not dialled.
    pub(super) fn post(
        &mut self,
        to: PeerId,
        key: PublicKey,
        address: Address,
        body: Body,
        purpose: Purpose,
        now: Now,
    ) -> bool {
        let nonce = self.random::<32>();
        let (start, id) = (self.start, self.next_call);
        let Some(life) = &mut self.life else {
            return false;
        };
        let near = life.is_near();
        if !settle::may_dial(near, &address) {
            return false;
        }
        let message = Message {
            v: VERSION,
            from: life.id,
            to,
            nonce,
            start,
            number: life.next_number(to.hash()),
            hash: life.register.hash(),
            body,
        };
        let frame = Frame {
            record: life.introduction(to.hash(), purpose),
            ..Frame::seal(Context::Message, &message, &life.key, &life.issues)
        };
        let timeout_ms = match purpose {
            Purpose::Probe | Purpose::Double => PROBE_TIMEOUT_MS,
            _ => CALL_TIMEOUT_MS,
        };
        let lost_at_ms = now.mono_ms + LOST_MS;
        life.calls.insert(
            id,
            Flight {
                to,
                address: address.clone(),
                key,
                nonce,
                purpose,
                lost_at_ms,
            },
        );
        self.next_call += 1;
        self.counters.messages_sent += 1;
        let body = peer::to_bytes(&frame);
        self.outbound.push(Call {
            id,
            to: address,
            body,
            timeout_ms,
            near,
        });
        true
    }
}

impl Life {
    fn is_near(&self) -> bool {
        settle::is_near(self.address.as_ref())
    }

    /// Whether a member's address is one that is not dialled.
    fn leads_astray(&self, member: KeyHash) -> bool {
        let record = self.register.member(member);
        let address = record.and_then(|r| r.fields.address.as_ref());
        address.is_some_and(|a| !settle::may_dial(self.is_near(), a))
    }

    /// Our own record for a member that may not have it, or what ended us: a member that never knew us
    /// can check and acknowledge that, too, and one that holds another issue of the license reads
    /// nothing else.
    fn introduction(&self, to: KeyHash, purpose: Purpose) -> Option<Signed> {
        if self.introduced.contains(&to) && purpose != Purpose::Deliver {
            return None;
        }
        let own = self.register.member(self.hash()).map(|r| &r.signed);
        let end = || self.register.ended(self.hash()).map(|a| &a.signed);
        own.or_else(end).cloned()
    }

    /// Numbers count per start and receiver, from 1.
    fn next_number(&mut self, to: KeyHash) -> u64 {
        let number = self.numbers.entry(to).or_insert(0);
        *number += 1;
        *number
    }
}

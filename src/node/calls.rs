//! Calls to other agents: what was asked, and what the answer means.

use super::{Life, Node};
use crate::core::liveness::{Miss, PROBE_TIMEOUT_MS, Status};
use crate::core::register::{EntryKey, KEY_BYTES, VERSION_BYTES};
use crate::core::schedule::Now;
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{Address, KeyHash, PeerId, PublicKey, Result, Signed};
use crate::wire::peer::{
    self, Answer, Answered, Body, Frame, MAX_ITEMS_BYTES, Message, Standing, VERSION,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long anything but a probe waits for its answer.
const CALL_TIMEOUT_MS: u64 = 3000;
/// A call whose end was never reported counts as unanswered after this.
const LOST_MS: u64 = 15_000;
/// The most keys that one delta asks for.
const MAX_WANT: usize = 2048;

/// One message to be posted to another agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: u64,
    pub to: Address,
    pub body: Vec<u8>,
    pub timeout_ms: u64,
}

/// How a call failed below the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    Refused,
    Unanswered,
    /// This agent had no courier for it: no evidence about anybody.
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
    to: PeerId,
    key: PublicKey,
    nonce: [u8; 32],
    pub(super) purpose: Purpose,
    lost_at_ms: u64,
}

impl Node {
    /// What time alone brings: probes, news that has gathered, exchanges, deliveries.
    pub fn tick(&mut self, now: Now) -> Result<()> {
        if self.life.is_none() {
            return Ok(());
        }
        self.lose_calls(now)?;
        self.drop_ended_issue(now)?;
        self.deliver(now)?;
        if self.life()?.deactivated {
            return Ok(());
        }
        self.probe(now);
        self.send_news(now);
        self.begin_exchanges(now);
        Ok(())
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
        if !life.deactivated {
            deadlines.push(life.liveness.next_deadline(now));
            deadlines.extend(life.gossip.next_deadline(now));
        }
        deadlines.into_iter().min().unwrap_or(now.mono_ms + IDLE_MS)
    }

    fn lose_calls(&mut self, now: Now) -> Result<()> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let lost = |(_, f): &(&u64, &Flight)| f.lost_at_ms <= now.mono_ms;
        let ids: Vec<u64> = life.calls.iter().filter(lost).map(|(id, _)| *id).collect();
        for id in ids {
            self.completed(id, Err(CallFault::NotSent), now)?;
        }
        Ok(())
    }

    fn probe(&mut self, now: Now) {
        let mut draws: Vec<usize> = (0..2).map(|_| self.pick(1 << 30)).collect();
        let Some(life) = &mut self.life else { return };
        let due = life
            .liveness
            .due(now, &mut |n| draws.pop().unwrap_or(0) % n.max(1));
        if !due.is_empty() {
            life.last_round_at = Some(now.wall);
        }
        for member in due {
            let keys = self.news_for(member);
            let items = self.items(&keys);
            if !self.send(member, Body::Beat { items }, Purpose::Probe, now) {
                self.unsent(member, now);
            }
        }
    }

    fn unsent(&mut self, member: KeyHash, now: Now) {
        if let Some(life) = &mut self.life {
            life.liveness.not_sent(member, now);
        }
    }

    fn news_for(&mut self, member: KeyHash) -> Vec<EntryKey> {
        let life = self.life.as_mut();
        life.map_or(Vec::new(), |life| life.gossip.take_news(member))
    }

    /// The entries behind these keys, as many as fit.
    pub(super) fn items(&self, keys: &[EntryKey]) -> Vec<Signed> {
        let Some(life) = &self.life else {
            return Vec::new();
        };
        let mut room = MAX_ITEMS_BYTES;
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
            let items = self.items(&keys);
            self.send(member, Body::Beat { items }, Purpose::News, now);
        }
    }

    fn begin_exchanges(&mut self, now: Now) {
        while let Some(partner) = self.life.as_mut().and_then(|l| l.gossip.next_exchange(now)) {
            let Some(life) = &mut self.life else { return };
            let buckets = Bytes(life.register.digest());
            self.counters.exchanges += 1;
            if !self.send(partner, Body::Digest { buckets }, Purpose::Digest, now) {
                self.exchange_failed(partner);
            }
        }
    }

    fn exchange_failed(&mut self, partner: KeyHash) {
        if let Some(life) = &mut self.life {
            life.gossip.exchange_failed(partner);
        }
    }

    /// Signs a message for a member and hands it out. False when there is nowhere to send it, or the
    /// rate is used up.
    fn send(&mut self, to: KeyHash, body: Body, purpose: Purpose, now: Now) -> bool {
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
        self.post(id, key, address, body, purpose, now);
        true
    }

    /// Sends to an identity at an address, whether the register has it or not.
    pub(super) fn post(
        &mut self,
        to: PeerId,
        key: PublicKey,
        address: Address,
        body: Body,
        purpose: Purpose,
        now: Now,
    ) {
        let nonce = self.random::<32>();
        let (start, id) = (self.start, self.next_call);
        let Some(life) = &mut self.life else { return };
        let message = Message {
            v: VERSION,
            from: life.id,
            to,
            nonce,
            start,
            hash: life.register.hash(),
            body,
        };
        let payload = peer::to_bytes(&message);
        let frame = Frame {
            key: life.key.public(),
            signature: life.key.sign(Context::Message, &payload),
            payload: Bytes(payload),
            record: life.introduction(to.hash()),
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
        });
    }

    /// Asks at the address of a record under our own key who answers there.
    pub(super) fn ask_double(&mut self, address: Option<Address>, now: Now) {
        let Some(life) = &self.life else { return };
        let asking = life.calls.values().any(|f| f.purpose == Purpose::Double);
        let (id, key) = (life.id, life.key.public());
        if let (false, Some(address)) = (asking || life.duplicate, address) {
            self.post(
                id,
                key,
                address,
                Body::Beat { items: Vec::new() },
                Purpose::Double,
                now,
            );
        }
    }

    /// What became of a call: the HTTP status and body, or how it failed.
    pub fn completed(
        &mut self,
        id: u64,
        outcome: std::result::Result<(u16, Vec<u8>), CallFault>,
        now: Now,
    ) -> Result<()> {
        let Some(flight) = self.life.as_mut().and_then(|l| l.calls.remove(&id)) else {
            return Ok(());
        };
        match outcome {
            Ok((_, body)) => match self.life()?.verified(&flight, &body) {
                Some(answer) => self.answered(flight, answer, now),
                None => {
                    // Perhaps it does not know us: the next message brings our record along.
                    if let Some(life) = &mut self.life {
                        life.introduced.remove(&flight.to.hash());
                    }
                    self.failed(flight, CallFault::Unanswered, now)
                }
            },
            Err(fault) => self.failed(flight, fault, now),
        }
    }

    fn failed(&mut self, flight: Flight, fault: CallFault, now: Now) -> Result<()> {
        let hash = flight.to.hash();
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        match flight.purpose {
            Purpose::Probe => {}
            // Anything else that fails is a reason to ask again, but no evidence of its own.
            Purpose::News => {
                life.liveness.hurry(hash, now);
                return Ok(());
            }
            Purpose::Digest | Purpose::Delta { .. } => {
                life.gossip.exchange_failed(hash);
                life.liveness.hurry(hash, now);
                return Ok(());
            }
            Purpose::Deliver => {
                life.delivery_failed(hash, now);
                return Ok(());
            }
            Purpose::Double => return Ok(()),
        }
        let miss = match fault {
            CallFault::Refused => Miss::Refused,
            CallFault::Unanswered => Miss::Unanswered,
            CallFault::NotSent => {
                life.liveness.not_sent(hash, now);
                return Ok(());
            }
        };
        self.counters.probes_failed += 1;
        if life.liveness.missed(hash, miss, now) {
            self.write_status(hash)?;
        }
        Ok(())
    }

    fn answered(&mut self, flight: Flight, answer: Answer, now: Now) -> Result<()> {
        let hash = flight.to.hash();
        if flight.purpose == Purpose::Double {
            return self.double_answered(answer);
        }
        self.note_alive(hash, now)?;
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        life.introduced.insert(hash);
        let refuses = answer.standing == Standing::DeletedHere;
        match refuses {
            true => drop(life.refused_by.insert(hash)),
            false => drop(life.refused_by.remove(&hash)),
        }
        if answer.ended.iter().any(|id| id.hash() == life.hash()) {
            self.acknowledged(hash)?;
        }
        let theirs = answer.hash;
        match answer.body {
            Answered::Ack { items } => {
                self.take_items(items, Some(hash), false, now)?;
                if answer.standing == Standing::Member {
                    self.compare(hash, theirs);
                }
            }
            Answered::Summary {
                buckets,
                entries,
                more,
            } if flight.purpose == Purpose::Digest => {
                self.answer_summary(hash, &buckets.0, &entries.0, more, theirs, now);
            }
            Answered::Delta { items, .. } => {
                self.take_items(items, Some(hash), false, now)?;
                if let (Purpose::Delta { before }, Some(life)) = (flight.purpose, &mut self.life) {
                    let after = (life.register.hash(), theirs);
                    life.gossip.exchanged(hash, before, after);
                    return Ok(());
                }
            }
            Answered::Summary { .. } => {}
        }
        if matches!(flight.purpose, Purpose::Delta { .. })
            || (refuses && flight.purpose == Purpose::Digest)
        {
            self.exchange_failed(hash);
        }
        Ok(())
    }

    /// Evidence of life: a signed answer to our own nonce.
    pub(super) fn note_alive(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        if life.liveness.answered(hash, now) {
            life.gossip.want_exchange(hash);
            self.write_status(hash)?;
        }
        Ok(())
    }

    /// Only transitions are written: a quiet cluster leaves the disk alone.
    fn write_status(&mut self, hash: KeyHash) -> Result<()> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let Some((status, seen)) = life.liveness.status(hash) else {
            return Ok(());
        };
        match status {
            Status::Alive => log::info!("{} is alive", life.label(hash)),
            Status::Suspect => {}
            Status::Unreachable => log::warn!("{} is unreachable", life.label(hash)),
        }
        self.store.write(|tx| tx.set_status(hash, status, seen))
    }

    fn double_answered(&mut self, answer: Answer) -> Result<()> {
        if answer.start != self.start {
            self.note_double();
        }
        Ok(())
    }

    pub(super) fn note_double(&mut self) {
        let Some(life) = &mut self.life else { return };
        if !life.duplicate {
            life.duplicate = true;
            log::error!(
                "another running agent uses this agent's key (a cloned disk?); stop one of them, and run 'arctic agent reset' on it before it starts again"
            );
        }
    }

    fn compare(&mut self, partner: KeyHash, theirs: [u8; 32]) {
        if let Some(life) = &mut self.life {
            let ours = life.register.hash();
            life.gossip.compare(partner, ours, theirs);
        }
    }

    /// The second half of an exchange: what differs in the buckets that the summary covers.
    fn answer_summary(
        &mut self,
        partner: KeyHash,
        buckets: &[u8],
        entries: &[u8],
        _more: bool,
        theirs: [u8; 32],
        now: Now,
    ) {
        let Some(life) = &self.life else { return };
        let ours = life.register.hash();
        let rows = read_rows(entries);
        let covered: BTreeSet<u8> = buckets.iter().copied().collect();
        let mut send = Vec::new();
        let mut want = rows.clone();
        for (key, version) in covered.iter().flat_map(|b| life.register.bucket(*b)) {
            match rows.get(&key) {
                Some(their_version) if *their_version == version => drop(want.remove(&key)),
                _ => send.push(key),
            }
        }
        let want: Vec<EntryKey> = want.into_keys().take(MAX_WANT).collect();
        if send.is_empty() && want.is_empty() {
            let pair = (ours, theirs);
            if let Some(life) = &mut self.life {
                life.gossip.exchanged(partner, pair, pair);
            }
            return;
        }
        let items = self.items(&send);
        let body = Body::Delta {
            more: items.len() < send.len(),
            items,
            want: Bytes(want.iter().flat_map(|k| k.to_bytes()).collect()),
        };
        let purpose = Purpose::Delta {
            before: (ours, theirs),
        };
        if !self.send(partner, body, purpose, now) {
            self.exchange_failed(partner);
        }
    }
}

/// Rows of a summary: key and the first bytes of the version. Rows that make no sense are left out.
fn read_rows(entries: &[u8]) -> BTreeMap<EntryKey, [u8; VERSION_BYTES]> {
    entries
        .chunks_exact(KEY_BYTES + VERSION_BYTES)
        .filter_map(|row| {
            let (key, version) = row.split_first_chunk::<KEY_BYTES>()?;
            Some((EntryKey::from_bytes(key)?, version.try_into().ok()?))
        })
        .collect()
}

impl Life {
    /// Our own record, for a member that may not have it.
    fn introduction(&self, to: KeyHash) -> Option<Signed> {
        match self.introduced.contains(&to) {
            true => None,
            false => self.register.member(self.hash()).map(|r| r.signed.clone()),
        }
    }

    /// The answer, if it is signed by whom we asked, for us, over our nonce.
    fn verified(&self, flight: &Flight, body: &[u8]) -> Option<Answer> {
        let frame: Frame = peer::read(body).ok()?;
        let signed = frame.key == flight.key
            && frame
                .key
                .verify(Context::Answer, &frame.payload.0, &frame.signature);
        if !signed {
            return None;
        }
        let answer: Answer = peer::read(&frame.payload.0).ok()?;
        let ours = answer.v == VERSION
            && answer.nonce == flight.nonce
            && answer.to == self.id
            && answer.from.matches(&frame.key);
        ours.then_some(answer)
    }
}

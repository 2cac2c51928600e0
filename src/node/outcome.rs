//! What became of a call: evidence of life or its lack, and what the answer brings.

use super::calls::{CallFault, Flight, Purpose};
use super::merge::Reads;
use super::touch::Summary;
use super::{Life, Node};
use crate::core::liveness::{Miss, Status};
use crate::core::register::{EntryKey, KEY_BYTES, VERSION_BYTES};
use crate::core::schedule::Now;
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{Code, Goodbye, KeyHash, Result};
use crate::wire::peer::{self, Answer, Answered, Body, Frame, Refusal, Standing, VERSION};
use std::collections::BTreeMap;

/// The most keys that one delta asks for: with the items beside them, base64 twice over, the message
/// stays below its bound.
pub(super) const MAX_WANT: usize = 1024;

/// What an agent says that is there and has too much to do. Somebody else at this agent's address may be
/// the reason.
const BUSY: [u16; 2] = [429, 503];

/// Whether the exchange that an answer belongs to goes on with another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Over,
    GoesOn,
}

impl Node {
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
            Ok((status, body)) => match self.life()?.verified(&flight, &body) {
                Some(answer) => self.answered(flight, answer, now),
                None if lacks_license(status, &body) => self.shut_out(flight, now),
                None if BUSY.contains(&status) && flight.purpose == Purpose::Probe => {
                    self.counters.probes_failed += 1;
                    self.turned_away(flight.to.hash(), now)
                }
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
            CallFault::NotSent => return self.unsent(hash, now),
        };
        self.counters.probes_failed += 1;
        self.note_missed(hash, miss, now)
    }

    pub(super) fn note_missed(&mut self, hash: KeyHash, miss: Miss, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        match life.liveness.missed(hash, miss, now) {
            true => self.write_status(hash),
            false => Ok(()),
        }
    }

    /// It is there, and holds no issue of the license that this agent holds: no silence, and no evidence
    /// of life either, since nobody signed it.
    fn shut_out(&mut self, flight: Flight, now: Now) -> Result<()> {
        let hash = flight.to.hash();
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        match flight.purpose {
            Purpose::Deliver => life.delivery_failed(hash, now),
            Purpose::Digest | Purpose::Delta { .. } => life.gossip.exchange_failed(hash),
            Purpose::Probe | Purpose::News => {}
            Purpose::Double => return Ok(()),
        }
        life.refused_by.insert(hash);
        self.turned_away(hash, now)
    }

    fn turned_away(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        match life.liveness.turned_away(hash, now) {
            true => self.write_status(hash),
            false => Ok(()),
        }
    }

    fn answered(&mut self, flight: Flight, answer: Answer, now: Now) -> Result<()> {
        if flight.purpose == Purpose::Double {
            self.double_answered(flight.address, &answer, now);
            return Ok(());
        }
        let (hash, purpose) = (flight.to.hash(), flight.purpose);
        let read = self.read_answer(flight, answer, now);
        let Some(life) = &mut self.life else {
            return read.map(drop);
        };
        // The call is over, also when its answer could not be stored or made no sense: an exchange
        // or a delivery that nobody ends would never be tried again.
        match purpose {
            Purpose::Deliver => life.delivery_failed(hash, now),
            Purpose::Digest | Purpose::Delta { .. } if read != Ok(Next::GoesOn) => {
                life.gossip.exchange_failed(hash);
            }
            _ => {}
        }
        read.map(drop)
    }

    /// What the answer brings.
    fn read_answer(&mut self, flight: Flight, answer: Answer, now: Now) -> Result<Next> {
        let hash = flight.to.hash();
        self.note_alive(hash, now)?;
        let Some(life) = &mut self.life else {
            return Ok(Next::Over);
        };
        match answer.body {
            Answered::UnknownStart { .. } => life.introduced.remove(&hash),
            _ => life.introduced.insert(hash),
        };
        let refuses = answer.standing == Standing::DeletedHere;
        match refuses {
            true => drop(life.refused_by.insert(hash)),
            false => drop(life.refused_by.remove(&hash)),
        }
        if answer.ended.iter().any(|id| id.hash() == life.hash()) {
            self.acknowledged(hash)?;
        }
        let theirs = answer.hash;
        // An agent that was ended meanwhile reads ends and nothing else.
        let reads = match self.life()?.deactivated {
            true => Reads::Ends,
            false => Reads::All,
        };
        match answer.body {
            Answered::Ack { items } => {
                self.take_items(items, Some(hash), reads, now)?;
                if answer.standing == Standing::Member {
                    self.compare(hash, theirs);
                }
            }
            Answered::Summary {
                buckets,
                entries,
                more,
                touch,
            } if flight.purpose == Purpose::Digest => {
                let summary = Summary {
                    buckets: buckets.0.into_iter().collect(),
                    rows: read_rows(&entries.0),
                    hash: theirs,
                    touch,
                    more,
                };
                self.yield_services(&summary, now)?;
                self.answer_summary(hash, summary, now);
                return Ok(Next::GoesOn);
            }
            Answered::Delta { items, .. } => {
                self.take_items(items, Some(hash), reads, now)?;
                if let (Purpose::Delta { before }, Some(life)) = (flight.purpose, &mut self.life) {
                    let after = (life.register.hash(), theirs);
                    life.gossip.exchanged(hash, before, after);
                }
            }
            Answered::UnknownStart { stored } => {
                self.take_items(vec![*stored], Some(hash), reads, now)?;
            }
            Answered::Summary { .. } | Answered::Unsupported | Answered::Repeated => {}
        }
        Ok(Next::Over)
    }

    /// Evidence of life: a signed answer to our own nonce.
    pub(super) fn note_alive(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        life.contact.heard(now);
        if life.liveness.answered(hash, now) {
            self.write_status(hash)?;
        }
        Ok(())
    }

    /// A member's own word that its start ends: it counts for the start of the stored record, and once,
    /// so that a recorded one silences nobody.
    pub(super) fn note_goodbye(&mut self, goodbye: &Goodbye, now: Now) -> Result<()> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let hash = goodbye.key.hash();
        let stored = life.register.member(hash).map(|r| r.fields.start);
        let known = life.parted.get(&hash).copied();
        let Ok(fields) = goodbye.open() else {
            return Ok(());
        };
        if stored != Some(fields.start) || known == stored {
            return Ok(());
        }
        life.parted.insert(hash, fields.start);
        match life.liveness.parted(hash, now) {
            true => self.write_status(hash),
            false => Ok(()),
        }
    }

    /// Only transitions are written: a quiet cluster leaves the disk alone.
    pub(super) fn write_status(&mut self, hash: KeyHash) -> Result<()> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let Some((status, seen)) = life.liveness.status(hash) else {
            return Ok(());
        };
        match status {
            Status::Alive => log::info!("{} is alive", life.label(hash)),
            Status::Suspect => log::info!("{} is suspect", life.label(hash)),
            Status::Unreachable => log::warn!("{} is unreachable", life.label(hash)),
        }
        self.store.write(|tx| tx.set_status(hash, status, seen))
    }

    fn compare(&mut self, partner: KeyHash, theirs: [u8; 32]) {
        if let Some(life) = &mut self.life {
            let ours = life.register.hash();
            life.gossip.compare(partner, ours, theirs);
        }
    }

    /// The second half of an exchange: what differs in the buckets that the summary covers.
    fn answer_summary(&mut self, partner: KeyHash, theirs: Summary, now: Now) {
        let Some(life) = &self.life else { return };
        let before = (life.register.hash(), theirs.hash);
        let mut send = Vec::new();
        let mut want = theirs.rows;
        for (key, version) in theirs.buckets.iter().flat_map(|b| life.register.bucket(*b)) {
            match want.get(&key) {
                Some(theirs) if *theirs == version => drop(want.remove(&key)),
                // Theirs is here, and waits.
                Some(theirs) if life.pace.version(key) == Some(*theirs) => drop(want.remove(&key)),
                _ => send.push(key),
            }
        }
        let wanted = |key: &EntryKey| life.wants(*key, theirs.touch, now);
        let want: Vec<EntryKey> = want.into_keys().filter(wanted).take(MAX_WANT).collect();
        if send.is_empty() && want.is_empty() {
            if let Some(life) = &mut self.life {
                life.gossip.exchanged(partner, before, before);
            }
            return;
        }
        let items = self.items(&send);
        let body = Body::Delta {
            more: items.len() < send.len(),
            items,
            want: Bytes(want.iter().flat_map(|k| k.to_bytes()).collect()),
        };
        if !self.send(partner, body, Purpose::Delta { before }, now) {
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
    /// The answer, if its sender holds the license and it is signed by whom we asked, for us, over our
    /// nonce.
    fn verified(&self, flight: &Flight, body: &[u8]) -> Option<Answer> {
        let frame: Frame = peer::read(body).ok()?;
        let good = frame.key == flight.key
            && frame.opens(Context::Answer, &self.issues)
            && frame.verifies(Context::Answer);
        if !good {
            return None;
        }
        let answer: Answer = peer::read_signed(&frame.payload.0).ok()?;
        let ours = answer.v == VERSION
            && answer.nonce == flight.nonce
            && answer.to == self.id
            && answer.from.matches(&frame.key);
        ours.then_some(answer)
    }
}

fn lacks_license(status: u16, body: &[u8]) -> bool {
    let code = Code::LicenseMismatch.row().name;
    status == 403 && peer::read::<Refusal>(body).is_ok_and(|refusal| refusal.code == code)
}

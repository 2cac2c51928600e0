//! The handshake worker: drives the handshakes under way. It waits on its door alone; couriers make
//! its calls, and call-backs have couriers of their own, so that no handshake waits for another.

use super::clock::Clock;
use super::couriers::{Couriers, Letter, Outcome};
use super::pulse::{Job, ask};
use super::slot::{Reply, slot};
use crate::core::schedule::Now;
use crate::core::settle::Ends;
use crate::domain::{Address, Error, Name, Result};
use crate::node::{CallFault, JoinOut, Joins, Node, Port};
use crate::wire::operator::Peer;
use crate::wire::peer::{HANDSHAKE_PATH, Handshake, HandshakeAnswer};
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::time::Duration;

/// What waits at the usher's door, at most.
pub const DOOR: usize = 128;
/// The pulse answers at once, or something is badly wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who knocks.
pub enum Knock {
    /// An operator's `peers add`.
    Begin {
        to: Address,
        name: Name,
        reply: Reply<Result<(bool, Peer)>>,
    },
    /// A message from another agent.
    Inbound {
        ends: Ends,
        message: Box<Handshake>,
        reply: Reply<HandshakeAnswer>,
    },
    /// A courier is back.
    Completed {
        machine: u64,
        outcome: Outcome,
    },
    Stop,
}

pub struct Usher {
    pub joins: Joins,
    pub clock: Clock,
    pub door: Receiver<Knock>,
    pub door_in: Sender<Knock>,
    pub inbox: Sender<Job>,
    pub couriers: Couriers,
    pub call_backs: Couriers,
}

/// Who waits for what, by a number of ours.
#[derive(Default)]
struct Waiting {
    next: u64,
    adds: BTreeMap<u64, Reply<Result<(bool, Peer)>>>,
    messages: BTreeMap<u64, Reply<HandshakeAnswer>>,
}

struct ToPulse(Sender<Job>);

impl Port for ToPulse {
    fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Node, Now) -> T + Send + 'static,
    ) -> Result<T> {
        ask(&self.0, PATIENCE, work)
    }
}

impl Usher {
    pub fn run(mut self) {
        let mut waiting = Waiting::default();
        let mut port = ToPulse(self.inbox.clone());
        while let Ok(knock) = self.door.recv() {
            let now = self.clock.now();
            match knock {
                Knock::Begin { to, name, reply } => {
                    let ticket = waiting.number();
                    waiting.adds.insert(ticket, reply);
                    self.joins.begin(ticket, to, name, &mut port, now);
                }
                Knock::Inbound {
                    ends,
                    message,
                    reply,
                } => {
                    let slot = waiting.number();
                    waiting.messages.insert(slot, reply);
                    self.joins.inbound(slot, ends, *message, &mut port, now);
                }
                Knock::Completed { machine, outcome } => {
                    self.joins.completed(machine, outcome, &mut port, now);
                }
                Knock::Stop => return,
            }
            for out in self.joins.take_outputs() {
                self.perform(out, &mut waiting);
            }
        }
    }

    fn perform(&mut self, out: JoinOut, waiting: &mut Waiting) {
        match out {
            JoinOut::Call {
                machine,
                to,
                body,
                timeout_ms,
                call_back,
                near,
            } => {
                let couriers = if call_back {
                    &self.call_backs
                } else {
                    &self.couriers
                };
                let door = self.door_in.clone();
                let deliver = move |outcome| {
                    // If the door is full the machine is dropped after its time.
                    let _ = door.try_send(Knock::Completed { machine, outcome });
                };
                let letter = Letter {
                    to,
                    path: HANDSHAKE_PATH,
                    body,
                    timeout_ms,
                    near,
                    deliver: Box::new(deliver),
                };
                if !couriers.post(letter) {
                    let outcome = Err((CallFault::NotSent, String::new()));
                    let _ = self.door_in.try_send(Knock::Completed { machine, outcome });
                }
            }
            JoinOut::Joined { ticket, outcome } => {
                if let Some(reply) = waiting.adds.remove(&ticket) {
                    reply.give(outcome);
                }
            }
            JoinOut::Respond { slot, answer } => {
                if let Some(reply) = waiting.messages.remove(&slot) {
                    reply.give(answer);
                }
            }
        }
    }
}

impl Waiting {
    /// A number, after forgetting those who have given up: a machine that was dropped never answers.
    fn number(&mut self) -> u64 {
        const MANY: usize = 256;
        if self.adds.len() + self.messages.len() > MANY {
            let floor = self.next.saturating_sub(MANY as u64);
            self.adds.retain(|n, _| *n >= floor);
            self.messages.retain(|n, _| *n >= floor);
        }
        self.next += 1;
        self.next
    }
}

/// Asks the usher and waits at most so long.
pub fn knock<T>(
    door: &Sender<Knock>,
    patience: Duration,
    make: impl FnOnce(Reply<T>) -> Knock,
) -> Result<T> {
    let (reply, awaited) = slot();
    door.try_send(make(reply)).map_err(|_| Error::Overloaded)?;
    awaited.take(patience).ok_or(Error::Overloaded)
}

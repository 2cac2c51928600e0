//! The gossip heartbeat: the thread that owns the node. It wakes for its next deadline, for what a
//! courier brings back, and for work that others hand in; it never waits for anything else.

use super::clock::Clock;
use super::couriers::{Couriers, Letter};
use super::slot::{Reply, slot};
use crate::core::schedule::Now;
use crate::domain::{Error, Result};
use crate::node::{CallFault, Node};
use crate::wire::peer::MESSAGE_PATH;
use crossbeam_channel::{Receiver, Sender, select};
use std::time::{Duration, Instant};

/// Something to be done with the node, on the pulse's thread.
type Work = Box<dyn FnOnce(&mut Node, Now) + Send>;

/// What others want of the pulse.
pub enum Job {
    Work(Work),
    /// To be told when everybody has acknowledged that this agent is gone.
    WhenAllKnow(Reply<()>),
}

/// What became of a call: its number, and the HTTP answer or how it failed.
pub type Report = (u64, std::result::Result<(u16, Vec<u8>), CallFault>);

/// Work and reports that wait for the pulse, at most.
pub const INBOX: usize = 256;
/// The same complaint about the store is made once in this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

pub struct Pulse {
    pub node: Node,
    pub clock: Clock,
    pub inbox: Receiver<Job>,
    pub reports: Receiver<Report>,
    pub report_to: Sender<Report>,
    pub couriers: Couriers,
    pub stop: Receiver<()>,
    /// An agent leaves once, so one at most waits to hear that everybody knows.
    pub leaver: Option<Reply<()>>,
}

impl Pulse {
    pub fn run(mut self) {
        let mut complaint = Complaint::default();
        loop {
            let now = self.clock.now();
            complaint.note(self.node.tick(now));
            self.send(&mut complaint);
            let wait = self.clock.until(self.node.next_deadline(now));
            select! {
                recv(self.inbox) -> job => match job {
                    Ok(job) => self.take(job),
                    Err(_) => return,
                },
                recv(self.reports) -> report => {
                    if let Ok((id, outcome)) = report {
                        complaint.note(self.node.completed(id, outcome, self.clock.now()));
                    }
                }
                recv(self.stop) -> _ => return self.drain(),
                default(wait) => {}
            }
            self.send(&mut complaint);
            self.tell_leaver();
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Work(work) => work(&mut self.node, self.clock.now()),
            Job::WhenAllKnow(reply) => self.leaver = Some(reply),
        }
    }

    fn tell_leaver(&mut self) {
        let all_know = |_: &mut Reply<()>| self.node.pending_acknowledgements() == 0;
        if let Some(reply) = self.leaver.take_if(all_know) {
            reply.give(());
        }
    }

    /// Hands what the node wants sent to couriers. A call that finds none is no evidence.
    fn send(&mut self, complaint: &mut Complaint) {
        for call in self.node.take_calls() {
            let (id, report_to) = (call.id, self.report_to.clone());
            let deliver = move |outcome: super::couriers::Outcome| {
                let plain = outcome.map(|(status, body, _)| (status, body));
                // A full queue means that the pulse is far behind; the node gives the call up itself.
                let _ = report_to.try_send((id, plain.map_err(|(fault, _)| fault)));
            };
            let letter = Letter {
                to: call.to,
                path: MESSAGE_PATH,
                body: call.body,
                timeout_ms: call.timeout_ms,
                near: call.near,
                deliver: Box::new(deliver),
            };
            if !self.couriers.post(letter) {
                complaint.note(
                    self.node
                        .completed(id, Err(CallFault::NotSent), self.clock.now()),
                );
            }
        }
    }

    /// Requests that are being answered still get what they asked for.
    fn drain(mut self) {
        while let Ok(job) = self.inbox.try_recv() {
            self.take(job);
        }
    }
}

/// Errors of the store while nobody asked: said once a minute.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
}

impl Complaint {
    fn note(&mut self, result: Result<()>) {
        let Err(e) = result else { return };
        let quiet = self.last.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY);
        if !quiet {
            self.last = Some(Instant::now());
            log::error!("{e}: {}", e.cause().unwrap_or("no further cause"));
        }
    }
}

/// Asks the pulse and waits for its answer, for a while.
pub fn ask<T: Send + 'static>(
    inbox: &Sender<Job>,
    patience: Duration,
    work: impl FnOnce(&mut Node, Now) -> T + Send + 'static,
) -> Result<T> {
    let (reply, awaited) = slot();
    let work = move |node: &mut Node, now| reply.give(work(node, now));
    inbox
        .send_timeout(Job::Work(Box::new(work)), patience)
        .map_err(|_| Error::Overloaded)?;
    awaited.take(patience).ok_or(Error::Overloaded)
}

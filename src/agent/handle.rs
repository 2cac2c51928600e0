//! What requests hold of the agent: ways to ask its threads, each with a deadline.

use super::clock::Clock;
use super::pulse::{Job, ask};
use super::readers::Readers;
use super::slot::slot;
use super::usher::{Knock, knock};
use super::{keyfile, os};
use crate::core::handshake::Challenger;
use crate::core::schedule::Now;
use crate::core::settle::Ends;
use crate::domain::{Address, Error, Name, Result};
use crate::node::{Entrance, Inbound, Node, Verdict};
use crate::store::Reader;
use crate::transport::Allowance;
use crate::wire::front::{self, ProofFront};
use crate::wire::operator::{Bootstrap, Bootstrapped, Deactivated, Peer};
use crate::wire::peer::{
    self, Frame, Handshake, HandshakeAnswer, MAX_MESSAGE, MAX_STRANGERS_MESSAGE,
};
use crossbeam_channel::Sender;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PULSE_PATIENCE: Duration = Duration::from_secs(3);
/// `POST /v1/peers` answers within 10 s.
const ADD_PATIENCE: Duration = Duration::from_millis(9500);
/// A handshake message waits for its call-back at most.
const CALL_BACK_PATIENCE: Duration = Duration::from_secs(3);
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// Shared by all connections.
pub struct Agent {
    pub(super) inbox: Sender<Job>,
    pub(super) door: Sender<Knock>,
    pub(super) entrance: Entrance,
    pub(super) challenger: Arc<Challenger>,
    pub(super) readers: Readers,
    pub(super) data_dir: PathBuf,
    pub(super) clock: Clock,
    pub(super) parked: Gate,
}

/// Requests that wait for another agent: they may hold half of the connections and no more, so that
/// `/livez` always has one.
#[derive(Clone)]
pub(super) struct Gate {
    waiting: Arc<AtomicUsize>,
    cap: usize,
}

pub(super) struct Parked(Arc<AtomicUsize>);

impl Gate {
    pub fn new(cap: usize) -> Gate {
        Gate {
            waiting: Arc::new(AtomicUsize::new(0)),
            cap,
        }
    }

    fn enter(&self) -> Result<Parked> {
        let parked = Parked(self.waiting.clone());
        match self.waiting.fetch_add(1, Ordering::SeqCst) < self.cap {
            true => Ok(parked),
            false => Err(Error::Overloaded),
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Agent {
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Work with the node, on the pulse's thread.
    pub fn node<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Node, Now) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        ask(&self.inbox, PULSE_PATIENCE, work)?
    }

    /// Work with a read connection to the store.
    pub fn read<T>(&self, work: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        self.readers.with(work)
    }

    /// The key is on the disk before the database names it.
    pub fn bootstrap(&self, request: Bootstrap) -> Result<Bootstrapped> {
        let dir = self.data_dir.clone();
        self.node(move |node, now| {
            node.check_bootstrap(&request.license, now)?;
            let (id, key) = keyfile::read_or_create(&dir)?;
            let done = node.bootstrap(request, id, key, now)?;
            log::info!(
                "bootstrapped as {} with license {}",
                done.peer_id,
                done.license_id
            );
            Ok(done)
        })
    }

    /// `peers add`: whether the peer is new, and the peer.
    pub fn join(&self, to: Address, name: Name) -> Result<(bool, Peer)> {
        let _parked = self.parked.enter()?;
        knock(&self.door, ADD_PATIENCE, |reply| Knock::Begin {
            to,
            name,
            reply,
        })?
    }

    /// Returns once all have acknowledged, or 2 s after the commit.
    pub fn remove_self(&self, force: bool) -> Result<Deactivated> {
        let _parked = self.parked.enter()?;
        let total = self.node(move |node, now| node.remove_self(force, now))?;
        let (reply, all_know) = slot();
        let asked = self
            .inbox
            .send_timeout(Job::WhenAllKnow(reply), PULSE_PATIENCE);
        // From the commit on the answer is 200, whatever becomes of the waiting.
        let pending = match asked.is_ok() && all_know.take(LEAVE_PATIENCE).is_some() {
            true => 0,
            false => self
                .node(|node, _| Ok(node.pending_acknowledgements()))
                .unwrap_or(total),
        };
        Ok(Deactivated {
            deactivated: true,
            announced_to: total.saturating_sub(pending) as u64,
            pending: pending as u64,
        })
    }

    /// How much is read of a message of another agent that begins like this.
    pub fn message_allowance(&self, beginning: &[u8]) -> Allowance {
        let limit = self.entrance.longest(beginning);
        Allowance {
            limit,
            stranger: limit <= MAX_STRANGERS_MESSAGE,
        }
    }

    /// The same of a handshake: its first message is short, its proof answers a challenge of ours.
    pub fn handshake_allowance(&self, beginning: &[u8], from: IpAddr) -> Allowance {
        let ours = |front: ProofFront| {
            let (key, theirs) = (&front.key, &front.hello_challenge);
            self.challenger
                .recognise(&front.challenge, self.now().mono_ms, from, key, theirs)
        };
        let limit = match front::proof(beginning).is_some_and(ours) {
            true => MAX_MESSAGE,
            false => MAX_STRANGERS_MESSAGE,
        };
        Allowance {
            limit,
            stranger: true,
        }
    }

    /// A message of another agent.
    pub fn message(&self, body: &[u8], from: IpAddr) -> Result<Inbound> {
        // Judged on the connection's thread: only what a member signed keeps the pulse busy.
        let frame: Frame = peer::read(body)?;
        match self.entrance.judge(frame, from, self.now())? {
            Verdict::Done(inbound) => Ok(inbound),
            Verdict::Node(admitted) => self.node(move |node, now| node.admit(admitted, now)),
        }
    }

    /// A handshake message of another agent.
    pub fn handshake(&self, message: Handshake, ends: Ends) -> Result<HandshakeAnswer> {
        // Only the proof waits, for its call-back.
        let _parked = match message {
            Handshake::Proof(_) => Some(self.parked.enter()?),
            Handshake::Hello(_) | Handshake::CallBack(_) => None,
        };
        let message = Box::new(message);
        knock(&self.door, CALL_BACK_PATIENCE, |reply| Knock::Inbound {
            ends,
            message,
            reply,
        })
    }

    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        os::random()
    }
}

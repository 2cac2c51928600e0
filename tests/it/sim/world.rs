//! The simulation: hosts, the network between them, and one queue of events ordered by time and
//! number. It carries bytes and drives nodes; what the bytes mean is the nodes' business.

use super::host::{self, Direct, Host};
use super::net::Net;
use super::oracle::Oracle;
use super::plan::Step;
use super::rng::Rng;
use super::rogue::Tap;
use super::trace::Trace;
use arctic::domain::{Error, License, Name, SecretKey};
use arctic::node::{CallFault, JoinOut};
use arctic::wire::peer;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

/// What went wrong, as the report says it.
pub type Checked = Result<(), String>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Path {
    Message,
    Handshake,
}

/// Whose call an answer belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Gossip(u64),
    Join(u64),
}

/// The way back to whoever called: void once that host has restarted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Back {
    pub(super) host: usize,
    pub(super) epoch: u64,
    pub(super) asked: Asked,
}

pub(super) type Outcome = Result<(u16, Vec<u8>), CallFault>;

pub(super) enum Event {
    Request {
        from: usize,
        to: usize,
        path: Path,
        body: Rc<[u8]>,
        back: Option<Back>,
    },
    Reply {
        back: Back,
        outcome: Outcome,
    },
    Tick {
        host: usize,
        epoch: u64,
    },
    Step(Step),
}

pub struct World {
    pub now_ms: u64,
    pub rng: Rng,
    pub net: Net,
    pub hosts: Vec<Host>,
    pub trace: Trace,
    pub oracle: Oracle,
    pub tap: Tap,
    pub messages: u64,
    pub issuer: SecretKey,
    queue: BTreeMap<(u64, u64), Event>,
    pub(super) next: u64,
    pub(super) open: BTreeSet<Back>,
    pub(super) slots: BTreeMap<u64, (usize, Back)>,
    /// Adds under way: who, and whom.
    adds: BTreeMap<u64, (usize, usize)>,
    pub(super) by_ip: BTreeMap<IpAddr, usize>,
    /// The first address that nobody has had.
    places: usize,
    /// A rogue is a host like any other, but its license is not the cluster's.
    pub members: usize,
}

impl World {
    /// So many hosts of one license, and rogues of another behind them.
    pub fn new(seed: u64, members: usize, rogues: usize, max_nodes: u32) -> World {
        let mut rng = Rng::new(seed);
        let issuer = SecretKey::from_seed(&rng.seed32());
        let license = host::license(&issuer, 1, max_nodes);
        let other = host::license(&issuer, 2, max_nodes);
        let mut world = World {
            now_ms: 0,
            net: Net::new(members + rogues, &mut rng),
            hosts: Vec::new(),
            trace: Trace::new(),
            oracle: Oracle::new(members, max_nodes),
            tap: Tap::default(),
            messages: 0,
            issuer,
            queue: BTreeMap::new(),
            next: 0,
            open: BTreeSet::new(),
            slots: BTreeMap::new(),
            adds: BTreeMap::new(),
            by_ip: BTreeMap::new(),
            places: members + rogues,
            members,
            rng,
        };
        for index in 0..members + rogues {
            let held = if index < members { &license } else { &other };
            world.add_host(index, held.clone());
        }
        world
    }

    fn add_host(&mut self, index: usize, license: License) {
        let host = Host::new(index, license, self.issuer.public(), &mut self.rng);
        self.by_ip.insert(host.ip, index);
        self.oracle.meet(index, host.hash());
        self.hosts.push(host);
    }

    pub fn at(&mut self, at_ms: u64, step: Step) {
        self.push(at_ms.max(self.now_ms), Event::Step(step));
    }

    /// Runs until this instant.
    pub fn run_until(&mut self, end_ms: u64) -> Checked {
        while let Some(first) = self.queue.first_entry() {
            if first.key().0 > end_ms {
                break;
            }
            let ((at_ms, _), event) = first.remove_entry();
            self.now_ms = at_ms;
            self.handle(event)?;
        }
        self.now_ms = end_ms;
        Ok(())
    }

    pub(super) fn push(&mut self, at_ms: u64, event: Event) {
        self.queue.insert((at_ms, self.next), event);
        self.next += 1;
    }

    fn handle(&mut self, event: Event) -> Checked {
        match event {
            Event::Request {
                from,
                to,
                path,
                body,
                back,
            } => self.request(from, to, path, &body, back),
            Event::Reply { back, outcome } => self.reply(back, outcome),
            Event::Tick { host, epoch } => self.tick(host, epoch),
            Event::Step(step) => step.take(self),
        }
    }

    // What the hosts want.

    /// Takes what a host has to say after it was driven, checks it, and sets its timer.
    pub fn settle(&mut self, index: usize) -> Checked {
        loop {
            let host = &mut self.hosts[index];
            let calls = host.node.as_mut().map(|n| n.take_calls());
            let outputs = host.joins.take_outputs();
            let calls = calls.unwrap_or_default();
            if calls.is_empty() && outputs.is_empty() {
                break;
            }
            for call in calls {
                let asked = Asked::Gossip(call.id);
                self.call(
                    index,
                    asked,
                    &call.to,
                    Path::Message,
                    call.body,
                    call.timeout_ms,
                );
            }
            for output in outputs {
                self.output(index, output)?;
            }
        }
        self.oracle
            .check(index, &self.hosts[index])
            .map_err(|e| format!("host {index}: {e}"))?;
        self.set_timer(index);
        Ok(())
    }

    fn set_timer(&mut self, index: usize) {
        let now_ms = self.now_ms;
        let host = &mut self.hosts[index];
        let Some(deadline) = host.deadline(now_ms) else {
            return;
        };
        if host.tick_at.is_none_or(|at| deadline < at || at <= now_ms) {
            host.tick_at = Some(deadline);
            let epoch = host.epoch;
            self.push(deadline, Event::Tick { host: index, epoch });
        }
    }

    fn tick(&mut self, index: usize, epoch: u64) -> Checked {
        let now_ms = self.now_ms;
        let host = &mut self.hosts[index];
        if host.epoch != epoch || host.tick_at != Some(now_ms) {
            return Ok(());
        }
        host.tick_at = None;
        let now = host.now(now_ms);
        if let Some(node) = &mut host.node {
            node.tick(now).map_err(|e| format!("tick: {e}"))?;
            if node.next_deadline(now) <= now.mono_ms {
                return Err(format!("host {index}: what is due stays due"));
            }
        }
        self.settle(index)
    }

    fn output(&mut self, index: usize, output: JoinOut) -> Checked {
        match output {
            JoinOut::Call {
                machine,
                to,
                body,
                timeout_ms,
                ..
            } => {
                let asked = Asked::Join(machine);
                self.call(index, asked, &to, Path::Handshake, body, timeout_ms);
                Ok(())
            }
            JoinOut::Respond { slot, answer } => {
                if let Some((to, back)) = self.slots.remove(&slot) {
                    self.answer(index, to, back, Ok((200, peer::to_bytes(&answer))));
                }
                Ok(())
            }
            JoinOut::Joined { ticket, outcome } => {
                let Some((host, target)) = self.adds.remove(&ticket) else {
                    return Ok(());
                };
                self.trace
                    .note(self.now_ms, "joined", host, target, outcome.is_ok().into());
                let outcome = outcome.map(|(new, _)| new);
                Step::joined(self, host, target, outcome)
            }
        }
    }

    // What operators do.

    /// `peers add`: the outcome comes to `Step::joined`.
    pub fn add(&mut self, host: usize, target: usize) -> Checked {
        if !self.hosts[host].is_up() {
            return Ok(());
        }
        self.trace.note(self.now_ms, "add", host, target, 0);
        let (ticket, to) = (self.next, self.hosts[target].address());
        self.next += 1;
        self.adds.insert(ticket, (host, target));
        let now = self.hosts[host].now(self.now_ms);
        let adding = &mut self.hosts[host];
        if let Some(node) = &mut adding.node {
            let mut port = Direct(node, now);
            adding.joins.begin(ticket, to, Name::none(), &mut port, now);
        }
        self.settle(host)
    }

    /// Stops a host at this instant; what it was about to hear is lost.
    pub fn crash(&mut self, index: usize) {
        self.trace.note(self.now_ms, "crash", index, 0, 0);
        self.hosts[index].crash();
        self.slots.retain(|_, (_, back)| back.host != index);
        self.adds.retain(|_, (host, _)| *host != index);
    }

    pub fn start(&mut self, index: usize) -> Checked {
        if self.hosts[index].is_up() {
            return Ok(());
        }
        self.trace.note(self.now_ms, "start", index, 0, 0);
        let now_ms = self.now_ms;
        self.hosts[index].silent = false;
        self.hosts[index]
            .start(now_ms)
            .map_err(|e| format!("host {index} does not start: {e}"))?;
        self.settle(index)
    }

    /// The agent stops and starts again with another address, at a place where nobody was before.
    pub fn relocate(&mut self, index: usize) -> Checked {
        self.crash(index);
        let before = self.hosts[index].ip;
        if self.hosts[index].move_to(self.places) {
            self.places += 1;
            self.by_ip.remove(&before);
            self.by_ip.insert(self.hosts[index].ip, index);
        }
        self.start(index)
    }

    /// An operator's command on a running host. Refusals are part of the game.
    pub fn command<T>(
        &mut self,
        index: usize,
        what: &'static str,
        work: impl FnOnce(&mut arctic::node::Node, arctic::core::schedule::Now) -> Result<T, Error>,
    ) -> Result<Option<T>, String> {
        let now = self.hosts[index].now(self.now_ms);
        let Some(node) = &mut self.hosts[index].node else {
            return Ok(None);
        };
        let done = work(node, now);
        self.trace
            .note(self.now_ms, what, index, 0, done.is_ok().into());
        self.settle(index)?;
        match done {
            Ok(done) => Ok(Some(done)),
            Err(Error::Internal(why)) | Err(Error::StorageUnavailable(why)) => {
                Err(format!("{what} on host {index}: {why}"))
            }
            Err(_) => Ok(None),
        }
    }
}

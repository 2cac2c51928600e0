//! Two or three real nodes in one process: calls are delivered at once, time moves when a test says.

use super::{CallFault, CallOutcome, Config, Inbound, JoinOut, Joins, Node, Port};
use crate::core::schedule::Now;
use crate::core::settle::Ends;
use crate::domain::license::Terms;
use crate::domain::{
    Address, Customer, Description, KeyHash, License, LicenseId, Name, PeerId, Result, SecretKey,
    Timestamp,
};
use crate::store::Store;
use crate::wire::operator::{Bootstrap, Peer};
use crate::wire::peer::{self, Handshake};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

mod ending;
mod failing;
mod joining;
mod leaving;
mod quiet;

pub(super) const DAY_MS: i64 = 86_400_000;
const BEGAN: i64 = 1_800_000_000_000;

pub(super) struct Member {
    pub node: Node,
    pub joins: Joins,
    pub address: Address,
    /// Another address that leads to it, as a NAT gives one.
    pub alias: Option<Address>,
    /// Its own end of its connections.
    pub near: IpAddr,
    /// Calls to it are not answered.
    pub silent: bool,
    seed: u8,
    file: PathBuf,
}

pub(super) struct World {
    pub members: Vec<Member>,
    pub now: Now,
    /// Calls that were handed out since the test last looked.
    pub calls: usize,
    dir: tempfile::TempDir,
}

struct Direct<'a>(&'a mut Node, Now);

impl Port for Direct<'_> {
    fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Node, Now) -> T + Send + 'static,
    ) -> Result<T> {
        Ok(work(self.0, self.1))
    }
}

pub(super) fn issuer() -> SecretKey {
    SecretKey::from_seed(&[77; 32])
}

/// One license; the issue says when it was issued and for how long, in days.
pub(super) fn license(issued: i64, days: i64) -> License {
    let terms = Terms {
        license_id: LicenseId::from_parts(1, [1; 10]),
        customer_id: Customer::parse("cust_acme").unwrap(),
        issued_at: Timestamp(BEGAN + issued * DAY_MS),
        expires_at: Timestamp(BEGAN + (issued + days) * DAY_MS),
        max_nodes: 10,
        max_services: 10,
    };
    License::issue(terms, &issuer())
}

fn entropy(seed: u8) -> super::Entropy {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(seed) + 1);
    Box::new(move |bytes| {
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (state >> 33) as u8;
        }
    })
}

fn ip(seed: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, seed])
}

fn open(file: &Path, seed: u8, start: u8, now: Now) -> Node {
    let config = Config {
        issuers: vec![issuer().public()],
        issuers_file: "issuers".into(),
        customer: None,
        advertise: None,
        listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
    };
    let store = Store::open(file, false).unwrap();
    let key = SecretKey::from_seed(&[seed; 32]);
    let id = PeerId::derive(&key.public(), u64::from(seed));
    Node::new(config, store, Some((id, key)), entropy(start), now).unwrap()
}

impl World {
    /// Bootstrapped agents that listen on every address of their host, nobody added yet.
    pub fn new(count: u8) -> World {
        let now = Now {
            mono_ms: 1000,
            wall: Timestamp(BEGAN),
        };
        let mut world = World {
            members: Vec::new(),
            now,
            calls: 0,
            dir: tempfile::tempdir().unwrap(),
        };
        for seed in 1..=count {
            let file = world.dir.path().join(format!("{seed}.db"));
            let mut member = Member {
                node: open(&file, seed, seed, now),
                joins: Joins::new(entropy(100 + seed)),
                address: Address::new(ip(seed), 8080).unwrap(),
                alias: None,
                near: ip(seed),
                silent: false,
                seed,
                file,
            };
            member.bootstrap(now);
            world.members.push(member);
        }
        world
    }

    /// A cluster: the first has added all the others.
    pub fn cluster(count: u8) -> World {
        let mut world = World::new(count);
        for other in 1..usize::from(count) {
            world.add(0, other).unwrap();
        }
        world.pass(5000);
        world
    }

    pub fn id(&self, who: usize) -> PeerId {
        self.members[who].node.life().unwrap().id
    }

    pub fn hash(&self, who: usize) -> KeyHash {
        self.id(who).hash()
    }

    /// The process ends and starts again on the same files.
    pub fn restart(&mut self, who: usize) {
        let now = self.now;
        let member = &mut self.members[who];
        // Another start draws another number.
        let start = member.seed.wrapping_add(50);
        member.node = open(&member.file, member.seed, start, now);
    }

    /// The database is lost, the key file is not; the operator bootstraps again.
    pub fn lose_database(&mut self, who: usize) {
        let now = self.now;
        let member = &mut self.members[who];
        member.file.set_extension("again");
        member.node = open(&member.file, member.seed, member.seed.wrapping_add(50), now);
        member.bootstrap(now);
    }

    /// The files of an agent as they are now.
    pub fn back_up(&self, who: usize, name: &str) -> PathBuf {
        let copy = self.dir.path().join(name);
        for end in ["", "-wal"] {
            let with = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            std::fs::copy(with(&self.members[who].file), with(&copy)).unwrap();
        }
        copy
    }

    /// The agent goes on with these files.
    pub fn restore(&mut self, who: usize, files: PathBuf) {
        self.members[who].file = files;
        self.restart(who);
    }

    /// A second agent with the key and the files of another, on a host of its own.
    pub fn clone_disk(&mut self, who: usize, host: u8) {
        let (file, seed) = (self.back_up(who, "clone.db"), self.members[who].seed);
        self.members.push(Member {
            node: open(&file, seed, host, self.now),
            joins: Joins::new(entropy(100 + host)),
            address: Address::new(ip(host), 8080).unwrap(),
            alias: None,
            near: ip(host),
            silent: false,
            seed,
            file,
        });
    }

    /// The database file goes away, or comes back: writes fail, or work again.
    pub fn break_store(&mut self, who: usize, broken: bool) {
        let file = self.members[who].file.clone();
        let away = file.with_extension("away");
        let (from, to) = if broken { (file, away) } else { (away, file) };
        std::fs::rename(from, to).unwrap();
    }

    /// Time passes; what falls due is sent and answered.
    pub fn pass(&mut self, ms: u64) {
        const STEP_MS: u64 = 20;
        for _ in 0..ms.div_ceil(STEP_MS) {
            self.now.mono_ms += STEP_MS;
            self.now.wall = Timestamp(self.now.wall.0 + STEP_MS as i64);
            for who in 0..self.members.len() {
                let _ = self.members[who].node.tick(self.now);
                self.deliver(who);
            }
        }
    }

    /// Delivers what `who` has to send, and what follows from the answers.
    pub fn deliver(&mut self, who: usize) {
        loop {
            let calls = self.members[who].node.take_calls();
            if calls.is_empty() {
                return;
            }
            self.calls += calls.len();
            for call in calls {
                let outcome = self.post(who, &call.to, &call.body);
                let now = self.now;
                let _ = self.members[who].node.completed(call.id, outcome, now);
            }
        }
    }

    fn post(
        &mut self,
        from: usize,
        to: &Address,
        body: &[u8],
    ) -> std::result::Result<(u16, Vec<u8>), CallFault> {
        let (from, now) = (self.members[from].near, self.now);
        let there = self.members.iter_mut().find(|m| m.is_at(to));
        let Some(there) = there.filter(|m| !m.silent) else {
            return Err(CallFault::Unanswered);
        };
        match there.node.receive(body, from, now) {
            Ok(Inbound::Answer(frame)) => Ok((200, frame)),
            Ok(_) => Ok((403, b"{}".to_vec())),
            Err(_) => Ok((507, b"{}".to_vec())),
        }
    }

    /// `peers add`, as an operator of `who` gives it.
    pub fn add(&mut self, who: usize, whom: usize) -> Result<(bool, Peer)> {
        let to = self.members[whom].address.clone();
        self.add_at(who, to, Name::none())
    }

    pub fn add_at(&mut self, who: usize, to: Address, name: Name) -> Result<(bool, Peer)> {
        let now = self.now;
        let Member { node, joins, .. } = &mut self.members[who];
        joins.begin(1, to, name, &mut Direct(node, now), now);
        self.drive(who).expect("a handshake ends")
    }

    /// Performs what the machines of `who` want, until the operator has an answer.
    fn drive(&mut self, who: usize) -> Option<Result<(bool, Peer)>> {
        loop {
            let outputs = self.members[who].joins.take_outputs();
            if outputs.is_empty() {
                return None;
            }
            for out in outputs {
                match out {
                    JoinOut::Joined { outcome, .. } => return Some(outcome),
                    JoinOut::Call {
                        machine, to, body, ..
                    } => {
                        let outcome = self.knock(who, &to, &body);
                        let now = self.now;
                        let Member { node, joins, .. } = &mut self.members[who];
                        joins.completed(machine, outcome, &mut Direct(node, now), now);
                    }
                    JoinOut::Respond { .. } => unreachable!("answers are taken by knock"),
                }
            }
        }
    }

    fn knock(&mut self, from: usize, to: &Address, body: &[u8]) -> CallOutcome {
        let (remote, now) = (ip(self.members[from].seed), self.now);
        let near = self.members[from].near;
        let there = self.members.iter().position(|m| m.is_at(to));
        let Some(there) = there.filter(|t| !self.members[*t].silent) else {
            return Err((CallFault::Unanswered, String::new()));
        };
        let message: Handshake = peer::read(body).unwrap();
        let Member {
            node,
            joins,
            near: local,
            ..
        } = &mut self.members[there];
        let ends = Ends {
            remote,
            local: *local,
        };
        joins.inbound(1, ends, message, &mut Direct(node, now), now);
        loop {
            for out in self.members[there].joins.take_outputs() {
                match out {
                    JoinOut::Respond { answer, .. } => {
                        return Ok((200, peer::to_bytes(&answer), Some(near)));
                    }
                    JoinOut::Call {
                        machine, to, body, ..
                    } => {
                        let outcome = self.knock(there, &to, &body);
                        let Member { node, joins, .. } = &mut self.members[there];
                        joins.completed(machine, outcome, &mut Direct(node, now), now);
                    }
                    JoinOut::Joined { .. } => {}
                }
            }
        }
    }
}

impl Member {
    fn is_at(&self, to: &Address) -> bool {
        self.address == *to || self.alias.as_ref() == Some(to)
    }

    fn bootstrap(&mut self, now: Now) {
        let key = SecretKey::from_seed(&[self.seed; 32]);
        let id = PeerId::derive(&key.public(), u64::from(self.seed));
        let request = Bootstrap {
            license: license(0, 365),
            name: Name::none(),
            description: Description::default(),
        };
        self.node.bootstrap(request, id, key, now).unwrap();
    }

    pub fn address_of(&self, hash: KeyHash) -> Option<Address> {
        let record = self.node.register()?.member(hash)?;
        record.fields.address.clone()
    }
}

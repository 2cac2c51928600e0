//! Whom an agent dials, in which order, and how many at once: those that do not answer never stand
//! before those that do.

use super::caller::{AT_MS, Caller};
use crate::plan::Step;
use crate::story::{cluster, until};
use crate::world::World;
use arctic::core::settle::Ends;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::{
    Address, IssueKey, KeyHash, Name, PeerId, PeerRecord, SecretKey, Signed, Transport, Version,
};
use arctic::node::{CallFault, Inbound, NewService};
use arctic::wire::peer::{self, Body, Frame, Message, Refused, VERSION};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const ALICE: usize = 0;
/// The agent has 16 couriers for its calls; four of them are for whoever answers.
const MOST_SILENT: usize = 12;

/// Alice, driven by hand: some hosts answer her at once, nobody else ever does.
struct Alice {
    world: World,
    at_ms: u64,
    living: BTreeSet<usize>,
    /// Calls that nobody answers: when they are given up, and their number.
    open: Vec<(u64, u64)>,
    most_open: usize,
    /// Every call: when, and to whom.
    calls: Vec<(u64, Address)>,
}

impl Alice {
    fn with(world: World, living: &[usize]) -> Alice {
        Alice {
            at_ms: world.now_ms,
            world,
            living: living.iter().copied().collect(),
            open: Vec::new(),
            most_open: 0,
            calls: Vec::new(),
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.at_ms + ms;
        while self.at_ms < end {
            self.give_up();
            let now = self.world.hosts[ALICE].now(self.at_ms);
            self.node().tick(now).unwrap();
            self.post();
            let next = self.world.hosts[ALICE].deadline(self.at_ms).unwrap();
            let over = self.open.iter().map(|(at_ms, _)| *at_ms).min();
            self.at_ms = over.map_or(next, |over| over.min(next)).min(end);
        }
    }

    fn node(&mut self) -> &mut arctic::node::Node {
        self.world.hosts[ALICE].node.as_mut().unwrap()
    }

    fn give_up(&mut self) {
        let now = self.world.hosts[ALICE].now(self.at_ms);
        let at_ms = self.at_ms;
        let over: Vec<u64> = self
            .open
            .iter()
            .filter(|(end, _)| *end <= at_ms)
            .map(|(_, id)| *id)
            .collect();
        self.open.retain(|(end, _)| *end > at_ms);
        for id in over {
            let silent = Err(CallFault::Unanswered);
            self.node().completed(id, silent, now).unwrap();
        }
    }

    fn post(&mut self) {
        let (at_ms, ip) = (self.at_ms, self.world.hosts[ALICE].ip);
        loop {
            let calls = self.node().take_calls();
            if calls.is_empty() {
                break;
            }
            for call in calls {
                self.calls.push((at_ms, call.to.clone()));
                let is_there = |i: &usize| self.world.hosts[*i].address() == call.to;
                let Some(there) = self.living.iter().copied().find(is_there) else {
                    self.open.push((at_ms + call.timeout_ms, call.id));
                    continue;
                };
                let now = self.world.hosts[there].now(at_ms);
                let node = self.world.hosts[there].node.as_mut().unwrap();
                let Inbound::Answer(answer) = node.receive(&call.body, ip, now).unwrap() else {
                    panic!("a member answers");
                };
                let now = self.world.hosts[ALICE].now(at_ms);
                let outcome = Ok((200, answer));
                self.node().completed(call.id, outcome, now).unwrap();
            }
        }
        self.most_open = self.most_open.max(self.open.len());
    }

    fn to(&self, address: &Address) -> Vec<u64> {
        let own = self.calls.iter().filter(|(_, to)| to == address);
        own.map(|(at_ms, _)| *at_ms).collect()
    }

    fn status(&mut self, id: PeerId) -> String {
        self.node().peer(id).unwrap().status
    }

    fn restart(&mut self) {
        self.world.hosts[ALICE].crash();
        self.open.clear();
        self.calls.clear();
        self.world.hosts[ALICE].start(self.at_ms).unwrap();
    }
}

/// Alice and three who live among fourteen who do not answer; whether she knows that already.
fn among_the_dead(known: bool) -> Alice {
    let living = [7, 12, 17];
    let mut world = cluster(40, 18, 0);
    for dead in (1..18).filter(|host| !living.contains(host)) {
        world.crash(dead);
    }
    let at_ms = world.now_ms;
    if known {
        for dead in 0..18 {
            world.hosts[dead].silent = true;
        }
        until(&mut world, at_ms + 30_000);
    }
    let mut alice = Alice::with(world, &living);
    let status = if known { "unreachable" } else { "alive" };
    for dead in (1..18).filter(|host| !living.contains(host)) {
        let dead = alice.world.hosts[dead].id;
        assert_eq!(alice.status(dead), status);
    }
    alice.restart();
    alice
}

#[test]
fn an_agent_that_starts_among_the_dead_finds_the_living_first() {
    let mut alice = among_the_dead(true);
    alice.pass(1);
    let living: BTreeSet<Address> = [7, 12, 17]
        .map(|host| alice.world.hosts[host].address())
        .into();
    let first: BTreeSet<Address> = alice.calls[..3].iter().map(|(_, to)| to.clone()).collect();
    assert_eq!(first, living);
}

#[test]
fn those_that_do_not_answer_leave_couriers_for_the_others() {
    for known in [true, false] {
        let mut alice = among_the_dead(known);
        alice.pass(200);
        for host in [7, 12, 17] {
            let address = alice.world.hosts[host].address();
            assert!(!alice.to(&address).is_empty(), "known: {known}");
        }
        // News does not go to them either, nor what the operator asks for.
        for _ in 0..10 {
            let target = alice.world.hosts[7].id;
            let now = alice.world.hosts[ALICE].now(alice.at_ms);
            let new = NewService {
                source: None,
                target,
                transport: Transport::Tcp,
                name: Name::none(),
            };
            alice.node().create_service(new, now).unwrap();
            alice.node().sync().unwrap();
            alice.pass(1000);
        }
        alice.most_open = 0;
        alice.pass(20_000);
        assert!(alice.most_open <= MOST_SILENT, "{}", alice.most_open);
    }
}

/// Somebody with the license whom nobody ever reached.
struct Sybil {
    key: SecretKey,
    id: PeerId,
    at: Address,
    record: Signed,
    issue: IssueKey,
}

impl Sybil {
    fn new(world: &World, address: &str) -> Sybil {
        let key = SecretKey::from_seed(&[99; 32]);
        let issue = IssueKey::of(&world.hosts[ALICE].license);
        let (id, at) = (
            PeerId::derive(&key.public(), 1),
            Address::parse(address).unwrap(),
        );
        let fields = PeerFields {
            v: VERSION,
            id,
            key: key.public(),
            address: Some(at.clone()),
            name: Name::none(),
            incarnation: 1,
            start: 1,
            version: Version::own(),
        };
        let record = PeerRecord::seal(fields, &key, std::slice::from_ref(&issue)).signed;
        Sybil {
            key,
            id,
            at,
            record,
            issue,
        }
    }

    /// A message of its own, with its record beside it.
    fn says(&self, alice: &mut Alice, number: u64) {
        let message = Message {
            v: VERSION,
            from: self.id,
            to: alice.world.hosts[ALICE].id,
            nonce: [number as u8; 32],
            start: 1,
            number,
            hash: [1; 32],
            body: Body::Beat { items: Vec::new() },
        };
        let issues = std::slice::from_ref(&self.issue);
        let mut frame = Frame::seal(Context::Message, &message, &self.key, issues);
        frame.record = Some(self.record.clone());
        let now = alice.world.hosts[ALICE].now(alice.at_ms);
        let answer = alice
            .node()
            .receive(&peer::to_bytes(&frame), [10, 9, 9, 9].into(), now);
        assert!(matches!(answer, Ok(Inbound::Answer(_))), "{answer:?}");
    }

    fn hash(&self) -> KeyHash {
        self.id.hash()
    }
}

const HOUR_MS: u64 = 3_600_000;

#[test]
fn an_identity_that_nobody_reached_is_dialled_less_and_less_also_after_a_restart() {
    let mut alice = Alice::with(cluster(41, 2, 0), &[1]);
    let sybil = Sybil::new(&alice.world, "192.0.2.9:8080");
    sybil.says(&mut alice, 1);
    alice.pass(HOUR_MS);
    let register = alice.node().register().unwrap();
    assert!(register.member(sybil.hash()).is_some());
    let dials = alice.to(&sybil.at).len();
    assert!((4..=16).contains(&dials), "{dials} dials in the first hour");
    alice.calls.clear();
    alice.pass(3 * HOUR_MS);
    let dials = alice.to(&sybil.at).len();
    assert!((2..=4).contains(&dials), "{dials} in the three after it");
    // A message of its own makes one dial.
    alice.calls.clear();
    sybil.says(&mut alice, 2);
    alice.pass(10_000);
    assert_eq!(alice.to(&sybil.at).len(), 1);
    alice.restart();
    alice.pass(HOUR_MS);
    let dials = alice.to(&sybil.at).len();
    assert!((1..=13).contains(&dials), "{dials} after a restart");
}

#[test]
fn what_fails_on_this_agent_convicts_nobody() {
    let mut alice = Alice::with(cluster(42, 2, 0), &[]);
    let bob = alice.world.hosts[1].id;
    for _ in 0..200 {
        let now = alice.world.hosts[ALICE].now(alice.at_ms);
        alice.node().tick(now).unwrap();
        for call in alice.node().take_calls() {
            let own = Err(CallFault::NotSent);
            alice.node().completed(call.id, own, now).unwrap();
        }
        alice.at_ms = alice.world.hosts[ALICE].deadline(alice.at_ms).unwrap();
    }
    // Nobody knows whether it is alive, either.
    assert_eq!(alice.status(bob), "suspect");
    let readiness = alice.node().readiness();
    assert_eq!(readiness, arctic::node::Readiness::Ready(Some("isolated")));
    alice.living.insert(1);
    alice.pass(3000);
    assert_eq!(alice.status(bob), "alive");
}

/// What means another host to each of its readers.
const LOCAL: [&str; 6] = [
    "127.0.0.1:22",
    "127.8.8.8:8080",
    "localhost:8080",
    "[::1]:8080",
    "169.254.169.254:80",
    "[fe80::1]:8080",
];

#[test]
fn no_learnt_address_leads_back_to_this_host_or_its_link() {
    for address in LOCAL {
        let mut alice = Alice::with(cluster(43, 2, 0), &[1]);
        let sybil = Sybil::new(&alice.world, address);
        sybil.says(&mut alice, 1);
        alice.pass(30_000);
        assert!(alice.to(&sybil.at).is_empty(), "{address}");
        assert_eq!(alice.status(sybil.id), "unreachable", "{address}");
        // Her end is not told there either.
        let now = alice.world.hosts[ALICE].now(alice.at_ms);
        assert_eq!(alice.node().remove_self(false, now).unwrap(), 2);
        alice.pass(30_000);
        assert!(alice.to(&sybil.at).is_empty(), "{address}");
        assert_eq!(alice.node().pending_acknowledgements(), 1);
    }
}

#[test]
fn a_name_is_marked_that_must_not_lead_there() {
    let mut alice = Alice::with(cluster(44, 2, 0), &[]);
    alice.pass(3000);
    let now = alice.world.hosts[ALICE].now(alice.at_ms);
    let id = alice.world.hosts[1].id;
    alice.node().delete_peer(id, now).unwrap();
    let sybil = Sybil::new(&alice.world, "sybil.example:80");
    sybil.says(&mut alice, 1);
    alice.node().tick(now).unwrap();
    let call = alice.node().take_calls().remove(0);
    assert!(call.to == sybil.at && !call.near);
}

/// An agent that was not told its address, met from there.
fn met_at(dialled: &str, ends: Ends) -> (World, usize) {
    let mut world = World::new(45, 8, 0, 10);
    for host in 0..8 {
        world.at(0, Step::Bootstrap(host));
    }
    until(&mut world, AT_MS);
    let unspecified = |host: &crate::host::Host| {
        let peers = host.node.as_ref().unwrap().peers().unwrap();
        peers[0].address.starts_with("0.0.0.0")
    };
    let untold = world.hosts.iter().position(unspecified).unwrap();
    let host = &mut world.hosts[untold];
    let mut first = Caller::new(1, &IssueKey::of(&host.license));
    if ends.remote.is_loopback() {
        first.address = "127.0.0.1:9999";
    }
    let begun = first.begin(host, ends, dialled, AT_MS).unwrap();
    first.go_on(host, &begun, AT_MS);
    (world, untold)
}

const FAR: Ends = Ends {
    remote: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)),
    local: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
};
const NEAR: Ends = Ends {
    remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
    local: IpAddr::V4(Ipv4Addr::LOCALHOST),
};

#[test]
fn nobody_is_called_back_at_an_address_of_this_host() {
    let (mut world, untold) = met_at("10.0.0.1:8080", FAR);
    let host = &mut world.hosts[untold];
    let mut rogue = Caller::new(2, &IssueKey::of(&host.license));
    for address in LOCAL {
        for ends in [FAR, NEAR] {
            rogue.address = address;
            let refused = rogue.begin(host, ends, "10.0.0.1:8080", AT_MS).err();
            let why = matches!(&refused, Some(Refused::CallBack { why }) if why.contains(address));
            assert!(why, "{address}: {refused:?}");
        }
    }
    // It took no place, and is welcome where it can be reached.
    rogue.address = "10.0.0.9:8080";
    assert!(rogue.begin(host, FAR, "10.0.0.1:8080", AT_MS).is_ok());
}

#[test]
fn agents_of_one_host_dial_each_other_on_loopback() {
    let (mut world, untold) = met_at("127.0.0.1:8080", NEAR);
    let host = &mut world.hosts[untold];
    let mut second = Caller::new(2, &IssueKey::of(&host.license));
    second.address = "127.0.0.1:9998";
    assert!(second.begin(host, NEAR, "127.0.0.1:8080", AT_MS).is_ok());
    let now = host.now(AT_MS + 2000);
    let node = host.node.as_mut().unwrap();
    node.tick(now).unwrap();
    let calls = node.take_calls();
    let there = Address::parse("127.0.0.1:9999").unwrap();
    assert!(calls.iter().any(|call| call.to == there && call.near));
}

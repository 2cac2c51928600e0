//! Flash wears out, and everybody stores what one signs: how fast one identity, one service and one
//! editor may change what all hold, and that the newest is there in the end.

use super::ends::{Outsider, end_at, issue, license_id, outsider, record_of};
use super::rogue::{Tap, numbered};
use super::services::{create, pass};
use super::story::{cluster, until};
use super::world::{Path, World};
use arctic::domain::service::ServiceFields;
use arctic::domain::{Name, ServiceId, ServiceRecord, Signed, Timestamp, Transport};
use arctic::node::Node;
use arctic::wire::peer;

/// Three hosts, and somebody with the license whose record they hold.
struct Flood {
    world: World,
    by: Outsider,
    number: u64,
}

impl Flood {
    fn new(seed: u64) -> Flood {
        let mut world = cluster(seed, 3, 1);
        let by = outsider(&mut world);
        let (frame, place) = (said_with_record(&mut world, &by), world.hosts.len() - 1);
        world.send(place, 0, Path::Message, frame.into(), None);
        let mut flood = Flood {
            world,
            by,
            number: 1,
        };
        flood.pass(20_000);
        assert!((0..3).all(|host| flood.incarnation(host) == Some(1)));
        flood
    }

    fn pass(&mut self, ms: u64) {
        pass(&mut self.world, ms);
    }

    /// It says this to host 0, in messages of 20 items over so long.
    fn pour(&mut self, items: Vec<Signed>, ms: u64) {
        let (key, end) = (self.by.key.clone(), self.world.now_ms + ms);
        let count = items.len().div_ceil(20) as u64;
        for twenty in items.chunks(20) {
            self.number += 1;
            let frame = numbered(&mut self.world, &key, 0, twenty.to_vec(), self.number);
            let (place, body) = (self.world.hosts.len() - 1, peer::to_bytes(&frame));
            self.world.send(place, 0, Path::Message, body.into(), None);
            self.pass(ms / count);
        }
        let end = end.max(self.world.now_ms);
        until(&mut self.world, end);
    }

    fn node(&self, host: usize) -> &Node {
        self.world.hosts[host].node.as_ref().unwrap()
    }

    fn incarnation(&self, host: usize) -> Option<u64> {
        let record = self.node(host).register()?.member(self.by.id.hash())?;
        Some(record.fields.incarnation)
    }

    /// What each host has stored of others since it started.
    fn stored(&self) -> [u64; 3] {
        [0, 1, 2].map(|host| {
            self.node(host)
                .status(self.world.hosts[host].now(self.world.now_ms))
                .unwrap()
                .gossip
                .records_merged
        })
    }

    /// What each has stored since then.
    fn stored_since(&self, before: [u64; 3]) -> [u64; 3] {
        let now = self.stored();
        [0, 1, 2].map(|host| now[host] - before[host])
    }

    /// A service that the outsider edits.
    fn edit(&self, service: u16, version: u64, deleted: bool) -> Signed {
        let key = &self.by.key;
        let mut low = [7; 10];
        low[8..].copy_from_slice(&service.to_be_bytes());
        let fields = ServiceFields {
            v: 1,
            id: ServiceId::from_parts(1, low),
            source: self.world.hosts[0].id,
            target: self.world.hosts[1].id,
            transport: Transport::Tcp,
            name: Name::none(),
            created_at: Timestamp(1_780_000_000_000),
            version,
            deleted_at: deleted.then_some(Timestamp(1_780_200_000_000)),
            editor: self.by.id,
            editor_key: key.public(),
        };
        ServiceRecord::seal(fields, key, &[issue(&self.world)]).signed
    }

    /// How many services are at this version, at each host.
    fn at_version(&self, version: u64) -> [usize; 3] {
        [0, 1, 2].map(|host| {
            let register = self.node(host).register().unwrap();
            let there = register.services();
            there.filter(|s| s.fields.version == version).count()
        })
    }
}

fn said_with_record(world: &mut World, by: &Outsider) -> Vec<u8> {
    let mut frame = numbered(world, &by.key, 0, Vec::new(), 1);
    frame.record = Some(by.record.clone());
    peer::to_bytes(&frame)
}

/// 1,471 records in 5 seconds were 12 MB at the receiver and 2 MB at everybody else.
#[test]
fn of_one_identity_one_change_a_second_is_stored_and_the_newest_wins() {
    let mut flood = Flood::new(61);
    let before = flood.stored();
    let key = flood.by.key.clone();
    let raised = (2..1002).map(|n| record_of(&mut flood.world, &key, n));
    let raised: Vec<Signed> = raised.collect();
    flood.pour(raised, 5000);
    for stored in flood.stored_since(before) {
        assert!((5..=14).contains(&stored), "{stored} changes");
    }
    flood.pass(3000);
    assert!((0..3).all(|host| flood.incarnation(host) == Some(1001)));
    assert!(flood.stored_since(before).iter().all(|n| *n <= 16));
}

#[test]
fn of_one_service_one_change_a_second_is_stored_and_the_newest_wins() {
    let mut flood = Flood::new(62);
    let before = flood.stored();
    let edits = (1..1001).map(|version| flood.edit(1, version, false));
    let edits: Vec<Signed> = edits.collect();
    flood.pour(edits, 5000);
    for stored in flood.stored_since(before) {
        assert!((5..=15).contains(&stored), "{stored} changes");
    }
    flood.pass(3000);
    assert_eq!(flood.at_version(1000), [1, 1, 1]);
}

/// What is new comes at once, as a newcomer has to be told; it is bounded by what is kept at all.
#[test]
fn of_one_editor_20_changes_a_second_are_stored() {
    let mut flood = Flood::new(63);
    let before = flood.stored();
    let new = (0..300).map(|service| flood.edit(service, 1, false));
    let new: Vec<Signed> = new.collect();
    flood.pour(new, 500);
    flood.pass(2000);
    assert_eq!(flood.at_version(1), [300, 300, 300]);
    let edited = (0..300).map(|service| flood.edit(service, 2, false));
    let edited: Vec<Signed> = edited.collect();
    flood.pour(edited, 500);
    flood.pass(3500);
    for stored in flood.stored_since(before) {
        assert!((300 + 60..=300 + 110).contains(&stored), "{stored} changes");
    }
    flood.pass(13_000);
    assert_eq!(flood.at_version(2), [300, 300, 300]);
    assert_eq!(flood.stored_since(before), [600, 600, 600]);
}

/// While it waits, the registers differ, and nobody sends again what is here already: the author of
/// many edits would do so at every beat.
#[test]
fn what_waits_is_not_sent_again() {
    let mut flood = Flood::new(66);
    let new = (0..300).map(|service| flood.edit(service, 1, false));
    let new: Vec<Signed> = new.collect();
    flood.pour(new, 500);
    flood.pass(2000);
    let ids = flood
        .node(1)
        .register()
        .unwrap()
        .services()
        .map(|s| s.fields.id);
    for id in ids.collect::<Vec<_>>() {
        let edit = |node: &mut Node, now| node.update_service(id, None, Some(Transport::Kcp), now);
        assert!(flood.world.command(1, "edit", edit).unwrap().is_some());
    }
    flood.pass(2000);
    flood.world.tap = Tap::all();
    flood.pass(10_000);
    let bytes: usize = flood.world.tap.take().iter().map(Vec::len).sum();
    assert!(bytes < 2_000_000, "{bytes} bytes in ten seconds");
    flood.pass(8000);
    assert_eq!(flood.at_version(2), [300, 300, 300]);
}

/// An end is final at once; that it is said again in other words, which replaces it, waits.
#[test]
fn ends_do_not_wait() {
    let mut flood = Flood::new(64);
    let key = flood.by.key.clone();
    let raised = (2..102).map(|n| record_of(&mut flood.world, &key, n));
    let raised: Vec<Signed> = raised.collect();
    flood.pour(raised, 500);
    let before = flood.stored();
    flood.world.oracle.departs(flood.by.id.hash());
    let license = license_id(&flood.world);
    let mut ends: Vec<Signed> = (1000..2000)
        .map(|n| end_at(&flood.world, (&key, flood.by.id), license, n))
        .collect();
    // The lower bytes are kept, so that each of them replaces the one before.
    ends.sort_by(|a, b| b.payload.cmp(&a.payload));
    let first = ends.remove(0);
    flood.pour(vec![first], 100);
    let register = flood.node(0).register().unwrap();
    assert!(register.ended(flood.by.id.hash()).is_some());
    // Whoever is ended is not read any more; an accomplice is.
    flood.by.key = flood.world.hosts[1].key.clone();
    flood.number = 500;
    flood.pour(ends, 5000);
    for stored in flood.stored_since(before) {
        assert!(stored <= 17, "{stored} changes");
    }
}

/// An operator's edit is on the disk when it is answered, however many there are, and is one of the
/// newest version that has come.
#[test]
fn an_operator_does_not_wait() {
    let mut flood = Flood::new(65);
    let service = create(&mut flood.world, 1, 2).unwrap();
    flood.pass(2000);
    let before = flood.stored();
    let id = ServiceId::parse(&service.id).unwrap();
    for n in 0..50 {
        let name = Name::parse(&format!("name-{n}")).ok();
        let edit = |node: &mut Node, now| node.update_service(id, name, None, now);
        let edited = flood.world.command(1, "edit", edit).unwrap();
        assert_eq!(edited.expect("it is a member").version, n + 2);
        flood.pass(10);
    }
    flood.pass(200);
    assert!(flood.stored_since(before)[0] <= 9);
    let edit = |node: &mut Node, now| node.update_service(id, Name::parse("last").ok(), None, now);
    let edited = flood.world.command(0, "edit", edit).unwrap();
    assert_eq!(edited.expect("it is a member").version, 52);
    flood.pass(5000);
    let last = |host| {
        let register = flood.node(host).register().unwrap();
        register.service(id).unwrap().fields.name.to_string()
    };
    assert!((0..3).all(|host| last(host) == "last"));
    assert!(flood.stored_since(before)[2] <= 15);
}

//! Services over months: deletions are remembered for 90 days, and then they are gone everywhere.

use super::oracle;
use super::plan::Step;
use super::story::{both_ways, cluster, until};
use super::world::World;
use arctic::domain::{Error, Name, Result, ServiceId, ServiceRecord, Timestamp, Transport};
use arctic::node::{NewService, Node};
use arctic::wire::operator::Service;

/// Two hosts that have met, and one that they have not, of a license for ten nodes.
pub fn pair(seed: u64) -> World {
    let mut world = World::new(seed, 3, 0, 10);
    world.net.heal();
    for host in 0..3 {
        world.at(0, Step::Bootstrap(host));
    }
    world.at(100, Step::Join(1, 0..2));
    until(&mut world, 15_000);
    world
}

/// An operator of this host asks for a service to another.
pub fn create(world: &mut World, host: usize, target: usize) -> Result<Service> {
    let new = NewService {
        source: None,
        target: world.hosts[target].id,
        transport: Transport::Tcp,
        name: Name::none(),
    };
    let now = world.hosts[host].now(world.now_ms);
    let node = world.hosts[host].node.as_mut().expect("it runs");
    let made = node.create_service(new, now);
    world.settle(host).expect("nothing goes wrong");
    made
}

fn delete(world: &mut World, host: usize, service: &Service) {
    let id = ServiceId::parse(&service.id).expect("an id");
    let done = world.command(host, "unserve", |node, now| node.delete_service(id, now));
    assert!(done.expect("nothing goes wrong").is_some());
}

fn rename(world: &mut World, host: usize, service: &Service, name: &str) {
    let (id, name) = (ServiceId::parse(&service.id), Name::parse(name).ok());
    let edit = |node: &mut Node, now| node.update_service(id?, name, None, now);
    let done = world.command(host, "edit", edit);
    assert!(done.expect("nothing goes wrong").is_some());
}

/// Every deletion took a place for ever, and after some 4,000 nothing could be created any more. So
/// many as are remembered are many more, and whoever is refused hears until when.
#[test]
fn services_that_come_and_go_leave_room_for_others() {
    let mut world = pair(41);
    let first = world.hosts[0].now(world.now_ms).wall.0 / 1000 * 1000;
    for round in 0..8192 {
        let service = create(&mut world, 0, 1);
        let service = service.unwrap_or_else(|e| panic!("the {round}th creation: {e}"));
        delete(&mut world, 0, &service);
    }
    let refused = create(&mut world, 0, 1).expect_err("8192 deletions are remembered");
    assert_eq!(
        refused,
        Error::TombstoneLimit(Timestamp(first).plus_days(90))
    );
    assert_eq!(refused.code().row().name, "TOMBSTONE_LIMIT");
}

/// By a clock that lags, a deletion would be over before the others have heard of it.
#[test]
fn a_deletion_is_no_older_than_its_service_and_its_license() {
    let mut world = pair(42);
    let sound = create(&mut world, 1, 0).unwrap();
    let soon = world.now_ms + 1000;
    until(&mut world, soon);
    world.hosts[0].wall_step_ms = -world.hosts[0].now(0).wall.0;
    let strange = create(&mut world, 0, 1).unwrap();
    for service in [&sound, &strange] {
        delete(&mut world, 0, service);
    }
    let register = world.hosts[0].node.as_ref().unwrap().register().unwrap();
    let deleted_at = |service: &Service| {
        let id = ServiceId::parse(&service.id).unwrap();
        register.service(id).unwrap().fields.deleted_at
    };
    assert_eq!(deleted_at(&sound), Some(sound.created_at));
    let issued_at = world.hosts[0].license.terms.issued_at;
    assert!(strange.created_at < issued_at);
    assert_eq!(deleted_at(&strange), Some(issued_at));
}

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: u64 = 60_000;
/// By then whoever has met the others is at home among them.
const HOME_MS: u64 = 12 * MINUTE_MS;

/// Four hosts that have been a cluster for a while, and a service of host 1 that all have; beside
/// them some that are in no cluster.
fn settled(seed: u64, fresh: usize) -> (World, Service) {
    let mut world = cluster(seed, 4, fresh);
    until(&mut world, HOME_MS);
    let service = create(&mut world, 1, 2).unwrap();
    pass(&mut world, 5000);
    assert!((0..4).all(|host| has(&world, host, &service)));
    (world, service)
}

pub fn pass(world: &mut World, ms: u64) {
    let end = world.now_ms + ms;
    until(world, end);
}

/// So many days go by at once on these hosts.
fn days_pass(world: &mut World, hosts: &[usize], days: i64) {
    for host in hosts {
        world.hosts[*host].wall_step_ms += days * DAY_MS;
    }
}

fn entry(world: &World, host: usize, service: &Service) -> Option<ServiceRecord> {
    let id = ServiceId::parse(&service.id).expect("an id");
    let register = world.hosts[host].node.as_ref()?.register()?;
    register.service(id).cloned()
}

/// Whether it is there and not deleted.
fn has(world: &World, host: usize, service: &Service) -> bool {
    entry(world, host, service).is_some_and(|s| s.fields.deleted_at.is_none())
}

fn remembers(world: &World, host: usize, service: &Service) -> bool {
    entry(world, host, service).is_some_and(|s| s.fields.deleted_at.is_some())
}

fn silent(world: &mut World, host: usize) {
    world.crash(host);
    world.hosts[host].silent = true;
}

/// The clock of one host lags by a week: it remembers for longer, and the others do not learn again
/// from it what they have forgotten.
#[test]
fn a_deletion_is_forgotten_after_90_days_and_nothing_comes_back() {
    let (mut world, service) = settled(43, 0);
    delete(&mut world, 0, &service);
    pass(&mut world, 5000);
    days_pass(&mut world, &[0, 1, 2, 3], 89);
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..4).all(|host| remembers(&world, host, &service)));
    days_pass(&mut world, &[0, 1, 2], 1);
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..3).all(|host| entry(&world, host, &service).is_none()));
    assert!(remembers(&world, 3, &service));
    for host in 0..4 {
        world.at(world.now_ms, Step::Sync(host));
    }
    pass(&mut world, MINUTE_MS);
    assert!((0..3).all(|host| entry(&world, host, &service).is_none()));
    days_pass(&mut world, &[3], 1);
    pass(&mut world, 3 * MINUTE_MS);
    assert!(entry(&world, 3, &service).is_none());
    assert!(oracle::agree(&world));
    // What is forgotten is forgotten on the disk, too.
    world.crash(0);
    world.start(0).unwrap();
    assert!(entry(&world, 0, &service).is_none());
}

/// It slept through the deletion and everybody's memory of it.
#[test]
fn whoever_was_away_for_longer_takes_the_services_of_the_others() {
    let (mut world, gone) = settled(44, 0);
    let (changed, kept) = (
        create(&mut world, 1, 2).unwrap(),
        create(&mut world, 1, 2).unwrap(),
    );
    pass(&mut world, 5000);
    silent(&mut world, 3);
    delete(&mut world, 0, &gone);
    rename(&mut world, 0, &changed, "web");
    let new = create(&mut world, 0, 1).unwrap();
    pass(&mut world, 5000);
    days_pass(&mut world, &[0, 1, 2, 3], 91);
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..3).all(|host| entry(&world, host, &gone).is_none()));
    world.start(3).unwrap();
    assert!(has(&world, 3, &gone));
    // Whoever asks first.
    for host in 0..2 {
        world.at(world.now_ms, Step::Sync(host));
    }
    for _ in 0..60 {
        pass(&mut world, 1000);
        assert!((0..3).all(|host| entry(&world, host, &gone).is_none()));
    }
    assert!(entry(&world, 3, &gone).is_none());
    assert!([&changed, &kept, &new].iter().all(|s| has(&world, 3, s)));
    oracle::converged(&world).unwrap();
    // It is at home again, and what it makes is taken.
    let own = create(&mut world, 3, 0).unwrap();
    pass(&mut world, 5000);
    assert!((0..4).all(|host| has(&world, host, &own)));
}

/// Nobody was there to forget anything: everybody's services stay, also those of one alone.
#[test]
fn a_cluster_that_was_switched_off_as_a_whole_loses_nothing() {
    let (mut world, service) = settled(45, 0);
    world.at(world.now_ms, Step::Cut(both_ways(2, &[0, 1, 3])));
    pass(&mut world, 1000);
    let unheard = create(&mut world, 2, 0).unwrap();
    for host in 0..4 {
        silent(&mut world, host);
    }
    world.net.heal();
    days_pass(&mut world, &[0, 1, 2, 3], 200);
    for host in 0..4 {
        world.start(host).unwrap();
    }
    pass(&mut world, MINUTE_MS);
    assert!((0..4).all(|host| has(&world, host, &service) && has(&world, host, &unheard)));
    // And after a while they are a cluster like any other, which takes nothing from who comes late.
    pass(&mut world, HOME_MS);
    silent(&mut world, 3);
    delete(&mut world, 0, &service);
    pass(&mut world, 5000);
    days_pass(&mut world, &[0, 1, 2, 3], 91);
    pass(&mut world, 3 * MINUTE_MS);
    world.start(3).unwrap();
    pass(&mut world, MINUTE_MS);
    assert!((0..4).all(|host| entry(&world, host, &service).is_none()));
    assert!((0..4).all(|host| has(&world, host, &unheard)));
}

/// A newcomer has nothing, and is no judge of what others have.
#[test]
fn an_agent_that_was_alone_for_long_keeps_its_services_beside_a_newcomer() {
    let (mut world, service) = settled(46, 1);
    for host in 1..4 {
        silent(&mut world, host);
    }
    pass(&mut world, MINUTE_MS);
    world.crash(0);
    days_pass(&mut world, &[0, 4], 120);
    world.start(0).unwrap();
    world.add(0, 4).unwrap();
    pass(&mut world, 2 * MINUTE_MS);
    assert!([0, 4].iter().all(|host| has(&world, *host, &service)));
}

/// While nobody can be told of a deletion it is not forgotten.
#[test]
fn whoever_is_left_alone_remembers_until_the_others_are_back() {
    let mut world = pair(47);
    until(&mut world, HOME_MS);
    let service = create(&mut world, 1, 0).unwrap();
    pass(&mut world, 5000);
    silent(&mut world, 1);
    delete(&mut world, 0, &service);
    pass(&mut world, 2 * MINUTE_MS);
    days_pass(&mut world, &[0, 1], 120);
    pass(&mut world, 3 * MINUTE_MS);
    assert!(remembers(&world, 0, &service));
    world.start(1).unwrap();
    pass(&mut world, 5000);
    assert!(!has(&world, 0, &service) && !has(&world, 1, &service));
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..2).all(|host| entry(&world, host, &service).is_none()));
}

/// What a clock years ahead does to one agent is over once the clock is right.
#[test]
fn a_clock_that_was_years_ahead_has_changed_nothing() {
    let (mut world, service) = settled(48, 0);
    let before = create(&mut world, 0, 1).unwrap();
    delete(&mut world, 0, &before);
    pass(&mut world, 5000);
    days_pass(&mut world, &[3], 4000);
    pass(&mut world, 3 * MINUTE_MS);
    assert!(
        entry(&world, 3, &before).is_none(),
        "forgotten by its clock"
    );
    assert!((0..3).all(|host| remembers(&world, host, &before)));
    // It hears of what is deleted meanwhile, though by its clock that is long over.
    let during = create(&mut world, 1, 2).unwrap();
    pass(&mut world, 5000);
    assert!(has(&world, 3, &during));
    delete(&mut world, 1, &during);
    pass(&mut world, 3 * MINUTE_MS);
    assert!(entry(&world, 3, &during).is_none());
    // A start by that clock looks like one after years.
    world.crash(3);
    world.start(3).unwrap();
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..4).all(|host| has(&world, host, &service)));
    days_pass(&mut world, &[3], -4000);
    pass(&mut world, 3 * MINUTE_MS);
    assert!((0..4).all(|host| has(&world, host, &service)));
    assert!((0..4).all(|host| remembers(&world, host, &before)));
    oracle::converged(&world).unwrap();
}

/// A deletion by a clock that is far behind is over before it is heard, and is heard all the same.
#[test]
fn a_deletion_by_a_clock_that_is_far_behind_counts() {
    let (mut world, _) = settled(49, 0);
    days_pass(&mut world, &[0], -400);
    let service = create(&mut world, 0, 1).unwrap();
    pass(&mut world, 5000);
    assert!((0..4).all(|host| has(&world, host, &service)));
    delete(&mut world, 0, &service);
    pass(&mut world, 5 * MINUTE_MS);
    assert!((0..4).all(|host| !has(&world, host, &service)));
}

//! Short stories: what a seed once found, told with as few hosts as it takes.

use super::oracle;
use super::plan::{Step, member_of};
use super::rogue::Tap;
use super::world::{Path, World};

/// So many hosts of one license on a faultless network, joined by five seconds.
pub fn cluster(seed: u64, hosts: usize, fresh: usize) -> World {
    let mut world = World::new(seed, hosts + fresh, 0, 100);
    world.net.heal();
    for host in 0..hosts + fresh {
        world.at(0, Step::Bootstrap(host));
    }
    for host in 1..hosts {
        world.at(100 + 300 * host as u64, Step::Join(host, 0..hosts));
    }
    until(&mut world, 15_000);
    world
}

pub fn until(world: &mut World, at_ms: u64) {
    world
        .run_until(at_ms)
        .unwrap_or_else(|why| panic!("at {} ms: {why}", world.now_ms));
}

pub fn both_ways(a: usize, others: &[usize]) -> Vec<(usize, usize)> {
    let pairs = others.iter().flat_map(|b| [(a, *b), (*b, a)]);
    pairs.collect()
}

/// Its earlier record came back to it before any handshake, and it signed a newer one without an
/// address: nobody could dial it again. (Seeds 8, 10, 11, 17, 18 and 37 of the first simulator.)
#[test]
fn an_agent_that_lost_its_database_can_be_dialled_again() {
    for host in 1..6 {
        let mut world = cluster(1, 6, 0);
        world.at(16_000, Step::LoseDisk(host));
        until(&mut world, 40_000);
        oracle::converged(&world).unwrap_or_else(|why| panic!("host {host}: {why}"));
        let node = world.hosts[host].node.as_ref().unwrap();
        assert_ne!(node.peers().unwrap()[0].address, "0.0.0.0:8080");
    }
}

/// An eavesdropper brought a member's frame to an agent that it was not meant for, and its sender
/// was admitted before anybody looked at the addressee. (Seed 79.)
#[test]
fn a_message_for_another_agent_admits_nobody() {
    let mut world = World::new(2, 3, 0, 100);
    world.net.heal();
    world.tap = Tap::all();
    for host in 0..3 {
        world.at(0, Step::Bootstrap(host));
    }
    world.at(100, Step::Join(1, 0..2));
    until(&mut world, 5000);
    assert!(member_of(&world, 0, 1) && member_of(&world, 1, 0));
    for body in world.tap.take() {
        world.send(0, 2, Path::Message, body.into(), None);
    }
    until(&mut world, 10_000);
    assert!(!member_of(&world, 2, 0) && !member_of(&world, 2, 1));
}

/// The one to acknowledge had itself left, and never knew the one that leaves. (Seed 68.)
#[test]
fn a_departure_is_acknowledged_by_one_that_left_before() {
    let mut world = cluster(3, 3, 1);
    // Host 2 leaves unheard; host 3 still takes it for a member when it joins, and leaves, too.
    let cut = both_ways(2, &[0, 1, 3]);
    world.at(15_100, Step::Cut(cut.clone()));
    world.at(15_200, Step::Depart(2));
    world.at(15_300, Step::Join(3, 0..1));
    until(&mut world, 20_000);
    assert!(member_of(&world, 3, 2) && !member_of(&world, 2, 3));
    world.at(20_000, Step::Depart(3));
    world.at(20_100, Step::Mend(cut));
    until(&mut world, 60_000);
    oracle::delivered(&world).unwrap();
    oracle::converged(&world).unwrap();
}

/// Two that deleted each other meet again only by an add.
#[test]
fn a_deletion_stands_until_the_operator_adds() {
    let mut world = cluster(4, 4, 0);
    for _ in 0..6 {
        let at_ms = world.now_ms + 100;
        world.at(at_ms, Step::Hide(1));
        until(&mut world, at_ms + 3000);
    }
    let shown = |world: &World| world.hosts[1].node.as_ref().unwrap().peers().unwrap().len();
    assert_eq!(shown(&world), 1, "all three others were deleted");
    world.crash(1);
    world.start(1).unwrap();
    let now_ms = world.now_ms;
    until(&mut world, now_ms + 10_000);
    assert_eq!(shown(&world), 1, "a restart does not bring them back");
    for target in [0, 2, 3] {
        world.add(1, target).unwrap();
    }
    until(&mut world, now_ms + 20_000);
    assert_eq!(shown(&world), 4);
}

/// A departure that nobody could hear is heard by all once they can.
#[test]
fn a_member_that_was_down_learns_of_a_departure() {
    let mut world = cluster(5, 4, 0);
    world.at(
        15_100,
        Step::Crash {
            host: 3,
            silent: true,
            down_ms: 20_000,
        },
    );
    world.at(16_000, Step::Depart(2));
    until(&mut world, 60_000);
    oracle::converged(&world).unwrap();
    oracle::delivered(&world).unwrap();
}

/// The limit of the license gates every add; the register never grows past it by handshakes.
#[test]
fn the_limit_holds_for_every_add() {
    let mut world = World::new(6, 8, 0, 4);
    world.net.heal();
    for host in 0..8 {
        world.at(0, Step::Bootstrap(host));
    }
    for round in 0..3 {
        for host in 1..8 {
            world.at(
                1000 + 4000 * round + 500 * host as u64,
                Step::Join(host, 0..1),
            );
        }
    }
    until(&mut world, 30_000);
    let inside = (0..8).filter(|h| member_of(&world, 0, *h)).count();
    assert_eq!(inside, 4);
}

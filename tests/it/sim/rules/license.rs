//! Which issue of the license admits, by the agent's own clock.

use super::DAY_MS;
use crate::plan::{Step, member_of};
use crate::story::until;
use crate::world::World;
use arctic::domain::license::Terms;
use arctic::domain::{License, Timestamp};

const ALICE: usize = 0;
const CAROL: usize = 1;
const BOB: usize = 2;
/// From the beginning of the simulation to the end of the first issue.
const TERM_DAYS: u64 = 19;

/// How bob, who holds the first issue alone, comes to alice.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// By a handshake with carol, who holds that issue too, and by its news.
    Gossip,
    Handshake,
    /// Alice's operator adds him.
    Added,
}

fn issue(world: &World, issued: &str, expires: &str) -> License {
    let terms = Terms {
        issued_at: Timestamp::parse(issued).unwrap(),
        expires_at: Timestamp::parse(expires).unwrap(),
        ..world.hosts[ALICE].license.terms.clone()
    };
    License::issue(terms, &world.issuer)
}

/// Alice and carol are joined, bob is not, and all hold the first issue; alice has the second one too if
/// she has renewed.
fn laboratory(renewed: bool) -> World {
    let mut world = World::new(22, 3, 0, 10);
    world.net.heal();
    let first = issue(&world, "2026-01-01T00:00:00Z", "2026-06-20T00:00:00Z");
    let second = issue(&world, "2026-05-01T00:00:00Z", "2040-01-01T00:00:00Z");
    for host in [ALICE, CAROL, BOB] {
        world.hosts[host].license = first.clone();
        world.at(0, Step::Bootstrap(host));
    }
    world.at(100, Step::Join(CAROL, ALICE..CAROL));
    until(&mut world, 8000);
    if renewed {
        let renew = world.command(ALICE, "renew", |node, now| {
            node.update_license(Some(second), false, now)
        });
        assert!(renew.unwrap().is_some());
    }
    world
}

/// Whether alice takes bob, coming this way, for a member.
fn comes_in(world: &mut World, way: Way) -> bool {
    match way {
        Way::Gossip => world.add(BOB, CAROL).unwrap(),
        Way::Handshake => world.add(BOB, ALICE).unwrap(),
        Way::Added => world.add(ALICE, BOB).unwrap(),
    }
    let at_ms = world.now_ms;
    until(world, at_ms + 15_000);
    assert_eq!(member_of(world, CAROL, BOB), member_of(world, BOB, CAROL));
    assert!(way != Way::Gossip || member_of(world, CAROL, BOB));
    // Whoever is a member stays one, whatever issue it shows.
    for (here, there) in [(ALICE, CAROL), (CAROL, ALICE)] {
        let id = world.hosts[there].id;
        let node = world.hosts[here].node.as_ref().unwrap();
        assert_eq!(node.peer(id).unwrap().status, "alive", "{way:?}");
    }
    member_of(world, ALICE, BOB)
}

/// Whether alice admits bob so many days after the end of the first issue, which is the one before
/// its current one if it has renewed.
fn admits(way: Way, renewed: bool, days_after: u64) -> bool {
    let mut world = laboratory(renewed);
    let ahead_ms = (TERM_DAYS + days_after) * DAY_MS;
    world.at(9000, Step::Clock(ALICE, ahead_ms as i64));
    until(&mut world, 15_000);
    comes_in(&mut world, way)
}

/// A clock that jumps ahead and comes back, with or without a restart in between, has cost nothing.
fn a_wrong_clock_loses_no_issue(way: Way, restart: bool) {
    let mut world = laboratory(true);
    world.at(9000, Step::Clock(ALICE, (1000 * DAY_MS) as i64));
    until(&mut world, 12_000);
    if restart {
        world.crash(ALICE);
        world.start(ALICE).unwrap();
    }
    until(&mut world, 15_000);
    world.at(15_000, Step::Clock(ALICE, 0));
    until(&mut world, 20_000);
    assert!(comes_in(&mut world, way), "{way:?} {restart}");
}

#[test]
fn a_clock_that_went_ahead_and_back_has_forgotten_no_issue() {
    for restart in [false, true] {
        a_wrong_clock_loses_no_issue(Way::Gossip, restart);
        a_wrong_clock_loses_no_issue(Way::Handshake, restart);
        a_wrong_clock_loses_no_issue(Way::Added, restart);
    }
}

fn the_previous_one_admits_until_its_grace_has_ended(way: Way) {
    assert!(admits(way, true, 0), "just expired");
    assert!(admits(way, true, 13), "in its grace");
    assert!(!admits(way, true, 15), "after its grace");
}

#[test]
fn the_previous_issue_admits_by_gossip_until_its_grace_has_ended() {
    the_previous_one_admits_until_its_grace_has_ended(Way::Gossip);
}

#[test]
fn the_previous_issue_admits_by_handshake_until_its_grace_has_ended() {
    the_previous_one_admits_until_its_grace_has_ended(Way::Handshake);
}

#[test]
fn the_previous_issue_admits_whoever_is_added_until_its_grace_has_ended() {
    the_previous_one_admits_until_its_grace_has_ended(Way::Added);
}

#[test]
fn the_current_issue_always_admits_by_gossip() {
    assert!(admits(Way::Gossip, false, 15) && admits(Way::Gossip, false, 1000));
}

#[test]
fn the_current_issue_always_admits_by_handshake() {
    assert!(admits(Way::Handshake, false, 15) && admits(Way::Handshake, false, 1000));
}

//! Which issue of the license admits, by the agent's own clock.

use super::DAY_MS;
use crate::plan::{Step, member_of};
use crate::story::until;
use crate::world::World;
use arctic::domain::keys::Context;
use arctic::domain::license::Terms;
use arctic::domain::{IssueKey, License, Timestamp};
use arctic::node::Inbound;
use arctic::wire::peer::{self, Body, Frame, Message, VERSION};

const ALICE: usize = 0;
const CAROL: usize = 1;
const BOB: usize = 2;
/// From the beginning of the simulation to the end of the first issue.
const TERM_DAYS: u64 = 19;

/// How bob, who holds the first issue alone, comes to alice.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// By his record, tagged with that issue, in what carol says, who holds alice's current one.
    Gossip,
    Handshake,
}

fn issue(world: &World, issued: &str, expires: &str) -> License {
    let terms = Terms {
        issued_at: Timestamp::parse(issued).unwrap(),
        expires_at: Timestamp::parse(expires).unwrap(),
        ..world.hosts[ALICE].license.terms.clone()
    };
    License::issue(terms, &world.issuer)
}

/// Carol, who shows alice this issue, brings bob's record with the tag of his own alone.
fn carol_brings(world: &mut World, shown: &License) {
    let (alice, carol, bob) = (&world.hosts[ALICE], &world.hosts[CAROL], &world.hosts[BOB]);
    let register = alice.node.as_ref().unwrap().register().unwrap();
    let start = register.member(carol.hash()).unwrap().fields.start;
    let own = bob.node.as_ref().unwrap().register().unwrap();
    let record = own.member(bob.hash()).unwrap().signed.clone();
    let message = Message {
        v: VERSION,
        from: carol.id,
        to: alice.id,
        nonce: [1; 32],
        start,
        // Far from what carol has counted to.
        number: 100_000,
        hash: [1; 32],
        body: Body::Beat {
            items: vec![record],
        },
    };
    let issues = [IssueKey::of(shown)];
    let frame = Frame::seal(Context::Message, &message, &carol.key, &issues);
    let (from, now) = (carol.ip, alice.now(world.now_ms));
    let node = world.hosts[ALICE].node.as_mut().unwrap();
    let answer = node.receive(&peer::to_bytes(&frame), from, now).unwrap();
    assert!(matches!(answer, Inbound::Answer(_)), "{answer:?}");
}

/// Whether alice admits bob so many days after the end of the first issue, which is the one before
/// its current one if it has renewed.
fn admits(way: Way, renewed: bool, days_after: u64) -> bool {
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
            node.update_license(Some(second.clone()), false, now)
        });
        assert!(renew.unwrap().is_some());
    }
    let ahead_ms = (TERM_DAYS + days_after) * DAY_MS;
    world.at(9000, Step::Clock(ALICE, ahead_ms as i64));
    until(&mut world, 15_000);
    match way {
        Way::Gossip => carol_brings(&mut world, if renewed { &second } else { &first }),
        Way::Handshake => world.add(BOB, ALICE).unwrap(),
    }
    until(&mut world, 20_000);
    // Whoever is a member stays one, whatever issue it shows.
    assert!(member_of(&world, ALICE, CAROL));
    member_of(&world, ALICE, BOB)
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
fn the_current_issue_always_admits_by_gossip() {
    assert!(admits(Way::Gossip, false, 15) && admits(Way::Gossip, false, 1000));
}

#[test]
fn the_current_issue_always_admits_by_handshake() {
    assert!(admits(Way::Handshake, false, 15) && admits(Way::Handshake, false, 1000));
}

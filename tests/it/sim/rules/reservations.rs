//! A place in the license that a handshake has taken, for as long as it is under way and no longer.

use super::caller::{AT_MS, Caller};
use crate::host::Host;
use crate::plan::Step;
use crate::story::until;
use crate::world::World;
use arctic::core::settle::Ends;
use arctic::domain::license::Terms;
use arctic::domain::{IssueKey, License, Timestamp};
use arctic::wire::peer::{HandshakeAnswer, Refused};

/// An agent that is alone under a license for this many, and an issue of it.
fn alone(nodes: u32) -> (World, IssueKey) {
    let mut world = World::new(31, 1, 0, nodes);
    world.at(0, Step::Bootstrap(0));
    until(&mut world, AT_MS);
    let issue = IssueKey::of(&world.hosts[0].license);
    (world, issue)
}

fn ends() -> Ends {
    Ends {
        remote: [10, 0, 0, 9].into(),
        local: [10, 0, 0, 1].into(),
    }
}

fn welcomes(host: &mut Host, caller: &Caller, at_ms: u64) -> bool {
    let begun = caller.begin(host, ends(), "10.0.0.1:8080", at_ms);
    begun.is_ok_and(|b| matches!(caller.go_on(host, &b, at_ms), HandshakeAnswer::Welcome(_)))
}

#[test]
fn a_place_is_held_for_whoever_is_called_back_and_is_free_when_that_is_over() {
    let (mut world, issue) = alone(2);
    let host = &mut world.hosts[0];
    let [bob, carol] = [1, 2].map(|seed| Caller::new(seed, &issue));
    // Bob is never heard of again.
    let begun = bob.begin(host, ends(), "10.0.0.1:8080", AT_MS);
    assert!(begun.is_ok());
    let full = carol.begin(host, ends(), "10.0.0.1:8080", AT_MS + 14_000);
    assert_eq!(full.err(), Some(Refused::NodeLimit { limit: 2 }));
    assert!(welcomes(host, &carol, AT_MS + 16_000));
}

#[test]
fn a_handshake_that_fails_at_the_last_word_holds_no_place() {
    let (mut world, issue) = alone(2);
    let host = &mut world.hosts[0];
    let bob = Caller::new(1, &issue);
    let begun = bob.begin(host, ends(), "10.0.0.1:8080", AT_MS).unwrap();
    // The license is renewed meanwhile, and bob's issue no longer counts.
    let terms = Terms {
        issued_at: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        ..host.license.terms.clone()
    };
    let renewed = License::issue(terms, &world.issuer);
    let now = host.now(AT_MS);
    let node = host.node.as_mut().unwrap();
    node.update_license(Some(renewed.clone()), true, now)
        .unwrap();
    let last = bob.go_on(host, &begun, AT_MS);
    assert!(matches!(last, HandshakeAnswer::Refused { .. }), "{last:?}");
    let carol = Caller::new(2, &IssueKey::of(&renewed));
    assert!(welcomes(host, &carol, AT_MS));
}

#[test]
fn a_member_that_comes_again_needs_no_place() {
    let (mut world, issue) = alone(3);
    let host = &mut world.hosts[0];
    let [mut bob, carol] = [1, 2].map(|seed| Caller::new(seed, &issue));
    assert!(welcomes(host, &bob, AT_MS));
    assert!(carol.begin(host, ends(), "10.0.0.1:8080", AT_MS).is_ok());
    // Its own issue is for two, and there are two.
    bob.max_nodes = 2;
    assert!(welcomes(host, &bob, AT_MS));
}

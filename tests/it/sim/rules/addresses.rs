//! Where an agent without `--advertise` is reached: nobody's word moves it but the first one's, and what
//! this end of a connection shows.

use super::caller::{AT_MS, Caller};
use crate::host::{Host, PORT};
use crate::plan::Step;
use crate::story::until;
use crate::world::World;
use arctic::core::settle::Ends;
use arctic::domain::IssueKey;
use arctic::wire::peer::HandshakeAnswer;

/// An agent that was not told its address, with an issue of its license.
fn untold() -> (World, usize, IssueKey) {
    let mut world = World::new(30, 8, 0, 10);
    world.net.heal();
    for host in 0..8 {
        world.at(0, Step::Bootstrap(host));
    }
    until(&mut world, AT_MS);
    let free = |host: &Host| address(host) == format!("0.0.0.0:{PORT}");
    let victim = world
        .hosts
        .iter()
        .position(free)
        .expect("half are not told");
    let issue = IssueKey::of(&world.hosts[victim].license);
    (world, victim, issue)
}

/// What the agent shows as its own address.
fn address(host: &Host) -> String {
    let peers = host.node.as_ref().unwrap().peers().unwrap();
    peers[0].address.clone()
}

/// A whole handshake over a connection with these ends, in which the caller says that it dialled this
/// address. It is welcomed.
fn dials(caller: &Caller, host: &mut Host, dialled: &str, (remote, local): (&str, &str)) {
    let ends = Ends {
        remote: remote.parse().unwrap(),
        local: local.parse().unwrap(),
    };
    let begun = caller.begin(host, ends, dialled, AT_MS).unwrap();
    let answer = caller.go_on(host, &begun, AT_MS);
    assert!(
        matches!(answer, HandshakeAnswer::Welcome(_)),
        "dialled {dialled} over {ends:?}"
    );
}

#[test]
fn the_first_handshake_settles_what_was_dialled() {
    for dialled in ["203.0.113.7:7000", "alice.example:8080"] {
        let (mut world, victim, issue) = untold();
        let host = &mut world.hosts[victim];
        dials(
            &Caller::new(1, &issue),
            host,
            dialled,
            ("198.51.100.1", "10.0.0.1"),
        );
        assert_eq!(address(host), dialled);
    }
}

#[test]
fn no_other_word_moves_an_agent_once_it_is_settled() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let (bob, carol) = (Caller::new(1, &issue), Caller::new(2, &issue));
    dials(&bob, host, "10.0.0.1:8080", ("10.0.0.2", "10.0.0.1"));
    // A member, a newcomer that is one afterwards, and that one again.
    for (caller, dialled) in [
        (&bob, "192.0.2.66:9"),
        (&carol, "192.0.2.66:9"),
        (&carol, "192.0.2.66:8080"),
        (&bob, "alice.example:8080"),
        (&bob, "10.0.0.1:9"),
        (&bob, "127.0.0.1:8080"),
        (&bob, "localhost:8080"),
    ] {
        dials(caller, host, dialled, ("10.0.0.2", "10.0.0.1"));
        assert_eq!(address(host), "10.0.0.1:8080", "{dialled}");
    }
}

#[test]
fn an_agent_behind_a_translation_stays_where_it_was_dialled_first() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    dials(&bob, host, "203.0.113.7:7000", ("198.51.100.1", "10.0.0.1"));
    for dialled in ["192.0.2.66:9", "198.51.100.9:7000", "alice.example:7000"] {
        dials(&bob, host, dialled, ("198.51.100.1", "10.0.0.1"));
        assert_eq!(address(host), "203.0.113.7:7000", "{dialled}");
    }
}

#[test]
fn an_agent_is_where_this_end_of_the_connection_is() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    dials(&bob, host, "10.0.0.1:8080", ("10.0.0.2", "10.0.0.1"));
    dials(&bob, host, "10.5.5.5:8080", ("10.0.0.2", "10.5.5.5"));
    assert_eq!(address(host), "10.5.5.5:8080");
    dials(&bob, host, "10.6.6.6:8080", ("10.0.0.2", "::ffff:10.6.6.6"));
    assert_eq!(
        address(host),
        "10.6.6.6:8080",
        "as a socket for both families shows it"
    );
    // The port is its own to know, not the caller's to say.
    dials(&bob, host, "10.8.8.8:9", ("10.0.0.2", "10.8.8.8"));
    assert_eq!(address(host), "10.8.8.8:8080");
}

#[test]
fn loopback_is_never_an_address_for_another_host() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    // A tunnel of the caller's.
    dials(&bob, host, "127.0.0.1:7777", ("10.0.0.2", "10.0.0.1"));
    assert_eq!(address(host), "10.0.0.1:8080");
    // A process of this host.
    dials(&bob, host, "127.0.0.1:8080", ("127.0.0.1", "127.0.0.1"));
    assert_eq!(address(host), "10.0.0.1:8080");

    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    dials(&bob, host, "127.0.0.1:8080", ("127.0.0.1", "127.0.0.1"));
    assert_eq!(address(host), "127.0.0.1:8080", "all are on one host");
    dials(
        &Caller::new(2, &issue),
        host,
        "192.0.2.66:9",
        ("10.0.0.2", "10.0.0.1"),
    );
    assert_eq!(address(host), "10.0.0.1:8080", "another host has joined");
}

//! Whoever waits is told, and asks nobody again and again meanwhile.

use crate::harness::*;
use rustix::process::Signal;

#[test]
fn a_departure_that_waits_leaves_the_pulse_alone() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    // It takes the message and does not answer, so that alice waits for as long as it ever does.
    bob.signal(Signal::STOP);
    let before = alice.turns_of("pulse");
    let left = alice.call("DELETE", "/v1/peers/self", None).is(200);
    let turns = alice.turns_of("pulse") - before;
    bob.signal(Signal::CONT);
    assert_eq!(left["pending"], 1);
    // The request, its count at the end, the delivery and its retries; beats before it.
    assert!(turns < 50, "the pulse woke {turns} times");
}

#[test]
fn a_departure_that_everybody_knows_is_over_at_once() {
    let lab = Lab::new();
    let [alice, _bob] = lab.cluster(["alice", "bob"]);
    let left = alice.call("DELETE", "/v1/peers/self", None).is(200);
    assert_eq!(
        (&left["announced_to"], &left["pending"]),
        (&1.into(), &0.into())
    );
    let alone = lab.member("carol");
    let left = alone.call("DELETE", "/v1/peers/self", None).is(200);
    assert_eq!(
        (&left["announced_to"], &left["pending"]),
        (&0.into(), &0.into())
    );
}

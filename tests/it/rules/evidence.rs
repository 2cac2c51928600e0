//! What counts as evidence about another agent, and what is only this agent's own trouble.

use crate::harness::{LATER, Lab, all_know_all};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

#[test]
fn an_agent_without_descriptors_calls_nobody_unreachable() {
    let lab = Lab::new();
    let [alice, mut bob, carol, mut dave] = lab.cluster(["alice", "bob", "carol", "dave"]);
    all_know_all(&[&alice, &bob, &carol, &dave]);
    for other in [&bob, &dave] {
        alice.waits_to_see(other, "alive", LATER);
        carol.waits_to_see(other, "alive", LATER);
    }
    let pid = Pid::from_raw(alice.pid() as i32);
    // It has the limits of whoever started it.
    let usual = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(3),
        ..usual
    };
    prlimit(pid, Resource::Nofile, none).expect("one's own child can be limited");
    // Both die, and carol has time for two verdicts, one after the other.
    bob.kill();
    carol.waits_to_see(&bob, "unreachable", LATER);
    dave.kill();
    carol.waits_to_see(&dave, "unreachable", LATER);
    let log = alice.log();
    assert!(!log.contains("unreachable"), "{log}");
    prlimit(pid, Resource::Nofile, usual).expect("as it was");
    for other in [&bob, &dave] {
        alice.waits_to_see(other, "unreachable", LATER);
    }
}

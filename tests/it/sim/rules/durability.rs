//! What an agent owes to others it owes over restarts, and for as long as it promised.

use super::DAY_MS;
use crate::host::Host;
use crate::story;
use arctic::node::CallFault;

/// Starts the agent again at this time and drives it for so long; nobody ever answers. Gives how
/// many calls it made.
fn calls_after_restart(host: &mut Host, at_ms: u64, for_ms: u64) -> usize {
    host.crash();
    host.start(at_ms).unwrap();
    let (mut at, mut calls) = (at_ms, 0);
    while at < at_ms + for_ms {
        let now = host.now(at);
        let node = host.node.as_mut().unwrap();
        node.tick(now).unwrap();
        for call in node.take_calls() {
            calls += 1;
            let failed = Err(CallFault::Unanswered);
            node.completed(call.id, failed, now).unwrap();
        }
        at = host.deadline(at).unwrap();
    }
    calls
}

fn pending(host: &Host) -> usize {
    host.node.as_ref().unwrap().pending_acknowledgements()
}

#[test]
fn a_deactivation_is_offered_for_thirty_days() {
    let mut world = story::cluster(21, 2, 0);
    let at_ms = world.now_ms;
    let host = &mut world.hosts[0];
    let now = host.now(at_ms);
    assert_eq!(
        host.node.as_mut().unwrap().remove_self(false, now).unwrap(),
        1
    );
    for day in 1..30 {
        let calls = calls_after_restart(host, at_ms + day * DAY_MS, 600_000);
        assert!(calls > 0, "day {day}: no longer offered");
        assert_eq!(pending(host), 1, "day {day}: given up");
    }
    // Each start offers once more before it gives up.
    assert!(calls_after_restart(host, at_ms + 30 * DAY_MS, 600_000) > 0);
    assert_eq!(pending(host), 0, "never given up");
    let calls = calls_after_restart(host, at_ms + 31 * DAY_MS, 600_000);
    assert_eq!(calls, 0, "offered after it was given up");
}

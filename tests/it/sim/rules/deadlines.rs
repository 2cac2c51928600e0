//! The node says when it wants to be driven again; what it cannot do now is no reason.

use crate::story;
use arctic::node::CallFault;

#[test]
fn deliveries_that_have_to_wait_wake_nobody() {
    let mut world = story::cluster(23, 20, 0);
    let at_ms = world.now_ms;
    let host = &mut world.hosts[0];
    let now = host.now(at_ms);
    let node = host.node.as_mut().unwrap();
    assert_eq!(node.remove_self(false, now).unwrap(), 19);
    let calls = node.take_calls();
    assert!(!calls.is_empty() && calls.len() < 19);
    node.tick(now).unwrap();
    assert!(node.take_calls().is_empty());
    assert!(node.next_deadline(now) > now.mono_ms, "it is due already");
    // A place that is free is taken at once.
    let failed = Err(CallFault::Unanswered);
    node.completed(calls[0].id, failed, now).unwrap();
    node.tick(now).unwrap();
    assert_eq!(node.take_calls().len(), 1);
    assert!(node.next_deadline(now) > now.mono_ms);
}

//! What a store that fails for a while must not do.

use super::*;

#[test]
fn a_broken_store_stops_neither_beats_nor_makes_them_spin() {
    let mut world = World::cluster(2);
    let (renewal, now) = (license(1, 400), world.now);
    world.now.wall = Timestamp(now.wall.0 + 2 * DAY_MS);
    let now = world.now;
    let node = &mut world.members[0].node;
    node.update_license(Some(renewal), false, now).unwrap();
    world.break_store(0, true);
    // The grace of the issue before is over: it is to be dropped, and that cannot be written.
    world.now.wall = Timestamp(now.wall.0 + 390 * DAY_MS);
    let heard = |w: &World| {
        let status = w.members[1].node.status(w.now).unwrap();
        status.gossip.messages_received
    };
    let before = heard(&world);
    world.pass(10_000);
    let after = heard(&world);
    assert!(after - before >= 5, "{before} {after}");
    let now = world.now;
    assert!(world.members[0].node.next_deadline(now) > now.mono_ms);
}

#[test]
fn a_store_that_failed_for_a_while_leaves_nothing_behind() {
    let mut world = World::cluster(3);
    world.break_store(0, true);
    let new = crate::node::NewService {
        source: None,
        target: world.id(2),
        transport: crate::domain::Transport::Tcp,
        name: Name::none(),
    };
    let now = world.now;
    world.members[1].node.create_service(new, now).unwrap();
    world.pass(10_000);
    world.break_store(0, false);
    world.pass(10_000);
    assert_eq!(
        world.members[0].node.register_hash(),
        world.members[1].node.register_hash()
    );
}

//! Deactivations and their delivery.

use super::*;

#[test]
fn a_deactivation_is_offered_again_after_its_acknowledgement_could_not_be_stored() {
    let mut world = World::cluster(2);
    let now = world.now;
    assert_eq!(world.members[0].node.remove_self(false, now).unwrap(), 1);
    world.break_store(0, true);
    world.pass(1000);
    world.break_store(0, false);
    world.pass(90_000);
    assert_eq!(world.members[0].node.pending_acknowledgements(), 0);
}

#[test]
fn a_clock_that_jumps_by_years_does_not_make_an_unoffered_deactivation_stale() {
    let mut world = World::cluster(2);
    world.members[1].silent = true;
    let now = world.now;
    world.members[0].node.remove_self(false, now).unwrap();
    world.now.wall = Timestamp(now.wall.0 + 1000 * DAY_MS);
    world.restart(0);
    world.pass(2000);
    assert_eq!(world.members[0].node.pending_acknowledgements(), 1);
    world.members[1].silent = false;
    world.pass(90_000);
    assert_eq!(world.members[0].node.pending_acknowledgements(), 0);
    assert_eq!(world.members[1].node.peers().unwrap().len(), 1);
}

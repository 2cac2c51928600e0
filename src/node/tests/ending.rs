//! Tombstones, deletions and doubles.

use super::*;

fn shown(world: &World, who: usize) -> usize {
    world.members[who].node.peers().unwrap().len()
}

#[test]
fn a_clone_of_a_disk_is_noticed_on_both_sides_and_then_all_is_quiet() {
    let mut world = World::cluster(2);
    world.clone_disk(0, 9);
    world.pass(20_000);
    for who in [0, 2] {
        let readiness = world.members[who].node.readiness();
        assert_eq!(
            readiness,
            crate::node::Readiness::Ready(Some("duplicate_identity"))
        );
    }
    let incarnation = |w: &World| w.members[0].node.status(w.now).unwrap().incarnation;
    let before = incarnation(&world);
    world.pass(20_000);
    assert_eq!(incarnation(&world), before);
}

#[test]
fn an_old_backup_brings_nobody_back() {
    let mut world = World::cluster(3);
    let old = [world.back_up(0, "old0.db"), world.back_up(1, "old1.db")];
    let (now, id) = (world.now, world.id(0));
    assert_eq!(world.members[0].node.remove_self(now).unwrap(), 2);
    world.pass(3000);
    let [leaver, witness] = old;
    world.restore(0, leaver);
    world.restore(1, witness);
    world.pass(20_000);
    assert_eq!((shown(&world, 1), shown(&world, 2)), (2, 2));
    assert!(world.members[0].node.active().is_err());
    let register = world.members[1].node.register().unwrap();
    assert!(register.ended(id.hash()).is_some());
}

#[test]
fn two_that_leave_at_once_are_both_gone() {
    let mut world = World::cluster(3);
    let now = world.now;
    for who in [0, 1] {
        world.members[who].node.remove_self(now).unwrap();
    }
    world.pass(5000);
    assert_eq!(shown(&world, 2), 1);
    for who in [0, 1] {
        assert_eq!(world.members[who].node.pending_acknowledgements(), 0);
    }
}

#[test]
fn a_local_deletion_stands_against_restarts_and_news() {
    let mut world = World::cluster(3);
    let (now, id) = (world.now, world.id(2));
    world.members[0].node.delete_peer(id, now).unwrap();
    world.restart(2);
    world.pass(5000);
    world.restart(0);
    world.pass(10_000);
    assert_eq!((shown(&world, 0), shown(&world, 2)), (2, 3));
    let refused = world.members[2].node.status(world.now).unwrap().refused_by;
    assert_eq!(refused, [world.id(0).to_string()]);
    assert_eq!(
        world.members[0].node.register_hash(),
        world.members[2].node.register_hash()
    );
}

//! Adding, and coming back.

use super::*;

#[test]
fn an_agent_that_lost_its_database_can_still_be_reached_by_the_others() {
    let mut world = World::cluster(3);
    world.pass(3000);
    world.lose_database(2);
    world.pass(10_000);
    let lost = world.hash(2);
    assert_eq!(world.members[2].node.peers().unwrap().len(), 3);
    assert_eq!(
        world.members[0].address_of(lost),
        Some(world.members[2].address.clone())
    );
    let hashes: Vec<_> = world
        .members
        .iter()
        .map(|m| m.node.register_hash())
        .collect();
    assert!(hashes.windows(2).all(|two| two[0] == two[1]));
}

#[test]
fn an_address_that_a_failed_first_handshake_settled_is_settled_again() {
    let mut world = World::new(2);
    // A first attempt whose call-back fails: the initiator's address is not where it listens.
    let near = std::mem::replace(&mut world.members[0].near, IpAddr::from([10, 9, 9, 9]));
    assert!(world.add(0, 1).is_err());
    world.members[0].near = near;
    world.add(0, 1).unwrap();
    let (own, good) = (world.hash(0), world.members[0].address.clone());
    assert_eq!(world.members[1].address_of(own), Some(good));
}

#[test]
fn two_that_deleted_each_other_meet_again_by_adding() {
    let mut world = World::cluster(2);
    let now = world.now;
    for (who, whom) in [(0, 1), (1, 0)] {
        let id = world.id(whom);
        world.members[who].node.delete_peer(id, now).unwrap();
    }
    world.pass(5000);
    assert!(world.add(0, 1).is_err());
    world.add(1, 0).unwrap();
    world.pass(5000);
    assert!(
        world
            .members
            .iter()
            .all(|m| m.node.peers().unwrap().len() == 2)
    );
}

#[test]
fn another_name_for_an_agent_moves_it_for_nobody_but_a_move_does() {
    let mut world = World::new(3);
    world.add(0, 1).unwrap();
    let (moved, before) = (world.hash(1), world.members[1].address.clone());
    let alias = Address::parse("10.200.0.1:8080").unwrap();
    world.members[1].alias = Some(alias.clone());
    // A newcomer reaches it through a translation, and so does a member.
    world.add_at(2, alias.clone(), Name::none()).unwrap();
    assert!(world.add_at(0, alias.clone(), Name::none()).is_err());
    world.pass(5000);
    assert_eq!(world.members[0].address_of(moved), Some(before));
    // It has moved there itself.
    world.members[1].near = IpAddr::from([10, 200, 0, 1]);
    let (new, _) = world.add_at(0, alias.clone(), Name::none()).unwrap();
    assert!(!new);
    world.pass(5000);
    for member in [0, 2] {
        let there = world.members[member].address_of(moved);
        assert_eq!(there, Some(alias.clone()));
    }
}

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
    assert_eq!(world.members[0].node.remove_self(false, now).unwrap(), 2);
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
        world.members[who].node.remove_self(false, now).unwrap();
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

fn double(world: &World, who: usize) -> Option<String> {
    world.members[who].node.status(world.now).unwrap().duplicate
}

#[test]
fn doubles_name_each_other_and_refuse_to_remove_themselves() {
    let mut world = World::cluster(2);
    world.clone_disk(0, 9);
    world.pass(20_000);
    for (who, other) in [(0, 2), (2, 0)] {
        let (address, now) = (world.members[other].address.to_string(), world.now);
        assert_eq!(double(&world, who), Some(address.clone()));
        let node = &mut world.members[who].node;
        let refused = node.remove_self(false, now).err();
        assert_eq!(
            refused,
            Some(crate::domain::Error::DuplicateIdentity(address))
        );
    }
    let now = world.now;
    assert!(world.members[2].node.remove_self(true, now).is_ok());
}

#[test]
fn a_double_is_forgotten_a_minute_after_it_was_last_heard() {
    let mut world = World::cluster(2);
    world.clone_disk(0, 9);
    world.pass(20_000);
    // As long as it answers it is known.
    world.pass(180_000);
    assert!(double(&world, 0).is_some() && double(&world, 2).is_some());
    world.members[2].silent = true;
    world.pass(30_000);
    assert!(double(&world, 0).is_some());
    world.pass(60_000);
    assert_eq!(double(&world, 0), None);
}

#[test]
fn an_old_message_of_ones_own_makes_no_double() {
    use crate::domain::keys::Context;
    use crate::wire::peer::{self, Body, Frame, Message};
    let mut world = World::cluster(2);
    let (id, now) = (world.id(0), world.now);
    let key = SecretKey::from_seed(&[1; 32]);
    let register = world.members[0].node.register().unwrap();
    let record = register.member(id.hash()).unwrap().signed.clone();
    let message = Message {
        v: peer::VERSION,
        from: id,
        to: id,
        nonce: [1; 32],
        start: 12,
        number: 1,
        hash: [1; 32],
        body: Body::Beat { items: Vec::new() },
    };
    let issue = crate::domain::IssueKey::of(&license(0, 365));
    let frame = Frame {
        record: Some(record),
        ..Frame::seal(Context::Message, &message, &key, &[issue])
    };
    let node = &mut world.members[0].node;
    let answer = node.receive(&peer::to_bytes(&frame), ip(2), now).unwrap();
    assert!(matches!(answer, Inbound::Answer(_)));
    world.pass(5000);
    assert_eq!(double(&world, 0), None);
}

#[test]
fn whoever_is_shown_several_records_of_its_own_passes_the_highest() {
    use crate::wire::peer::{self, Body};
    let mut world = World::cluster(2);
    let (id, now) = (world.id(0), world.now);
    let key = SecretKey::from_seed(&[1; 32]);
    let issue = crate::domain::IssueKey::of(&license(0, 365));
    let register = world.members[0].node.register().unwrap();
    let fields = register.member(id.hash()).unwrap().fields.clone();
    let mut items = Vec::new();
    for incarnation in [50, 70, 60] {
        let shown = crate::domain::peer::PeerFields {
            incarnation,
            ..fields.clone()
        };
        items.push(
            crate::domain::PeerRecord::seal(shown, &key, std::slice::from_ref(&issue)).signed,
        );
    }
    let bob = world.members[1].node.register().unwrap();
    let bob = bob.member(world.hash(1)).unwrap().fields.clone();
    let message = peer::Message {
        v: peer::VERSION,
        from: bob.id,
        to: id,
        nonce: [1; 32],
        start: bob.start,
        number: 5000,
        hash: [1; 32],
        body: Body::Beat { items },
    };
    let context = crate::domain::keys::Context::Message;
    let frame = peer::Frame::seal(context, &message, &SecretKey::from_seed(&[2; 32]), &[issue]);
    let node = &mut world.members[0].node;
    node.receive(&peer::to_bytes(&frame), ip(2), now).unwrap();
    assert_eq!(node.status(now).unwrap().incarnation, 71);
}

//! Who comes in, whose end is read, and what is not for this agent.

use super::door::{ALICE, BOB, Door, FAR, beat, code};
use arctic::domain::keys::Context;
use arctic::domain::{KeyHash, PeerId, SecretKey, Signed};
use arctic::wire::peer::{Body, Frame, Standing, VERSION};
use std::net::IpAddr;

#[test]
fn a_newcomer_brings_its_own_record_and_nothing_else() {
    let mut door = Door::new();
    let (key, id, record) = door.newcomer(61);
    let friends: Vec<Signed> = (70..90).map(|seed| door.newcomer(seed).2).collect();
    let hashes: Vec<KeyHash> = friends.iter().map(|r| r.key.hash()).collect();
    let message = door.from((id, 7), 1, Body::Beat { items: friends });
    let frame = Frame {
        record: Some(record),
        ..Frame::seal(Context::Message, &message, &key, &[door.issue()])
    };
    assert_eq!(code(&door.bring(&frame)), "signed");
    assert!(door.knows(id.hash()));
    assert!(!hashes.iter().any(|hash| door.knows(*hash)));
}

#[test]
fn a_newcomer_comes_in_within_the_license_only_and_by_an_accepted_tag() {
    let mut door = Door::new();
    let limit = door.world.hosts[ALICE].license.terms.max_nodes;
    let mut bring = |seed: u8, tagged: bool| {
        let (key, id, mut record) = door.newcomer(seed);
        if !tagged {
            record.tags.clear();
        }
        let message = door.from((id, 7), 1, beat());
        let frame = Frame {
            record: Some(record),
            ..Frame::seal(Context::Message, &message, &key, &[door.issue()])
        };
        // Each from a place of its own: unsigned refusals are few.
        let from = IpAddr::from([10, 9, 9, seed]);
        let answer = door.bring_from(&frame, from);
        (code(&answer).to_string(), door.knows(id.hash()))
    };
    assert_eq!(bring(200, false), ("FORBIDDEN".to_string(), false));
    let room = limit as u8 - 2;
    for seed in 0..room {
        assert_eq!(
            bring(100 + seed, true),
            ("signed".to_string(), true),
            "{seed}"
        );
    }
    assert_eq!(bring(201, true), ("FORBIDDEN".to_string(), false));
}

#[test]
fn an_end_is_read_without_the_license_and_the_answer_is_the_refusal() {
    let mut door = Door::new();
    let bob = door.stored().fields;
    let fields = arctic::domain::announcement::AnnouncementFields {
        v: VERSION,
        subject: bob.id,
        subject_key: bob.key,
        license_id: door.world.hosts[ALICE].license.terms.license_id,
        incarnation: bob.incarnation + 1,
    };
    let end = arctic::domain::Announcement::seal(fields, &door.key(), &[]).signed;
    let beat = door.message(FAR, beat());
    let other = SecretKey::from_seed(&[66; 32]);
    let mut frame = Frame {
        record: Some(end),
        ..Frame::seal(Context::Message, &beat, &other, &[])
    };
    // Not by another key's frame.
    assert_eq!(code(&door.bring(&frame)), "LICENSE_MISMATCH");
    assert!(door.knows(bob.id.hash()));
    frame.key = bob.key;
    assert_eq!(code(&door.bring(&frame)), "LICENSE_MISMATCH");
    assert!(!door.knows(bob.id.hash()));
    let answer = door.seal(&door.from(
        (bob.id, bob.start),
        FAR + 1,
        Body::Beat { items: Vec::new() },
    ));
    let answer = door.bring(&answer);
    assert_eq!(door.opened(&answer).standing, Standing::Ended);
}

#[test]
fn an_end_of_somebody_unknown_needs_an_accepted_tag() {
    let mut door = Door::new();
    for (seed, issues, expected) in [
        (81, Vec::new(), "FORBIDDEN"),
        (82, vec![door.issue()], "signed"),
    ] {
        let key = SecretKey::from_seed(&[seed; 32]);
        let id = PeerId::derive(&key.public(), 1);
        let fields = arctic::domain::announcement::AnnouncementFields {
            v: VERSION,
            subject: id,
            subject_key: key.public(),
            license_id: door.world.hosts[ALICE].license.terms.license_id,
            incarnation: 1,
        };
        let end = arctic::domain::Announcement::seal(fields, &key, &issues).signed;
        let frame = Frame {
            record: Some(end),
            ..Frame::seal(
                Context::Message,
                &door.from((id, 1), 1, beat()),
                &key,
                &[door.issue()],
            )
        };
        assert_eq!(code(&door.bring(&frame)), expected);
    }
}

#[test]
fn what_is_for_another_agent_is_not_read_here() {
    let mut door = Door::new();
    let mut message = door.message(FAR, beat());
    message.to = door.world.hosts[BOB].id;
    let frame = door.seal(&message);
    assert_eq!(code(&door.bring(&frame)), "FORBIDDEN");
    let mut message = door.message(FAR, beat());
    message.v += 1;
    let frame = door.seal(&message);
    assert_eq!(code(&door.bring(&frame)), "FORBIDDEN");
    let mut message = door.message(FAR, beat());
    message.from = door.world.hosts[ALICE].id;
    let frame = door.seal(&message);
    assert_eq!(code(&door.bring(&frame)), "FORBIDDEN");
}

//! The node under altered messages: it never panics, and its register stays what it was.

use super::cases;
use crate::host::Direct;
use crate::plan::{Step, member_of};
use crate::rng::Rng;
use crate::rogue::{Tap, alter};
use crate::world::World;
use arctic::core::settle::Ends;
use arctic::node::{Inbound, JoinOut};
use arctic::wire::peer::{self, Handshake, HandshakeAnswer};
use proptest::prelude::*;
use std::cell::RefCell;

/// Four hosts that have met, left and shared services, and every message and answer of it.
fn story() -> (World, Vec<Vec<u8>>) {
    let mut world = World::new(3, 4, 0, 10);
    world.net.heal();
    world.tap = Tap::all();
    for host in 0..4 {
        world.at(0, Step::Bootstrap(host));
        world.at(100 + host as u64 * 500, Step::Join(host, 0..4));
    }
    world.at(6000, Step::CreateService(1));
    world.at(7000, Step::EditService(2));
    world.at(8000, Step::Depart(3));
    world
        .run_until(12_000)
        .expect("nothing goes wrong among four");
    assert!(member_of(&world, 0, 1) && !member_of(&world, 0, 3));
    let heard = world.tap.take();
    (world, heard)
}

thread_local! {
    static STORY: RefCell<(World, Vec<Vec<u8>>)> = RefCell::new(story());
}

fn with_story(work: impl FnOnce(&mut World, &[Vec<u8>])) {
    STORY.with_borrow_mut(|(world, heard)| work(world, heard));
}

fn altered(heard: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = heard[rng.below(heard.len())].clone();
    alter(&mut bytes, &mut rng);
    bytes
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn an_altered_message_changes_nothing(seed in any::<u64>()) {
        with_story(|world, heard| {
            let (body, now) = (altered(heard, seed), world.hosts[0].now(world.now_ms));
            let node = world.hosts[0].node.as_mut().unwrap();
            let before = node.register_hash();
            let answer = node.receive(&body, [10, 0, 0, 9].into(), now);
            assert!(matches!(answer, Err(_) | Ok(Inbound::Answer(_) | Inbound::Stranger(_) | Inbound::TooMany)));
            assert_eq!(node.register_hash(), before);
        });
    }

    #[test]
    fn an_altered_answer_changes_nothing(seed in any::<u64>()) {
        with_story(|world, heard| {
            world.now_ms += 1000;
            let now = world.hosts[0].now(world.now_ms);
            let node = world.hosts[0].node.as_mut().unwrap();
            node.tick(now).unwrap();
            let before = node.register_hash();
            for (i, call) in node.take_calls().into_iter().enumerate() {
                let body = altered(heard, seed.wrapping_add(i as u64));
                node.completed(call.id, Ok((200, body)), now).unwrap();
            }
            assert_eq!(node.register_hash(), before);
        });
    }

    #[test]
    fn an_altered_handshake_welcomes_nobody(seed in any::<u64>()) {
        with_story(|world, heard| {
            let body = altered(heard, seed);
            let Ok(message) = peer::read::<Handshake>(&body) else { return };
            let now = world.hosts[0].now(world.now_ms);
            let host = &mut world.hosts[0];
            let node = host.node.as_mut().unwrap();
            let before = node.register_hash();
            let ends = Ends { remote: [10, 0, 0, 2].into(), local: host.ip };
            host.joins.inbound(1, ends, message, &mut Direct(node, now), now);
            for output in host.joins.take_outputs() {
                let welcome = matches!(&output, JoinOut::Respond { answer: HandshakeAnswer::Welcome(_), .. });
                assert!(!welcome, "a welcome without a call-back");
            }
            assert_eq!(node.register_hash(), before);
        });
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        with_story(|world, _| {
            let now = world.hosts[0].now(world.now_ms);
            let node = world.hosts[0].node.as_mut().unwrap();
            let before = node.register_hash();
            assert!(node.receive(&bytes, [10, 0, 0, 9].into(), now).is_err());
            assert_eq!(node.register_hash(), before);
        });
    }
}

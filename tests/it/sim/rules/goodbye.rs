//! A goodbye: its subject's word on one of its starts, worth something once.

use crate::story::{cluster, until};
use crate::world::World;
use arctic::domain::goodbye::GoodbyeFields;
use arctic::domain::keys::Context;
use arctic::domain::signed::Bytes;
use arctic::domain::{Goodbye, IssueKey, SecretKey};
use arctic::node::Inbound;
use arctic::wire::peer::{self, Body, Frame, Message, VERSION};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Three members; bob goes on answering, whatever is said in his name.
struct Goodbyes {
    world: World,
    /// Far from what any of them has counted to.
    number: u64,
}

impl Goodbyes {
    fn new() -> Goodbyes {
        let world = cluster(33, 3, 0);
        let goodbyes = Goodbyes {
            world,
            number: 100_000,
        };
        assert_eq!(goodbyes.status(BOB), "alive");
        goodbyes
    }

    fn status(&self, host: usize) -> String {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.peer(self.world.hosts[host].id).unwrap().status
    }

    fn start_of(&self, host: usize) -> u64 {
        let register = self.world.hosts[ALICE].node.as_ref().unwrap().register();
        let record = register.unwrap().member(self.world.hosts[host].hash());
        record.unwrap().fields.start
    }

    /// What bob says of one of his starts.
    fn fields(&self, start: u64) -> Vec<u8> {
        peer::to_bytes(&GoodbyeFields {
            v: VERSION,
            subject: self.world.hosts[BOB].id,
            start,
        })
    }

    /// These bytes as bob's, signed with this key.
    fn signed(&self, payload: Vec<u8>, key: &SecretKey) -> Goodbye {
        Goodbye {
            key: self.world.hosts[BOB].key.public(),
            signature: key.sign(Context::Goodbye, &payload),
            payload: Bytes(payload),
        }
    }

    fn of_start(&self, start: u64) -> Goodbye {
        self.signed(self.fields(start), &self.world.hosts[BOB].key)
    }

    /// A member brings a goodbye to alice; gives what bob is to her then.
    fn brings(&mut self, host: usize, goodbye: &Goodbye) -> String {
        self.number += 1;
        let (own, alice) = (&self.world.hosts[host], &self.world.hosts[ALICE]);
        let message = Message {
            v: VERSION,
            from: own.id,
            to: alice.id,
            nonce: [1; 32],
            start: self.start_of(host),
            number: self.number,
            hash: [1; 32],
            body: Body::Goodbye {
                goodbye: Box::new(goodbye.clone()),
                items: Vec::new(),
            },
        };
        let issues = [IssueKey::of(&own.license)];
        let frame = Frame::seal(Context::Message, &message, &own.key, &issues);
        let (ip, now) = (own.ip, alice.now(self.world.now_ms));
        let node = self.world.hosts[ALICE].node.as_mut().unwrap();
        let answer = node.receive(&peer::to_bytes(&frame), ip, now).unwrap();
        assert!(matches!(answer, Inbound::Answer(_)), "{answer:?}");
        self.status(BOB)
    }

    fn bob_answers(&mut self) {
        let later = self.world.now_ms + 10_000;
        until(&mut self.world, later);
        assert_eq!(self.status(BOB), "alive");
    }
}

#[test]
fn a_goodbye_silences_once() {
    for bringer in [BOB, CAROL] {
        let mut goodbyes = Goodbyes::new();
        let goodbye = goodbyes.of_start(goodbyes.start_of(BOB));
        assert_eq!(goodbyes.brings(bringer, &goodbye), "suspect");
        goodbyes.bob_answers();
        for again in [BOB, CAROL] {
            assert_eq!(goodbyes.brings(again, &goodbye), "alive", "by {again}");
        }
    }
}

#[test]
fn a_goodbye_is_of_the_start_that_is_stored() {
    let mut goodbyes = Goodbyes::new();
    let start = goodbyes.start_of(BOB);
    for other in [0, start - 1, start + 1] {
        let goodbye = goodbyes.of_start(other);
        assert_eq!(goodbyes.brings(BOB, &goodbye), "alive", "{other}");
    }
}

#[test]
fn a_goodbye_is_its_subjects_own_word() {
    let mut goodbyes = Goodbyes::new();
    let carol = goodbyes.world.hosts[CAROL].key.clone();
    let fields = goodbyes.fields(goodbyes.start_of(BOB));
    let forged = goodbyes.signed(fields, &carol);
    assert_eq!(goodbyes.brings(CAROL, &forged), "alive", "not signed");
    // Under carol's key and of her start, but of bob.
    let mixed = Goodbye {
        key: carol.public(),
        ..goodbyes.signed(goodbyes.fields(goodbyes.start_of(CAROL)), &carol)
    };
    assert_eq!(goodbyes.brings(CAROL, &mixed), "alive");
    assert_eq!(goodbyes.status(CAROL), "alive", "of somebody else");
}

#[test]
fn no_key_stands_twice_in_a_goodbye() {
    for (more, taken) in [
        (r#"{"later": {"a": 1},"#, true),
        (r#"{"later": 1, "later": 2,"#, false),
        (r#"{"later": [{"a": 1, "a": 2}],"#, false),
    ] {
        let mut goodbyes = Goodbyes::new();
        let fields = String::from_utf8(goodbyes.fields(goodbyes.start_of(BOB))).unwrap();
        let payload = fields.replacen('{', more, 1).into_bytes();
        let goodbye = goodbyes.signed(payload, &goodbyes.world.hosts[BOB].key);
        let silenced = goodbyes.brings(BOB, &goodbye) == "suspect";
        assert_eq!(silenced, taken, "{more}");
    }
}

//! What is taken from whom, at the node's way in: license, number, signature, rate.

use crate::host::license;
use crate::story::cluster;
use crate::world::World;
use arctic::core::schedule::Now;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::{Address, IssueKey, KeyHash, Name, PeerId, PeerRecord, SecretKey, Signed};
use arctic::node::Inbound;
use arctic::wire::peer::{self, Answer, Answered, Body, Frame, Message, VERSION};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Two members; nothing moves but what a test sends to alice.
pub struct Door {
    pub world: World,
    pub now: Now,
}

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
/// Nowhere near what bob has counted to.
pub const FAR: u64 = 100_000;

impl Door {
    pub fn new() -> Door {
        let world = cluster(31, 2, 0);
        let now = world.hosts[ALICE].now(world.now_ms);
        Door { world, now }
    }

    pub fn key(&self) -> SecretKey {
        self.world.hosts[BOB].key.clone()
    }

    pub fn issue(&self) -> IssueKey {
        IssueKey::of(&self.world.hosts[ALICE].license)
    }

    /// The record that alice holds of bob.
    pub fn stored(&self) -> PeerRecord {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        let register = node.register().unwrap();
        let bob = self.world.hosts[BOB].hash();
        register.member(bob).unwrap().clone()
    }

    pub fn knows(&self, hash: KeyHash) -> bool {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.register().unwrap().member(hash).is_some()
    }

    /// A message as bob would say it to alice.
    pub fn message(&self, number: u64, body: Body) -> Message {
        let fields = self.stored().fields;
        self.from((fields.id, fields.start), number, body)
    }

    pub fn from(&self, (from, start): (PeerId, u64), number: u64, body: Body) -> Message {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        Message {
            v: VERSION,
            from,
            to: self.world.hosts[ALICE].id,
            nonce,
            start,
            number,
            hash: [1; 32],
            body,
        }
    }

    pub fn seal(&self, message: &Message) -> Frame {
        Frame::seal(Context::Message, message, &self.key(), &[self.issue()])
    }

    pub fn bring(&mut self, frame: &Frame) -> Inbound {
        self.bring_from(frame, self.world.hosts[BOB].ip)
    }

    pub fn bring_from(&mut self, frame: &Frame, from: IpAddr) -> Inbound {
        let node = self.world.hosts[ALICE].node.as_mut().unwrap();
        node.receive(&peer::to_bytes(frame), from, self.now)
            .unwrap()
    }

    /// Brings a message of bob's; gives the signed answer.
    pub fn tell(&mut self, number: u64, body: Body) -> Answer {
        let frame = self.seal(&self.message(number, body));
        let answer = self.bring(&frame);
        self.opened(&answer)
    }

    /// An answer that holds: license, signature.
    pub fn opened(&self, answer: &Inbound) -> Answer {
        let Inbound::Answer(bytes) = answer else {
            panic!("no signed answer: {answer:?}");
        };
        let frame: Frame = peer::read(bytes).unwrap();
        assert!(frame.opens(Context::Answer, &[self.issue()]), "no license");
        assert!(
            frame.verifies(Context::Answer) && frame.key == self.world.hosts[ALICE].key.public()
        );
        peer::read(&frame.payload.0).unwrap()
    }

    /// How many messages the node has read.
    pub fn read(&self) -> u64 {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.status(self.now).unwrap().gossip.messages_received
    }

    pub fn refuses(&self) -> Vec<String> {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.status(self.now).unwrap().refuses
    }

    /// A record of somebody who holds the license and was never here.
    pub fn newcomer(&self, seed: u8) -> (SecretKey, PeerId, Signed) {
        let key = SecretKey::from_seed(&[seed; 32]);
        let id = PeerId::derive(&key.public(), 1);
        let record = self.record_of(&key, 1, 7);
        (key, id, record)
    }

    pub fn record_of(&self, key: &SecretKey, incarnation: u64, start: u64) -> Signed {
        let fields = PeerFields {
            address: Address::parse("192.0.2.9:8080").ok(),
            id: PeerId::derive(&key.public(), 1),
            key: key.public(),
            name: Name::none(),
            incarnation,
            start,
            ..self.stored().fields
        };
        PeerRecord::seal(fields, key, &[self.issue()]).signed
    }
}

pub fn beat() -> Body {
    Body::Beat { items: Vec::new() }
}

pub fn code(inbound: &Inbound) -> &str {
    match inbound {
        Inbound::Stranger(refusal) => &refusal.code,
        Inbound::TooMany => "429",
        Inbound::Answer(_) => "signed",
    }
}

#[test]
fn without_a_mac_of_the_license_nothing_is_read_and_the_member_is_listed() {
    let mut door = Door::new();
    let bob = door.world.hosts[BOB].id.to_string();
    let good = door.seal(&door.message(FAR, beat()));
    let other = IssueKey::of(&license(&SecretKey::from_seed(&[5; 32]), 1, 10));
    let mut claimed = good.clone();
    claimed.macs = vec![other.tag(Context::Message, &good.payload.0)];
    let mut named = claimed.clone();
    named.macs[0].issue = door.issue().id();
    let mut bare = good.clone();
    bare.macs.clear();
    let mut third = good.clone();
    // A third MAC is beyond what a sender may hold: not looked for.
    third.macs = [named.macs.clone(), claimed.macs.clone(), good.macs.clone()].concat();
    for frame in [bare, claimed, named, third] {
        let before = door.read();
        assert_eq!(code(&door.bring(&frame)), "LICENSE_MISMATCH");
        assert_eq!((door.read(), door.refuses()), (before, vec![bob.clone()]));
    }
    // Its first message with the license takes it off the list.
    assert_eq!(code(&door.bring(&good)), "signed");
    assert!(door.refuses().is_empty());
    let mut forged = good;
    forged.macs.clear();
    forged.signature.0[0] ^= 1;
    door.bring(&forged);
    assert!(door.refuses().is_empty(), "anybody can name a key");
}

#[test]
fn unsigned_refusals_are_ten_a_second_for_an_address() {
    let mut door = Door::new();
    let mut bare = door.seal(&door.message(FAR, beat()));
    bare.macs.clear();
    let here: IpAddr = "192.0.2.1".parse().unwrap();
    let answers: Vec<Inbound> = (0..12).map(|_| door.bring_from(&bare, here)).collect();
    let refused = |a: &&Inbound| matches!(a, Inbound::Stranger(_));
    assert_eq!(answers.iter().filter(refused).count(), 10);
    assert_eq!(code(&answers[11]), "429");
    let there: IpAddr = "192.0.2.2".parse().unwrap();
    assert_eq!(code(&door.bring_from(&bare, there)), "LICENSE_MISMATCH");
    door.now.mono_ms += 1000;
    assert_eq!(code(&door.bring_from(&bare, here)), "LICENSE_MISMATCH");
    // Far beyond the rate nothing of that address is looked at.
    (0..500).for_each(|_| drop(door.bring_from(&bare, here)));
    let good = door.seal(&door.message(FAR, beat()));
    assert_eq!(code(&door.bring_from(&good, here)), "429");
    assert_eq!(code(&door.bring_from(&good, there)), "signed");
}

#[test]
fn a_message_that_comes_again_is_read_once_and_gets_its_answer_again() {
    let mut door = Door::new();
    let first = door.seal(&door.message(FAR, beat()));
    let answer = door.bring(&first);
    let read = door.read();
    assert_eq!(door.bring(&first), answer);
    for number in 1..=8 {
        door.tell(FAR + number, beat());
    }
    assert_eq!(door.read(), read + 8);
    // Eight answers are kept, and this was the ninth.
    let again = door.bring(&first);
    let again = door.opened(&again);
    assert_eq!(
        (again.body, again.nonce),
        (Answered::Repeated, door.message(FAR, beat()).nonce)
    );
    assert_eq!(door.read(), read + 8);
}

#[test]
fn another_message_under_a_number_that_was_read_is_not_read() {
    let mut door = Door::new();
    door.tell(FAR, beat());
    let read = door.read();
    let mut other = door.message(FAR, beat());
    other.nonce = [9; 32];
    let frame = door.seal(&other);
    let answer = door.bring(&frame);
    let answer = door.opened(&answer);
    assert_eq!((answer.body, answer.nonce), (Answered::Repeated, [9; 32]));
    assert_eq!(door.read(), read);
}

#[test]
fn what_is_too_old_for_the_window_is_not_read() {
    let mut door = Door::new();
    door.tell(FAR, beat());
    let within = door.tell(FAR - 1023, beat());
    assert!(matches!(within.body, Answered::Ack { .. }));
    let beyond = door.tell(FAR - 1024, beat());
    assert_eq!(beyond.body, Answered::Repeated);
    assert_eq!(door.tell(0, beat()).body, Answered::Repeated);
}

#[test]
fn a_forged_message_moves_no_window_and_costs_its_address() {
    let mut door = Door::new();
    let mut forged = door.seal(&door.message(u64::MAX, beat()));
    forged.signature.0[3] ^= 1;
    let here: IpAddr = "192.0.2.1".parse().unwrap();
    let codes: Vec<String> = (0..500)
        .map(|_| code(&door.bring_from(&forged, here)).to_string())
        .collect();
    assert_eq!(codes[0], "FORBIDDEN");
    assert_eq!(codes[499], "429");
    // Nothing of that address is looked at for a while, and nothing of it was charged to bob.
    let good = door.seal(&door.message(FAR, beat()));
    assert_eq!(code(&door.bring_from(&good, here)), "429");
    assert_eq!(code(&door.bring(&good)), "signed");
    assert!(matches!(
        door.tell(FAR + 1, beat()).body,
        Answered::Ack { .. }
    ));
    door.now.mono_ms += 1000;
    let good = door.seal(&door.message(FAR + 2, beat()));
    assert_eq!(code(&door.bring_from(&good, here)), "signed");
}

#[test]
fn replays_spend_the_budget_of_their_address_and_not_of_their_author() {
    let mut door = Door::new();
    let first = door.seal(&door.message(FAR, beat()));
    door.bring(&first);
    let here: IpAddr = "192.0.2.1".parse().unwrap();
    let codes: Vec<String> = (0..500)
        .map(|_| code(&door.bring_from(&first, here)).to_string())
        .collect();
    assert_eq!((codes[0].as_str(), codes[499].as_str()), ("signed", "429"));
    let answered = (1..=400u64).filter(|n| {
        let frame = door.seal(&door.message(FAR + n, beat()));
        code(&door.bring(&frame)) == "signed"
    });
    assert!(answered.count() > 350);
}

#[test]
fn a_member_has_a_rate() {
    let mut door = Door::new();
    let bob = (1..=1000u64).filter(|n| {
        let frame = door.seal(&door.message(FAR + n, beat()));
        code(&door.bring(&frame)) == "signed"
    });
    let count = bob.count();
    assert!((300..=400).contains(&count), "{count}");
    door.now.mono_ms += 1000;
    assert!(matches!(
        door.tell(FAR + 1001, beat()).body,
        Answered::Ack { .. }
    ));
}

#[test]
fn another_start_is_read_only_with_the_record_that_names_it() {
    let mut door = Door::new();
    let stored = door.stored();
    let old = (stored.fields.id, stored.fields.start + 1);
    let frame = door.seal(&door.from(old, FAR, beat()));
    let read = door.bring(&frame);
    let Answered::UnknownStart { stored: shown } = door.opened(&read).body else {
        panic!("read a message of another start");
    };
    assert_eq!(*shown, stored.signed);
    // With the record of that start it is read, and the numbers begin anew.
    let mut fields = stored.fields.clone();
    (fields.incarnation, fields.start) = (fields.incarnation + 1, fields.start + 1);
    let record = PeerRecord::seal(fields, &door.key(), &[door.issue()]);
    door.world.oracle.licensed(&record);
    let with = Frame {
        record: Some(record.signed),
        ..door.seal(&door.from(old, 1, beat()))
    };
    let answer = door.bring(&with);
    assert!(matches!(door.opened(&answer).body, Answered::Ack { .. }));
    // And what the start before had said is over.
    let before = (stored.fields.id, stored.fields.start);
    let frame = door.seal(&door.from(before, FAR + 1, beat()));
    let answer = door.bring(&frame);
    assert!(matches!(
        door.opened(&answer).body,
        Answered::UnknownStart { .. }
    ));
}

#[test]
fn a_kind_of_a_later_version_is_answered_and_not_read() {
    let mut door = Door::new();
    let mut message: Value = serde_json::to_value(door.message(FAR, beat())).unwrap();
    message["body"] = json!({"shout": {"loud": true}});
    let frame = Frame::seal(Context::Message, &message, &door.key(), &[door.issue()]);
    let read = door.read();
    let answer = door.bring(&frame);
    assert_eq!(door.opened(&answer).body, Answered::Unsupported);
    assert_eq!(door.read(), read);
    let again = door.bring(&frame);
    assert_eq!(door.opened(&again).body, Answered::Repeated);
    // A known kind that makes no sense is no later version.
    message["body"] = json!({"beat": {"item": []}});
    message["number"] = json!(FAR + 1);
    let frame = Frame::seal(Context::Message, &message, &door.key(), &[door.issue()]);
    assert_eq!(code(&door.bring(&frame)), "FORBIDDEN");
}

//! What is read of a stranger, and how much of it.

use crate::harness::*;
use arctic::domain::signed::Bytes;
use arctic::wire::peer::{
    self, Body, HANDSHAKE_PATH, Handshake, HandshakeAnswer, InitiatorProof, MESSAGE_PATH, Refused,
};
use std::io::{Read, Write};
use std::net::Ipv4Addr;

/// The contract's bounds, in bytes: a first message, all unread bodies of strangers.
const FIRST_MESSAGE: usize = 16 * 1024;
const ALL_BODIES: usize = 4 * 1024 * 1024;

fn post(path: &str, body: Vec<u8>) -> Request {
    Request::new("POST", path).json(body)
}

#[test]
fn a_proof_is_of_the_key_that_it_begins_with() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (greeter, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (other, _other_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (hello, challenge) = greeter.greet(&target.address);
    let mut proof = other.unproved(&hello, &challenge, &target.address);
    proof.key = greeter.public();
    other.prove(&mut proof, challenge.key);
    let (_, answer) = say(&target.address, &Handshake::Proof(Box::new(proof)));
    let refused = HandshakeAnswer::Refused {
        why: Refused::BadProof,
    };
    assert_eq!(answer, Some(refused));
}

#[test]
fn what_no_signature_covers_has_each_field_once_and_no_other() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let puppet = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let hello = peer::to_bytes(&Handshake::Hello(Box::new(puppet.hello())));
    let hello = String::from_utf8(hello).expect("JSON is text");
    let told = puppet.message(Target::of(&alice).id, Body::Beat { items: Vec::new() });
    let frame = peer::to_bytes(&puppet.seal(&told, Some(puppet.record())));
    let frame = String::from_utf8(frame).expect("JSON is text");
    let answered = |path: &str, body: String| post(path, body.into()).send(&alice.address).status;
    assert_eq!(answered(HANDSHAKE_PATH, hello.clone()), 200);
    assert_eq!(answered(MESSAGE_PATH, frame.clone()), 200);
    for more in [r#""x":1"#, r#""v":1"#] {
        let body = hello.replacen(r#""v":1"#, &format!(r#""v":1,{more}"#), 1);
        assert_eq!(answered(HANDSHAKE_PATH, body), 400, "{more}");
    }
    for (field, more) in [
        (r#""macs":"#, r#""x":1"#),
        (r#""macs":"#, r#""macs":[]"#),
        (r#""kind":"#, r#""x":1"#),
        (r#""kind":"#, r#""kind":"peer""#),
        (r#""issue":"#, r#""x":1"#),
    ] {
        let body = frame.replacen(field, &format!("{more},{field}"), 1);
        assert!(body.len() > frame.len(), "{field}");
        assert_eq!(answered(MESSAGE_PATH, body), 400, "{more} before {field}");
    }
}

#[test]
fn who_is_not_known_is_brief() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (puppet, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    // Its own record, many times over: nothing of it is wrong but its length.
    let long = |puppet: &Puppet| {
        let items = vec![puppet.record(); 40];
        let message = puppet.message(target.id, Body::Beat { items });
        let frame = puppet.seal(&message, Some(puppet.record()));
        post(MESSAGE_PATH, peer::to_bytes(&frame))
    };
    long(&puppet)
        .send(&alice.address)
        .refused(413, "PAYLOAD_TOO_LARGE", &["16384"]);
    let (status, _) = puppet.join(&target.address);
    assert_eq!(status, 200);
    assert_eq!(long(&puppet).send(&alice.address).status, 200);
    let stranger = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    long(&stranger)
        .send(&alice.address)
        .refused(413, "PAYLOAD_TOO_LARGE", &[]);
    // What is no frame at all, to the last byte that is read.
    for (path, status) in [(MESSAGE_PATH, 400), (HANDSHAKE_PATH, 400)] {
        let as_long = |length| post(path, vec![b' '; length]).send(&alice.address).status;
        assert_eq!(as_long(FIRST_MESSAGE), status, "{path}");
        assert_eq!(as_long(FIRST_MESSAGE + 1), 413, "{path}");
    }
}

#[test]
fn only_who_was_challenged_proves_at_length() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (puppet, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let proof = |change: &dyn Fn(&mut InitiatorProof)| {
        let many = |proof: &mut InitiatorProof| {
            proof.members = Bytes((0..30_000u32).map(|n| (n / 10) as u8).collect());
        };
        let mut proof = puppet.proof(&target.address, many);
        change(&mut proof);
        post(HANDSHAKE_PATH, peer::to_bytes(&Handshake::Proof(proof)))
    };
    // Read, and refused for what it says: more members than the license has nodes.
    let read = proof(&|_| {}).send(&alice.address);
    let answer: Option<HandshakeAnswer> = peer::read(read.body.as_bytes()).ok();
    let limit = |a: &HandshakeAnswer| {
        matches!(
            a,
            HandshakeAnswer::Refused {
                why: Refused::NodeLimit { .. }
            }
        )
    };
    assert!(answer.as_ref().is_some_and(limit), "{read:?}");
    let other = Puppet::at("127.0.0.1:9");
    for (what, unread) in [
        ("a key", proof(&|p| p.key = other.public())),
        ("a greeting", proof(&|p| p.hello_challenge[0] ^= 1)),
        ("a challenge", proof(&|p| p.challenge.0[9] ^= 1)),
        ("no challenge", proof(&|p| p.challenge.0.clear())),
    ] {
        let answer = unread.send(&alice.address);
        assert_eq!(answer.status, 413, "another {what}: {answer:?}");
    }
    let mut elsewhere = from(Ipv4Addr::new(127, 0, 0, 2), &alice).expect("loopback");
    let words = proof(&|_| {}).wire(&alice.address);
    let _ = elsewhere.write_all(&words);
    let mut answer = [0; 12];
    elsewhere.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(stage.calls_back(), 0);
}

#[test]
fn strangers_share_what_is_not_read_yet() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    const LONG: usize = 60 * 1024;
    let long = || post("/v1/bootstrap", vec![b' '; LONG]).send(&alice.address);
    let brief = || post("/v1/bootstrap", vec![b' '; 1024]).send(&alice.address);
    assert_eq!(long().status, 400);
    let mut crowd = Crowd::gather(&alice, ALL_BODIES / LONG);
    let words = post("/v1/bootstrap", vec![b' '; LONG]).wire(&alice.address);
    crowd.say(|_| words[..words.len() - 1].to_vec());
    wait_until("the strangers' bytes are taken", SOON, || {
        long().status == 503
    });
    let answer = long();
    answer.refused(503, "OVERLOADED", &[]);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // What everybody may send is answered as ever, and so is a member.
    assert_eq!(brief().status, 400);
    let (puppet, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let target = Target::of(&alice);
    assert_eq!(puppet.join(&target.address).0, 200);
    let items = vec![puppet.record(); 40];
    assert_eq!(puppet.tell(&target, Body::Beat { items }).0, 200);
    drop(crowd);
    wait_until("they are there again", SOON, || long().status == 400);
}

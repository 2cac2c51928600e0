//! Before anybody is inside: what a stranger costs, and how many come in at once. Until an initiator
//! has proved the license the responder answers from a challenge that it does not keep, stores nothing
//! and signs nothing.

use super::handshake::{add, is_alone};
use crate::harness::{Agent, Answer, Lab, Puppet, Request, Stage, Target, post, random, say};
use arctic::domain::signed::Bytes;
use arctic::wire::peer::{
    Body, CallBack, HANDSHAKE_PATH, Handshake, HandshakeAnswer, InitiatorProof, MESSAGE_PATH,
    Refused, to_bytes,
};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const BAD_PROOF: HandshakeAnswer = HandshakeAnswer::Refused {
    why: Refused::BadProof,
};

type Change = Box<dyn Fn(&mut InitiatorProof)>;

#[test]
fn a_proof_answers_a_challenge_of_this_agent() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let (to, other) = (Target::of(&alice), Target::of(&bob));
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let bobs = initiator.greet(&other.address).1.challenge;
    let altered = |at: usize| move |p: &mut InitiatorProof| p.challenge.0[at] ^= 1;
    let cases: [(&str, Change); 6] = [
        ("none", Box::new(|p| p.challenge = Bytes::default())),
        (
            "its own",
            Box::new(|p| p.challenge = Bytes([7; 72].to_vec())),
        ),
        (
            "another agent's",
            Box::new(move |p| p.challenge = bobs.clone()),
        ),
        ("with another time", Box::new(altered(7))),
        ("with another end", Box::new(altered(71))),
        (
            "of another hello",
            Box::new(|p| p.hello_challenge = random()),
        ),
    ];
    for (what, change) in cases {
        let proof = initiator.proof(&to.address, change);
        let (_, answer) = say(&to.address, &Handshake::Proof(proof));
        assert_eq!(answer, Some(BAD_PROOF), "{what}");
        assert_eq!(stage.calls_back(), 0, "{what}");
    }
    is_alone(&alice, "no challenge was answered");
}

#[test]
fn a_challenge_is_for_the_address_that_asked_for_it() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let proof = Handshake::Proof(initiator.proof(&to.address, |_| {}));
    let request = Request::new("POST", HANDSHAKE_PATH).json(to_bytes(&proof));
    let elsewhere = request.send_from([127, 0, 0, 2], &alice.address);
    let why = elsewhere.is(422);
    assert_eq!(why["refused"]["why"], "bad_proof", "{elsewhere:?}");
    assert_eq!(stage.calls_back(), 0);
    is_alone(&alice, "the challenge was somebody else's");
    request.send_from([127, 0, 0, 1], &alice.address).is(200);
    assert_eq!(stage.calls_back(), 1);
}

/// Asks again and again until the agent says that it is too much. Gives what came before, and holds
/// that it was no more than ten at once and ten a second.
#[track_caller]
fn until_too_many(mut ask: impl FnMut() -> Answer) -> Vec<Answer> {
    const MOST: usize = 500;
    let mut before = Vec::new();
    let since = Instant::now();
    while before.len() < MOST {
        let answer = ask();
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return before;
        }
        before.push(answer);
        let most = 11.0 + since.elapsed().as_secs_f64() * 10.0;
        assert!(before.len() as f64 <= most, "{} answers", before.len());
    }
    panic!("never too many");
}

#[test]
fn a_flood_of_first_messages_is_told_to_wait() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice).address;
    let puppet = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let hello = || {
        post(
            &to,
            HANDSHAKE_PATH,
            &Handshake::Hello(Box::new(puppet.hello())),
        )
    };
    let before = until_too_many(hello);
    assert!(before.len() >= 10 && before.iter().all(|a| a.status == 200));
}

#[test]
fn unsigned_refusals_are_ten_a_second() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let stranger = Puppet::at("127.0.0.1:9");
    let beat = || {
        let message = stranger.message(to.id, Body::Beat { items: Vec::new() });
        post(&to.address, MESSAGE_PATH, &stranger.seal(&message, None))
    };
    let before = until_too_many(beat);
    assert!(before.len() >= 10 && before.iter().all(|a| a.status == 403));
    // Somebody else's are not used up with them.
    let message = stranger.message(to.id, Body::Beat { items: Vec::new() });
    let request = Request::new("POST", MESSAGE_PATH).json(to_bytes(&stranger.seal(&message, None)));
    let other = request.send_from([127, 0, 0, 2], &alice.address);
    assert_eq!(other.status, 403, "{other:?}");
}

#[test]
fn the_last_place_is_taken_before_the_initiators_last_message() {
    let lab = Lab::with_limits(2, 100);
    let alice = lab.member("alice");
    let (_, second) = Puppet::honest_at_work(&lab.path("license.json"));
    let booked = Stage::book();
    let first = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let meanwhile: Arc<Mutex<Option<Answer>>> = Arc::default();
    let (keep, address) = (meanwhile.clone(), alice.address.clone());
    let other = Request::new("POST", "/v1/peers")
        .bearer(&alice.token())
        .json(json!({"address": second.address()}).to_string());
    let stage = booked.play(move |heard| {
        if let Some(Handshake::Proof(_)) = heard.handshake() {
            *keep.lock().expect("one thread") = other.try_send(&address);
        }
        first.honest(heard)
    });
    add(&alice, &stage.address()).is(201);
    let meanwhile = meanwhile.lock().expect("the stage is idle").take();
    let meanwhile = meanwhile.expect("it was asked meanwhile");
    meanwhile.refused(422, "NODE_LIMIT_EXCEEDED", &["2 nodes"]);
    let heard = second.heard();
    let proved = |word| matches!(word, Some(Handshake::Proof(_)));
    assert!(!heard.iter().any(|h| proved(h.handshake())));
    assert_eq!(alice.peers().len(), 2);
}

#[test]
fn the_last_place_is_taken_before_the_responder_calls_back() {
    let lab = Lab::with_limits(2, 100);
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let (second, idle) = Puppet::honest_at_work(&lab.path("license.json"));
    let other = Handshake::Proof(second.proof(&to.address, |_| {}));
    let booked = Stage::book();
    let first = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let meanwhile: Arc<Mutex<Option<HandshakeAnswer>>> = Arc::default();
    let (keep, own, address) = (meanwhile.clone(), first.clone(), to.address.clone());
    let _stage = booked.play(move |heard| {
        if heard.call_back().is_some() {
            *keep.lock().expect("one thread") = say(&address, &other).1;
        }
        own.honest(heard)
    });
    let (status, answer) = first.join(&to.address);
    assert_eq!(status, 200, "{answer:?}");
    let meanwhile = meanwhile.lock().expect("the stage is idle").take();
    let why = Refused::NodeLimit { limit: 2 };
    assert_eq!(meanwhile, Some(HandshakeAnswer::Refused { why }));
    assert_eq!(idle.calls_back(), 0);
    assert_eq!(alice.peers().len(), 2);
}

#[test]
fn the_limit_is_of_the_members_of_both() {
    let lab = Lab::with_limits(3, 100);
    let alice = lab.member("alice");
    let to = Target::of(&alice).address;
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let crowd = |p: &mut InitiatorProof| p.members.0.extend([[1; 10], [2; 10]].concat());
    let (_, answer) = say(&to, &Handshake::Proof(initiator.proof(&to, crowd)));
    let why = Refused::NodeLimit { limit: 3 };
    assert_eq!(answer, Some(HandshakeAnswer::Refused { why }));
    // The lower of both limits counts.
    let (_, answer) = say(
        &to,
        &Handshake::Proof(initiator.proof(&to, |p| p.max_nodes = 1)),
    );
    let why = Refused::NodeLimit { limit: 1 };
    assert_eq!(answer, Some(HandshakeAnswer::Refused { why }));
    assert_eq!(stage.calls_back(), 0);
    is_alone(&alice, "there is no room for all");
    let one = |p: &mut InitiatorProof| p.members.0.extend([1; 10]);
    let (status, answer) = say(&to, &Handshake::Proof(initiator.proof(&to, one)));
    assert_eq!(status, 200, "{answer:?}");
}

/// Everything that an agent has on its disk.
pub fn disk(agent: &Agent) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(agent.data()).expect("it has a directory");
    let mut all: Vec<(String, Vec<u8>)> = files
        .map(|file| file.expect("it can be listed"))
        // Readers and writers count themselves in there.
        .filter(|file| !file.file_name().to_string_lossy().ends_with("-shm"))
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(file.path()).expect("it can be read"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn nothing_is_stored_or_signed_for_whoever_has_not_proved_the_license() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let licensed = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let booked = Stage::book();
    let mut stranger = Puppet::at(&booked.address());
    stranger.license_id = licensed.license_id.clone();
    let own = stranger.clone();
    let stage = booked.play(move |heard| own.honest(heard));
    let before = disk(&alice);
    let mut hello = stranger.hello();
    // What was heard on the wire names the issue.
    hello.issues = licensed.hello().issues;
    let greeting = post(
        &to.address,
        HANDSHAKE_PATH,
        &Handshake::Hello(Box::new(hello.clone())),
    );
    let answer: HandshakeAnswer = serde_json::from_str(&greeting.body).expect("an answer");
    let HandshakeAnswer::Challenge(challenge) = answer else {
        panic!("{greeting:?}")
    };
    let mut proof = stranger.unproved(&hello, &challenge, &to.address);
    stranger.prove(&mut proof, to.key);
    let call = CallBack {
        hello_challenge: hello.challenge,
        nonce: random(),
    };
    let mut answers = vec![greeting];
    for word in [Handshake::Proof(Box::new(proof)), Handshake::CallBack(call)] {
        answers.push(post(&to.address, HANDSHAKE_PATH, &word));
    }
    let items = vec![stranger.record()];
    for (body, record) in [
        (Body::Beat { items }, stranger.record()),
        (Body::Beat { items: vec![] }, stranger.deactivation()),
        (Body::Beat { items: vec![] }, licensed.record()),
    ] {
        let message = stranger.message(to.id, body);
        let frame = stranger.seal(&message, Some(record));
        answers.push(post(&to.address, MESSAGE_PATH, &frame));
    }
    for answer in answers {
        let signs = answer.body.contains("signature") || answer.body.contains("proof\":");
        assert!(!signs, "{answer:?}");
    }
    assert_eq!(stage.heard().len(), 0, "a stranger is not called");
    let after = disk(&alice);
    assert!(before == after, "something was written");
    is_alone(&alice, "nobody proved anything");
}

#[test]
fn no_handshake_waits_for_another() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let (second, _second_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (_third, third_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let adds = Request::new("POST", "/v1/peers")
        .bearer(&alice.token())
        .json(json!({"address": third_stage.address()}).to_string());
    let booked = Stage::book();
    let first = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let meanwhile: Arc<Mutex<Vec<u16>>> = Arc::default();
    let (list, own, address) = (meanwhile.clone(), first.clone(), alice.address.clone());
    let _stage = booked.play(move |heard| {
        if heard.call_back().is_some() {
            let mut list = list.lock().expect("one thread");
            list.push(second.join(&to.address).0);
            list.push(adds.send(&address).status);
        }
        own.honest(heard)
    });
    let (status, answer) = first.join(&Target::of(&alice).address);
    assert_eq!(status, 200, "{answer:?}");
    let meanwhile = meanwhile.lock().expect("the stage is idle").clone();
    assert_eq!(meanwhile, [200, 201], "while alice waited for the first");
    assert_eq!(alice.peers().len(), 4);
}

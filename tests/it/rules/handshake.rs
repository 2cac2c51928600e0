//! The handshake's proofs: both sides hold the license and their key, and the initiator is where it
//! says. Whoever lacks one of these is nobody's member.

use crate::harness::{Agent, Answer, Heard, Lab, Line, Puppet, Stage, Target, random, say};
use arctic::core::handshake::{call_back_bytes, initiator_transcript};
use arctic::domain::SecretKey;
use arctic::domain::keys::Context;
use arctic::wire::peer::{
    Body, CallBack, CalledBack, Handshake, HandshakeAnswer, InitiatorProof, Refused, Welcome,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// `peers add` of whatever answers at an address.
#[track_caller]
pub fn add(agent: &Agent, address: &str) -> Answer {
    agent.call("POST", "/v1/peers", Some(json!({"address": address})))
}

/// Holds that an agent knows nobody but itself.
#[track_caller]
pub fn is_alone(agent: &Agent, why: &str) {
    let peers = agent.peers();
    assert!(peers.len() == 1, "{why}: {peers:?}");
    assert_eq!(agent.get("/v1/license")["nodes_used"], 1, "{why}");
}

/// A licensed initiator whose proof is changed before it is signed, and after. The answer, and whether
/// it was called back.
#[track_caller]
fn tries(
    lab: &Lab,
    alice: &Agent,
    before: impl FnOnce(&mut InitiatorProof),
    after: impl FnOnce(&mut InitiatorProof),
) -> (Option<HandshakeAnswer>, bool) {
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let to = Target::of(alice).address;
    let mut proof = initiator.proof(&to, before);
    after(&mut proof);
    let (_, answer) = say(&to, &Handshake::Proof(proof));
    (answer, stage.calls_back() > 0)
}

const BAD_PROOF: Option<HandshakeAnswer> = Some(HandshakeAnswer::Refused {
    why: Refused::BadProof,
});

#[test]
fn an_honest_puppet_gets_in_either_way() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (status, answer) = initiator.join(&target.address);
    assert!(
        matches!((status, &answer), (200, Some(HandshakeAnswer::Welcome(_)))),
        "{status} {answer:?}"
    );
    assert_eq!(stage.calls_back(), 1);
    let (status, answer) = initiator.tell(&target, Body::Beat { items: Vec::new() });
    assert!(status == 200 && answer.is_some(), "{status} {answer:?}");
    let own_end = Body::Beat {
        items: vec![initiator.deactivation()],
    };
    let (_, answer) = initiator.tell(&target, own_end);
    assert_eq!(answer.map(|a| a.ended), Some(vec![initiator.id]));
    let (responder, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    add(&alice, &stage.address()).is(201);
    assert!(alice.peer(&responder.id.to_string()).is_some());
}

#[test]
fn an_initiator_that_does_not_prove_the_license_is_refused() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let (answer, called) = tries(&lab, &alice, |_| {}, |p| p.proof = [0; 32]);
    assert!(answer == BAD_PROOF && !called, "no proof: {answer:?}");
    // The proof of another license under this issue's name.
    let other = Puppet::at("127.0.0.1:9").licensed(&lab.issue("other.json", 9, 9, &[]));
    let responder = Target::of(&alice).key;
    let by_other = |p: &mut InitiatorProof| {
        let transcript = initiator_transcript(p, responder).bytes();
        p.proof = other.issues[0].prove(Context::HandshakeInitiator, &transcript);
    };
    let (answer, called) = tries(&lab, &alice, |_| {}, by_other);
    assert!(answer == BAD_PROOF && !called, "another's: {answer:?}");
    is_alone(&alice, "nobody proved the license");
}

#[test]
fn an_initiator_whose_record_has_no_tag_of_the_license_is_refused() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let (answer, called) = tries(&lab, &alice, |p| p.record.tags.clear(), |_| {});
    assert!(answer == BAD_PROOF && !called, "{answer:?}");
    is_alone(&alice, "nobody could admit such a record");
}

#[test]
fn an_initiator_that_does_not_sign_with_its_key_is_refused() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let responder = Target::of(&alice).key;
    let by_other = |p: &mut InitiatorProof| {
        let transcript = initiator_transcript(p, responder).bytes();
        let other = SecretKey::from_seed(&random());
        p.signature = other.sign(Context::HandshakeInitiator, &transcript);
    };
    let (answer, called) = tries(&lab, &alice, |_| {}, by_other);
    assert!(answer == BAD_PROOF && !called, "{answer:?}");
    is_alone(&alice, "nobody signed");
}

#[test]
fn an_issue_that_is_not_held_admits_nobody() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let renewed = lab.issue("renewed.json", 20, 100, &["--renew", "license.json"]);
    let newer = Puppet::at("127.0.0.1:9").licensed(&renewed);
    let (status, answer) = say(
        &Target::of(&alice).address,
        &Handshake::Hello(Box::new(newer.hello())),
    );
    let why = Refused::NoCommonIssue;
    assert_eq!(
        (status, answer),
        (422, Some(HandshakeAnswer::Refused { why }))
    );
    // One that it held when it was asked, and has forgotten since.
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let to = Target::of(&alice);
    let proof = initiator.proof(&to.address, |_| {});
    let document = std::fs::read_to_string(&renewed).expect("a file");
    let license: Value = serde_json::from_str(&document).expect("JSON");
    let body = json!({"license": license, "forget_previous": true});
    alice.call("PUT", "/v1/license", Some(body)).is(200);
    let (_, answer) = say(&to.address, &Handshake::Proof(proof));
    let why = Refused::NoCommonIssue;
    assert_eq!(answer, Some(HandshakeAnswer::Refused { why }));
    assert_eq!(stage.calls_back(), 0);
    is_alone(&alice, "the issue is not held here");
}

/// A responder whose welcome is changed after it was signed. What the operator of the other side gets.
#[track_caller]
fn welcomes(
    lab: &Lab,
    alice: &Agent,
    mut change: impl FnMut(&mut Welcome) + Send + 'static,
) -> Answer {
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(proof)) => {
            let mut welcome = puppet.welcome(&proof);
            change(&mut welcome);
            Line::of(&HandshakeAnswer::Welcome(Box::new(welcome)))
        }
        _ => puppet.honest(heard),
    });
    add(alice, &stage.address())
}

const UNPROVED: (u16, &str, &[&str]) = (
    422,
    "HANDSHAKE_FAILED",
    &["handshake failed: invalid signature"],
);

#[test]
fn a_responder_that_does_not_prove_the_license_is_not_taken() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let (status, code, words) = UNPROVED;
    welcomes(&lab, &alice, |w| w.proof = [0; 32]).refused(status, code, words);
    is_alone(&alice, "no proof");
    welcomes(&lab, &alice, |w| w.record.tags.clear()).refused(status, code, words);
    is_alone(&alice, "no tag");
}

#[test]
fn a_responder_that_does_not_sign_with_its_key_is_not_taken() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let other = SecretKey::from_seed(&random());
    let forged = other.sign(Context::HandshakeResponder, b"");
    let (status, code, words) = UNPROVED;
    welcomes(&lab, &alice, move |w| w.signature = forged).refused(status, code, words);
    is_alone(&alice, "nobody signed");
}

#[test]
fn a_responder_cannot_pass_off_another_as_itself() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let carol = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let record = carol.record();
    // It proves and signs all of it, with a record that carol made.
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(proof)) => Line::of(&HandshakeAnswer::Welcome(Box::new(
            puppet.welcome_as(&proof, &record),
        ))),
        _ => puppet.honest(heard),
    });
    let (status, code, words) = UNPROVED;
    add(&alice, &stage.address()).refused(status, code, words);
    is_alone(&alice, "carol was never asked");
}

type CallBackScript = Box<dyn FnMut(&Puppet, &CallBack) -> Line + Send>;

/// An initiator that answers its call-back by this script.
#[track_caller]
fn called(license: &Path, alice: &Agent, mut script: CallBackScript) -> Option<HandshakeAnswer> {
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(license);
    let own = puppet.clone();
    let stage = booked.play(move |heard: &Heard| match heard.call_back() {
        Some(call) => script(&own, &call),
        None => own.honest(heard),
    });
    let answer = puppet.join(&Target::of(alice).address).1;
    assert_eq!(stage.calls_back(), 1);
    answer
}

fn signs(key: &SecretKey, bytes: &[u8]) -> Line {
    let signature = key.sign(Context::CallBack, bytes);
    Line::of(&HandshakeAnswer::CalledBack(CalledBack { signature }))
}

#[test]
fn an_initiator_that_is_not_where_it_says_is_no_member() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let responder = Target::of(&alice).key;
    let license: PathBuf = lab.path("license.json");
    let scripts: [(&str, CallBackScript); 6] = [
        (
            "somebody else's signature",
            Box::new(move |_, c| {
                let key = SecretKey::from_seed(&random());
                let bytes = call_back_bytes(&c.hello_challenge, &c.nonce, &responder);
                signs(&key, &bytes)
            }),
        ),
        (
            "a recording of another call-back",
            Box::new(move |p, c| {
                let bytes = call_back_bytes(&c.hello_challenge, &random(), &responder);
                signs(&p.key, &bytes)
            }),
        ),
        (
            "another handshake's",
            Box::new(move |p, c| signs(&p.key, &call_back_bytes(&random(), &c.nonce, &responder))),
        ),
        (
            "what another responder was told",
            Box::new(move |p, c| {
                let bytes = call_back_bytes(&c.hello_challenge, &c.nonce, &p.public());
                signs(&p.key, &bytes)
            }),
        ),
        (
            "a refusal",
            Box::new(|_, _| {
                let why = Refused::BadProof;
                Line::of(&HandshakeAnswer::Refused { why })
            }),
        ),
        ("nothing", Box::new(|_, _| Line::nothing())),
    ];
    for (what, script) in scripts {
        let answer = called(&license, &alice, script);
        let refused = matches!(
            answer,
            Some(HandshakeAnswer::Refused {
                why: Refused::CallBack { .. }
            })
        );
        assert!(refused, "{what}: {answer:?}");
        is_alone(&alice, what);
    }
}

/// Asks an agent to sign for this handshake; whether it did, and for nobody but this puppet.
fn signs_for(puppet: &Puppet, target: &Target, hello_challenge: [u8; 32]) -> bool {
    let nonce = random();
    let call = Handshake::CallBack(CallBack {
        hello_challenge,
        nonce,
    });
    let (_, answer) = say(&target.address, &call);
    let Some(HandshakeAnswer::CalledBack(answer)) = answer else {
        return false;
    };
    let bytes = call_back_bytes(&hello_challenge, &nonce, &puppet.public());
    let good = target
        .key
        .verify(Context::CallBack, &bytes, &answer.signature);
    assert!(good, "it signed something else");
    true
}

#[test]
fn whoever_is_called_back_signs_for_its_own_handshakes_alone() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let signed: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (list, own, to) = (signed.clone(), puppet.clone(), target.clone());
    let stage = booked.play(move |heard| {
        let mut list = list.lock().expect("one thread at a time");
        match heard.handshake() {
            Some(Handshake::Hello(hello)) => list.push(signs_for(&own, &to, hello.challenge)),
            Some(Handshake::Proof(proof)) => {
                list.push(signs_for(&own, &to, random()));
                list.push(signs_for(&own, &to, proof.hello_challenge));
            }
            _ => {}
        }
        own.honest(heard)
    });
    assert!(!signs_for(&puppet, &target, random()), "none is under way");
    add(&alice, &stage.address()).is(201);
    // Not before alice has proved herself, not for another handshake, and then for this one.
    let signed = signed.lock().expect("the stage is idle").clone();
    assert_eq!(signed, [false, false, true]);
}

#[test]
fn an_operator_is_told_that_the_other_side_does_not_reach_this_agent() {
    let lab = Lab::new();
    let bob = lab.member("bob");
    let unused = Stage::book().address();
    let mut alice = lab
        .stopped("alice")
        .with_args(&["--advertise", &unused])
        .start();
    alice.bootstrap(&lab.path("license.json"));
    let told = alice.add(&bob);
    told.refused(
        422,
        "PEER_UNREACHABLE",
        &["call-back failed: connection refused"],
    );
    is_alone(&alice, "bob did not reach alice");
    is_alone(&bob, "bob did not reach alice");
}

#[test]
fn whoever_has_left_comes_back_by_no_handshake() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice);
    let (bob, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    assert_eq!(bob.join(&to.address).0, 200);
    let items = vec![bob.deactivation()];
    assert_eq!(bob.tell(&to, Body::Beat { items }).0, 200);
    let (_, answer) = bob.join(&to.address);
    let announcement = Box::new(bob.deactivation());
    let why = Refused::InitiatorEnded { announcement };
    assert_eq!(answer, Some(HandshakeAnswer::Refused { why }));
    let added = add(&alice, &stage.address());
    added.refused(422, "HANDSHAKE_FAILED", &["was removed for good"]);
    is_alone(&alice, "bob has left");
}

#[test]
fn another_version_is_refused_by_either_side() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let to = Target::of(&alice).address;
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let mut hello = puppet.hello();
    hello.v += 1;
    let why = Refused::Version { v: 1 };
    let (_, answer) = say(&to, &Handshake::Hello(Box::new(hello)));
    assert_eq!(answer, Some(HandshakeAnswer::Refused { why }));
    let (answer, called) = tries(&lab, &alice, |p| p.v += 1, |_| {});
    assert!(answer == BAD_PROOF && !called, "{answer:?}");
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Hello(hello)) => {
            let mut challenge = puppet.challenge(&hello);
            challenge.v += 1;
            Line::of(&HandshakeAnswer::Challenge(challenge))
        }
        _ => puppet.honest(heard),
    });
    add(&alice, &stage.address()).refused(422, "HANDSHAKE_FAILED", &["version"]);
    is_alone(&alice, "nobody speaks as alice does");
}

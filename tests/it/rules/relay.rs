//! Somebody in the middle of a handshake, who hears everything and passes on what it likes. Both sides
//! sign and prove what was said: one word changed, and nobody becomes a member.

use super::handshake::{add, is_alone};
use crate::harness::{Agent, Lab, Line, Puppet, Stage, Target, random, say};
use arctic::domain::{Address, Signed};
use arctic::wire::peer::{Handshake, HandshakeAnswer, InitiatorProof, Refused};
use std::sync::{Arc, Mutex};

/// An address of its own that passes every word of a handshake on, changed on its way there and back.
fn between(
    there: &Agent,
    mut on_its_way: impl FnMut(&mut Handshake) + Send + 'static,
    mut back: impl FnMut(&mut HandshakeAnswer) + Send + 'static,
) -> Stage {
    let to = Target::of(there).address;
    Stage::book().play(move |heard| {
        let Some(mut word) = heard.handshake() else {
            return Line::nothing();
        };
        on_its_way(&mut word);
        match say(&to, &word) {
            (status, Some(mut answer)) => {
                back(&mut answer);
                Line::with(status, arctic::wire::peer::to_bytes(&answer))
            }
            _ => Line::nothing(),
        }
    })
}

fn nothing<T>(_: &mut T) {}

/// Changes what the initiator proved.
fn proof(mut change: impl FnMut(&mut InitiatorProof)) -> impl FnMut(&mut Handshake) {
    move |word| {
        if let Handshake::Proof(proof) = word {
            change(proof);
        }
    }
}

/// Holds that this add failed because somebody's proof is not good, and that nobody is a member.
#[track_caller]
fn fails(alice: &Agent, bob: &Agent, relay: &Stage, what: &str) {
    let answer = add(alice, &relay.address());
    assert_eq!(answer.status, 422, "{what}: {answer:?}");
    answer.refused(422, "HANDSHAKE_FAILED", &["invalid signature"]);
    is_alone(alice, what);
    is_alone(bob, what);
}

#[test]
fn a_relay_that_changes_nothing_is_no_hindrance() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let relay = between(&bob, nothing, nothing);
    add(&alice, &relay.address()).is(201);
    assert!(bob.peer(&alice.peer_id).is_some() && alice.peer(&bob.peer_id).is_some());
}

#[test]
fn a_relay_that_changes_what_the_initiator_proved_makes_no_members() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let elsewhere = Address::parse("127.0.0.1:9").expect("an address");
    let relay = between(&bob, proof(move |p| p.dialled = elsewhere.clone()), nothing);
    fails(&alice, &bob, &relay, "the dialled address");
    let relay = between(&bob, proof(|p| p.members.0.extend([7; 10])), nothing);
    fails(&alice, &bob, &relay, "one more in the member set");
    let relay = between(&bob, proof(|p| p.members.0.clear()), nothing);
    fails(&alice, &bob, &relay, "an empty member set");
    let relay = between(&bob, proof(|p| p.max_nodes += 1), nothing);
    fails(&alice, &bob, &relay, "the limit");
    let relay = between(&bob, proof(|p| p.hello_challenge = random()), nothing);
    fails(&alice, &bob, &relay, "the initiator's challenge");
    let relay = between(&bob, proof(|p| p.challenge.0[0] ^= 1), nothing);
    fails(&alice, &bob, &relay, "the responder's challenge");
}

#[test]
fn a_relay_cannot_bring_the_initiators_older_record() {
    let lab = Lab::new();
    let [mut alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let kept: Arc<Mutex<Option<Signed>>> = Arc::default();
    let keep = kept.clone();
    let relay = between(
        &bob,
        proof(move |p| {
            *keep.lock().expect("one at a time") = Some(p.record.clone());
            p.max_nodes += 1;
        }),
        nothing,
    );
    fails(&alice, &bob, &relay, "the limit");
    // The start raises the incarnation: the record is another one.
    alice.kill();
    alice.restart();
    let old = kept
        .lock()
        .expect("one at a time")
        .clone()
        .expect("a record");
    let relay = between(
        &bob,
        proof(move |p| {
            assert_ne!(p.record.payload, old.payload);
            p.record = old.clone();
        }),
        nothing,
    );
    fails(&alice, &bob, &relay, "an older record");
}

#[test]
fn a_relay_cannot_put_itself_in_the_responders_place() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let mallory = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let relay = between(&bob, nothing, move |answer| {
        if let HandshakeAnswer::Challenge(challenge) = answer {
            (challenge.key, challenge.id) = (mallory.public(), mallory.id);
        }
    });
    fails(&alice, &bob, &relay, "the responder's key");
    let relay = between(&bob, nothing, |answer| {
        if let HandshakeAnswer::Challenge(challenge) = answer {
            challenge.challenge.0[9] ^= 1;
        }
    });
    fails(
        &alice,
        &bob,
        &relay,
        "the responder's challenge, on its way back",
    );
}

/// A licensed responder that proves and signs another proof than it was sent: what a relay would have
/// to make of it. What the operator of the other side gets.
#[track_caller]
fn welcomes_another(
    lab: &Lab,
    alice: &Agent,
    what: &str,
    mut change: impl FnMut(&mut InitiatorProof) + Send + 'static,
) {
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(mut proof)) => {
            change(&mut proof);
            Line::of(&HandshakeAnswer::Welcome(Box::new(puppet.welcome(&proof))))
        }
        _ => puppet.honest(heard),
    });
    let answer = add(alice, &stage.address());
    assert_eq!(answer.status, 422, "{what}: {answer:?}");
    answer.refused(422, "HANDSHAKE_FAILED", &["invalid signature"]);
    is_alone(alice, what);
}

#[test]
fn a_welcome_to_other_words_is_none() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let elsewhere = Address::parse("127.0.0.1:9").expect("an address");
    let other = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    welcomes_another(&lab, &alice, "the dialled address", move |p| {
        p.dialled = elsewhere.clone();
    });
    welcomes_another(&lab, &alice, "the member set", |p| p.members.0.clear());
    welcomes_another(&lab, &alice, "the limit", |p| p.max_nodes -= 1);
    welcomes_another(&lab, &alice, "the initiator's challenge", |p| {
        p.hello_challenge = random();
    });
    welcomes_another(&lab, &alice, "the responder's challenge", |p| {
        p.challenge.0[0] ^= 1;
    });
    welcomes_another(&lab, &alice, "the initiator's record", move |p| {
        p.record.payload = other.record().payload;
    });
    welcomes_another(&lab, &alice, "the initiator's key", |p| {
        p.record.key = Puppet::at("127.0.0.1:9").public();
    });
}

#[test]
fn a_relay_cannot_bring_the_responders_other_record() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    let mut later = puppet.clone();
    later.incarnation += 1;
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(proof)) => {
            let mut welcome = later.welcome(&proof);
            welcome.record = puppet.record();
            Line::of(&HandshakeAnswer::Welcome(Box::new(welcome)))
        }
        _ => puppet.honest(heard),
    });
    add(&alice, &stage.address()).refused(422, "HANDSHAKE_FAILED", &["invalid signature"]);
    is_alone(&alice, "the record is not the one that was signed");
}

#[test]
fn a_proof_is_no_welcome_when_it_is_reflected() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let booked = Stage::book();
    let mut puppet = Puppet::at(&booked.address()).licensed(&lab.path("license.json"));
    // A record that somebody tagged for it once is all that it has of the license.
    let record = puppet.record();
    puppet.issues.clear();
    let stage = booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(proof)) => {
            let mut welcome = puppet.welcome_as(&proof, &record);
            welcome.proof = proof.proof;
            Line::of(&HandshakeAnswer::Welcome(Box::new(welcome)))
        }
        _ => puppet.honest(heard),
    });
    add(&alice, &stage.address()).refused(422, "HANDSHAKE_FAILED", &["invalid signature"]);
    is_alone(&alice, "it heard alice's own proof");
}

#[test]
fn a_recorded_proof_is_worth_nothing_a_second_time() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.member(name));
    let kept: Arc<Mutex<Option<Handshake>>> = Arc::default();
    let keep = kept.clone();
    let relay = between(
        &bob,
        move |word| {
            if matches!(word, Handshake::Proof(_)) {
                *keep.lock().expect("one at a time") = Some(word.clone());
            }
        },
        nothing,
    );
    add(&alice, &relay.address()).is(201);
    let recorded = kept
        .lock()
        .expect("one at a time")
        .clone()
        .expect("a proof");
    let (_, answer) = say(&Target::of(&bob).address, &recorded);
    let refused = matches!(
        answer,
        Some(HandshakeAnswer::Refused {
            why: Refused::CallBack { .. }
        })
    );
    assert!(refused, "alice is in no handshake with bob: {answer:?}");
}

/// Two agents in the middle of a renewal: both hold the new issue and the one before.
fn renewed(lab: &Lab) -> [Agent; 2] {
    let renewed = lab.issue("renewed.json", 20, 100, &["--renew", "license.json"]);
    let document = std::fs::read_to_string(renewed).expect("a file");
    ["alice", "bob"].map(|name| {
        let agent = lab.member(name);
        let license = serde_json::from_str(&document).expect("JSON");
        agent.call("PUT", "/v1/license", Some(license)).is(200);
        agent
    })
}

#[test]
fn a_relay_cannot_choose_the_issue_that_is_proved() {
    let lab = Lab::new();
    let [alice, bob] = renewed(&lab);
    let old = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let old = old.issues[0].id();
    let relay = between(&bob, proof(move |p| p.issue = old), nothing);
    fails(&alice, &bob, &relay, "the issue of the proof");
    let relay = between(&bob, nothing, move |answer| {
        if let HandshakeAnswer::Challenge(challenge) = answer {
            challenge.issue = old;
        }
    });
    fails(&alice, &bob, &relay, "the issue that the responder chose");
    let only_old = move |word: &mut Handshake| {
        if let Handshake::Hello(hello) = word {
            hello.issues = vec![old];
        }
    };
    let relay = between(&bob, only_old, nothing);
    fails(&alice, &bob, &relay, "the issues that bob heard of");
    let consistent = move |word: &mut Handshake| match word {
        Handshake::Hello(hello) => hello.issues = vec![old],
        Handshake::Proof(proof) => proof.issues = vec![old],
        Handshake::CallBack(_) => {}
    };
    let relay = between(&bob, consistent, nothing);
    fails(&alice, &bob, &relay, "the issues that alice has");
}

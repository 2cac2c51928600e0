//! A local deletion: only `peers add` on this agent lifts it, and only on the deleted key's own word.

use super::handshake::add;
use crate::harness::{Agent, Lab, Line, Puppet, Stage, Target, say};
use arctic::core::handshake;
use arctic::domain::SecretKey;
use arctic::domain::keys::Context;
use arctic::wire::peer::{Denial, Handshake, HandshakeAnswer, InitiatorProof, Refused};

/// An agent that had bob as a member and has deleted it, and bob.
fn deleted(lab: &Lab) -> (Agent, Puppet) {
    let alice = lab.member("alice");
    let (bob, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    add(&alice, &stage.address()).is(201);
    let path = format!("/v1/peers/{}", bob.id);
    alice.call("DELETE", &path, None).is(200);
    (alice, bob)
}

/// Somebody who names bob's key in the first answer, and says this to the proof.
fn in_the_name_of(
    bob: &Puppet,
    mut last_word: impl FnMut(&InitiatorProof) -> Line + Send + 'static,
) -> Stage {
    let bob = bob.clone();
    Stage::book().play(move |heard| match heard.handshake() {
        Some(Handshake::Hello(hello)) => {
            Line::of(&HandshakeAnswer::Challenge(bob.challenge(&hello)))
        }
        Some(Handshake::Proof(proof)) => last_word(&proof),
        _ => Line::nothing(),
    })
}

/// `deleted here`, with a license's proof and a key's signature.
fn deleted_here(proof: &InitiatorProof, license: &Puppet, key: &SecretKey, named: &Puppet) -> Line {
    let transcript = handshake::deleted_here_transcript(proof, named.public()).bytes();
    let role = Context::HandshakeResponder;
    let why = Refused::DeletedHere(Denial {
        proof: license.issues[0].prove(role, &transcript),
        signature: key.sign(role, &transcript),
    });
    Line::of(&HandshakeAnswer::Refused { why })
}

type LastWord = Box<dyn FnMut(&InitiatorProof) -> Line + Send>;

#[test]
fn whoever_only_names_the_deleted_key_lifts_no_deletion() {
    let lab = Lab::new();
    let (alice, bob) = deleted(&lab);
    let other = Puppet::at("127.0.0.1:9").licensed(&lab.issue("other.json", 9, 9, &[]));
    let mut recorded = None;
    let words: [(&str, LastWord); 5] = [
        (
            "the bare word",
            Box::new(|_| Line::with(422, r#"{"refused":{"why":"deleted_here"}}"#)),
        ),
        ("another member's word", {
            let bob = bob.clone();
            Box::new(move |proof| deleted_here(proof, &bob, &SecretKey::from_seed(&[9; 32]), &bob))
        }),
        ("bob's word under another license", {
            let bob = bob.clone();
            Box::new(move |proof| deleted_here(proof, &other, &bob.key, &bob))
        }),
        ("what bob said in an earlier handshake", {
            let bob = bob.clone();
            Box::new(move |proof| {
                let mut earlier = proof.clone();
                earlier.hello_challenge = [1; 32];
                let again =
                    recorded.get_or_insert_with(|| deleted_here(&earlier, &bob, &bob.key, &bob));
                again.clone()
            })
        }),
        ("bob's welcome, called a refusal", {
            let bob = bob.clone();
            Box::new(move |proof| {
                let welcome = bob.welcome(proof);
                let why = Refused::DeletedHere(Denial {
                    proof: welcome.proof,
                    signature: welcome.signature,
                });
                Line::of(&HandshakeAnswer::Refused { why })
            })
        }),
    ];
    for (what, word) in words {
        let rogue = in_the_name_of(&bob, word);
        let answer = add(&alice, &rogue.address());
        answer.refused(422, "HANDSHAKE_FAILED", &[]);
        assert!(alice.peer(&bob.id.to_string()).is_none(), "{what}");
    }
}

#[test]
fn two_that_deleted_each_other_meet_again_by_adding() {
    let lab = Lab::new();
    let (alice, bob) = deleted(&lab);
    let own = bob.clone();
    let stage = in_the_name_of(&bob, move |proof| deleted_here(proof, &own, &own.key, &own));
    let answer = add(&alice, &stage.address());
    answer.refused(422, "HANDSHAKE_FAILED", &["has deleted this one"]);
    assert!(alice.peer(&bob.id.to_string()).is_some());
}

#[test]
fn a_deletion_is_spoken_of_only_to_who_proves_the_license() {
    let lab = Lab::new();
    let (alice, bob) = deleted(&lab);
    let to = Target::of(&alice).address;
    let mut proof = bob.proof(&to, |_| {});
    proof.proof = [0; 32];
    let (_, answer) = say(&to, &Handshake::Proof(proof));
    let refused = |why| Some(HandshakeAnswer::Refused { why });
    assert_eq!(answer, refused(Refused::BadProof));
    let proof = bob.proof(&to, |_| {});
    let (_, answer) = say(&to, &Handshake::Proof(proof.clone()));
    let Some(HandshakeAnswer::Refused {
        why: Refused::DeletedHere(denial),
    }) = answer
    else {
        panic!("{answer:?}");
    };
    let key = Target::of(&alice).key;
    let transcript = handshake::deleted_here_transcript(&proof, key).bytes();
    let (role, issue) = (Context::HandshakeResponder, &bob.issues[0]);
    let good = handshake::check(
        role,
        &transcript,
        issue,
        &key,
        &denial.proof,
        &denial.signature,
    );
    assert!(good, "the refusal is proved");
}

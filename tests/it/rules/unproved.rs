//! What is left behind by a handshake in which the other side proved nothing, or that failed: no word,
//! no place, no address.

use super::doorstep::disk;
use super::handshake::{add, is_alone};
use crate::harness::{Agent, Lab, Line, Puppet, Stage, Target, say};
use arctic::domain::peer::PeerFields;
use arctic::domain::{Address, PeerRecord, Signature};
use arctic::wire::peer::{
    Denial, Handshake, HandshakeAnswer, InitiatorProof, Refused, Welcome, to_bytes,
};

/// Somebody without the license that answers a proof with this.
fn rogue(last_word: impl FnOnce(&Puppet) -> HandshakeAnswer) -> Stage {
    let booked = Stage::book();
    let puppet = Puppet::at(&booked.address());
    let answer = to_bytes(&last_word(&puppet));
    booked.play(move |heard| match heard.handshake() {
        Some(Handshake::Proof(_)) => Line::with(422, answer.clone()),
        _ => puppet.honest(heard),
    })
}

fn refused(why: Refused) -> HandshakeAnswer {
    HandshakeAnswer::Refused { why }
}

fn ended(whose: &Puppet) -> HandshakeAnswer {
    let announcement = Box::new(whose.deactivation());
    refused(Refused::InitiatorEnded { announcement })
}

#[test]
fn nothing_is_stored_on_the_word_of_a_responder_that_proves_nothing() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let carol = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let signature = Signature([0; 64]);
    let proof = [0; 32];
    type Word<'a> = Box<dyn FnOnce(&Puppet) -> HandshakeAnswer + 'a>;
    let words: [(&str, Word); 6] = [
        ("its own end", Box::new(ended)),
        (
            "another's end, told as alice's",
            Box::new(|_| ended(&carol)),
        ),
        (
            "that alice is deleted there",
            Box::new(|_| refused(Refused::DeletedHere(Denial { proof, signature }))),
        ),
        (
            "that it has left",
            Box::new(|p| refused(Refused::Deactivated { peer_id: p.id })),
        ),
        (
            "that there is no room",
            Box::new(|_| refused(Refused::NodeLimit { limit: 1 })),
        ),
        (
            "a welcome",
            Box::new(|p| {
                HandshakeAnswer::Welcome(Box::new(Welcome {
                    record: p.record(),
                    proof,
                    signature,
                }))
            }),
        ),
    ];
    // The first call with a token writes down that the credentials are used.
    is_alone(&alice, "nothing has happened");
    let before = disk(&alice);
    for (what, word) in words {
        let answer = add(&alice, &rogue(word).address());
        assert_eq!(answer.status, 422, "{what}: {answer:?}");
        assert!(disk(&alice) == before, "{what} was written down");
        is_alone(&alice, what);
    }
}

#[test]
fn a_place_is_free_again_when_the_initiators_handshake_has_failed() {
    let lab = Lab::with_limits(2, 100);
    let alice = lab.member("alice");
    let liar = rogue(|p| {
        HandshakeAnswer::Welcome(Box::new(Welcome {
            record: p.record(),
            proof: [0; 32],
            signature: Signature([0; 64]),
        }))
    });
    let silent = {
        let booked = Stage::book();
        let puppet = Puppet::at(&booked.address());
        booked.play(move |heard| match heard.handshake() {
            Some(Handshake::Proof(_)) => Line::nothing(),
            _ => puppet.honest(heard),
        })
    };
    let busy = rogue(|_| refused(Refused::Overloaded));
    let denies = rogue(|_| {
        refused(Refused::DeletedHere(Denial {
            proof: [0; 32],
            signature: Signature([0; 64]),
        }))
    });
    for stage in [&liar, &silent, &busy, &denies] {
        assert_eq!(add(&alice, &stage.address()).status, 422);
    }
    let (_, honest) = Puppet::honest_at_work(&lab.path("license.json"));
    add(&alice, &honest.address()).is(201);
}

#[test]
fn a_place_is_free_again_when_the_responders_call_back_has_failed() {
    let lab = Lab::with_limits(2, 100);
    let alice = lab.member("alice");
    let to = Target::of(&alice).address;
    let absent = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let homeless = PeerFields {
        address: None,
        ..absent.fields()
    };
    let record = PeerRecord::seal(homeless, &absent.key, &absent.issues).signed;
    let proof = absent.proof(&to, |p| p.record = record);
    let refusals = [absent.join(&to), say(&to, &Handshake::Proof(proof))];
    for (status, answer) in refusals {
        assert_eq!(status, 422, "{answer:?}");
    }
    let (present, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (status, answer) = present.join(&to);
    assert_eq!(status, 200, "{answer:?}");
}

/// An agent that was told no address, and what it says that its own is.
fn unsettled(lab: &Lab) -> Agent {
    let mut alice = lab.stopped("alice").listening(Some("0.0.0.0:0")).start();
    alice.address = alice.address.replace("0.0.0.0", "127.0.0.1");
    alice.bootstrap(&lab.path("license.json"));
    alice
}

fn own(agent: &Agent) -> (String, u64) {
    let own = agent.get("/v1/peers?is_local=true")[0].clone();
    let address = own["address"].as_str().unwrap_or_default().to_string();
    (address, own["incarnation"].as_u64().expect("a number"))
}

#[test]
fn no_members_word_moves_an_agent_that_was_told_no_address() {
    let lab = Lab::new();
    let alice = unsettled(&lab);
    let to = Target::of(&alice).address;
    let (first, _first_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    assert_eq!(first.join(&to).0, 200);
    let settled = own(&alice);
    assert_eq!(settled.0, alice.address, "where it was dialled");
    let (second, _second_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let elsewhere = [
        "192.0.2.66:9",
        "127.0.0.1:9",
        "localhost:9",
        "alice.example:8080",
    ];
    for claim in elsewhere {
        let dialled = Address::parse(claim).expect("an address");
        let lie = |p: &mut InitiatorProof| p.dialled = dialled.clone();
        for member in [&first, &second] {
            let proof = member.proof(&to, lie);
            let (status, answer) = say(&to, &Handshake::Proof(proof));
            assert_eq!(status, 200, "{claim}: {answer:?}");
            assert_eq!(own(&alice), settled, "{claim}");
        }
    }
}

//! Golden vectors: the exact bytes of each signed form and of each kind of message, in files under
//! `vectors/`. Whoever changes the wire changes a vector, knowingly: `ARCTIC_WRITE_VECTORS=1 cargo test
//! --test it vectors` writes them anew.
//!
//! `NAME.json` is what travels; `NAME.signed` the bytes inside that are signed, behind the context of
//! `contexts.txt`. Keys are made of 32 equal bytes, see `samples`; the license is `license.json`.

mod samples;

use arctic::core::handshake;
use arctic::domain::keys::Context;
use arctic::domain::signed::Bytes;
use arctic::domain::{Announcement, License, PeerRecord, ServiceRecord, Signed};
use arctic::wire::peer::{
    self, Answered, Body, CallBack, CalledBack, Challenge, Denial, Frame, Handshake,
    HandshakeAnswer, Hello, Refusal, Refused, Standing, Touch, VERSION,
};
use samples::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;

/// Compares with the file, or writes it.
fn hold(file: &str, bytes: &[u8]) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/vectors");
    let path = dir.join(file);
    if std::env::var_os("ARCTIC_WRITE_VECTORS").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(&stored),
        String::from_utf8_lossy(bytes),
        "the wire has changed: {file}"
    );
}

/// The shape gives the file's bytes, and the file's bytes the shape.
fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, shape: &T) {
    let bytes = peer::to_bytes(shape);
    hold(&format!("{name}.json"), &bytes);
    let read: T = peer::read(&bytes).unwrap();
    assert_eq!(read, *shape, "{name}");
}

fn signed(name: &str, document: &Signed) {
    both_ways(name, document);
    hold(&format!("{name}.signed"), &document.payload.0);
    assert!(document.tagged_by(&issues()), "{name}");
}

/// A frame, what is signed in it, and the shape inside.
fn frame<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    name: &str,
    context: Context,
    seed: u8,
    body: &T,
) {
    let frame = Frame::seal(context, body, &key(seed), &issues());
    both_ways(name, &frame);
    hold(&format!("{name}.signed"), &frame.payload.0);
    let read: Frame = peer::read(&peer::to_bytes(&frame)).unwrap();
    assert!(
        read.opens(context, &issues()) && read.verifies(context),
        "{name}"
    );
    assert_eq!(peer::read::<T>(&read.payload.0).unwrap(), *body, "{name}");
}

#[test]
fn documents() {
    let license = license();
    hold("license.json", license.to_document().as_bytes());
    let read = License::parse(license.to_document().as_bytes()).unwrap();
    assert!(read == license && read.verify(&[key(ISSUER).public()]).is_ok());
    signed("peer", &record(ALICE).signed);
    assert_eq!(
        PeerRecord::open(record(ALICE).signed).unwrap(),
        record(ALICE)
    );
    let deleted = service(Some(time("2026-11-02T10:00:00Z")));
    for (name, record) in [("service", service(None)), ("service-deleted", deleted)] {
        signed(name, &record.signed);
        assert_eq!(ServiceRecord::open(record.signed.clone()).unwrap(), record);
    }
    signed("deactivation", &deactivation().signed);
    assert_eq!(
        Announcement::open(deactivation().signed).unwrap(),
        deactivation()
    );
    both_ways("goodbye", &goodbye());
    hold("goodbye.signed", &goodbye().payload.0);
    assert_eq!(goodbye().open().unwrap().start, 1 << 52);
}

#[test]
fn messages() {
    let items = || vec![record(ALICE).signed];
    for (name, body) in [
        ("message-beat", Body::Beat { items: items() }),
        (
            "message-goodbye",
            Body::Goodbye {
                goodbye: Box::new(goodbye()),
                items: Vec::new(),
            },
        ),
        (
            "message-digest",
            Body::Digest {
                buckets: Bytes(vec![1; 16]),
            },
        ),
        (
            "message-delta",
            Body::Delta {
                items: items(),
                want: Bytes(vec![2; 17]),
                more: false,
            },
        ),
    ] {
        frame(name, Context::Message, ALICE, &message(body));
    }
    let introduced = Frame {
        record: Some(record(ALICE).signed),
        ..Frame::seal(
            Context::Message,
            &message(Body::Beat { items: Vec::new() }),
            &key(ALICE),
            &issues(),
        )
    };
    both_ways("message-introduced", &introduced);
}

#[test]
fn answers() {
    let items = || vec![record(BOB).signed];
    let none = Vec::new;
    for (name, standing, ended, body) in [
        (
            "answer-ack",
            Standing::Member,
            none(),
            Answered::Ack { items: items() },
        ),
        (
            "answer-summary",
            Standing::Member,
            none(),
            Answered::Summary {
                buckets: Bytes(vec![3]),
                entries: Bytes(vec![4; 25]),
                more: true,
                touch: Touch::Kept,
            },
        ),
        (
            "answer-delta",
            Standing::Member,
            none(),
            Answered::Delta {
                items: items(),
                more: true,
            },
        ),
        (
            "answer-unsupported",
            Standing::Member,
            none(),
            Answered::Unsupported,
        ),
        (
            "answer-repeated",
            Standing::Member,
            none(),
            Answered::Repeated,
        ),
        (
            "answer-unknown-start",
            Standing::Member,
            none(),
            Answered::UnknownStart {
                stored: Box::new(record(ALICE).signed),
            },
        ),
        (
            "answer-deleted-here",
            Standing::DeletedHere,
            none(),
            Answered::Ack { items: Vec::new() },
        ),
        (
            "answer-deactivated",
            Standing::Deactivated,
            none(),
            Answered::Ack { items: Vec::new() },
        ),
        (
            "answer-ended",
            Standing::Ended,
            vec![id(ALICE)],
            Answered::Ack {
                items: vec![deactivation().signed],
            },
        ),
    ] {
        frame(name, Context::Answer, BOB, &answer(standing, ended, body));
    }
    both_ways(
        "answer-unsigned",
        &Refusal {
            error: "the sender is not known here".into(),
            code: "FORBIDDEN".into(),
        },
    );
}

#[test]
fn handshakes() {
    let hello = Hello {
        v: VERSION,
        key: key(ALICE).public(),
        license_id: license().terms.license_id.to_string(),
        issues: vec![issues()[0].id()],
        challenge: [8; 32],
    };
    both_ways("handshake-hello", &Handshake::Hello(Box::new(hello)));
    both_ways("handshake-proof", &Handshake::Proof(Box::new(proof())));
    let call = CallBack {
        hello_challenge: [8; 32],
        nonce: [1; 32],
    };
    both_ways("handshake-call-back", &Handshake::CallBack(call));
    let initiator = handshake::initiator_transcript(&proof(), key(BOB).public()).bytes();
    hold("handshake-proof.signed", &initiator);
    let (proof, own) = (proof(), record(BOB).signed.version());
    let responder = handshake::responder_transcript(&proof, key(BOB).public(), own).bytes();
    hold("handshake-welcome.signed", &responder);
    let called = CalledBack {
        signature: key(ALICE).sign(
            Context::CallBack,
            &handshake::call_back_bytes(&[8; 32], &[1; 32], &key(BOB).public()),
        ),
    };
    let challenge = Challenge {
        v: VERSION,
        id: id(BOB),
        key: key(BOB).public(),
        issue: issues()[0].id(),
        challenge: Bytes(vec![9; 40]),
    };
    for (name, answer) in [
        ("handshake-challenge", HandshakeAnswer::Challenge(challenge)),
        (
            "handshake-welcome",
            HandshakeAnswer::Welcome(Box::new(welcome())),
        ),
        ("handshake-called-back", HandshakeAnswer::CalledBack(called)),
    ] {
        both_ways(name, &answer);
    }
    let transcript = handshake::deleted_here_transcript(&proof, key(BOB).public()).bytes();
    hold("handshake-deleted-here.signed", &transcript);
    let role = Context::HandshakeResponder;
    let (mac, signature) = handshake::prove(role, &transcript, &issues()[0], &key(BOB));
    let denial = Denial {
        proof: mac,
        signature,
    };
    refusals(denial);
}

/// One file: a line for each reason.
fn refusals(denial: Denial) {
    let license_id = license().terms.license_id.to_string();
    let announcement = Box::new(deactivation().signed);
    let reasons = [
        Refused::Version { v: 2 },
        Refused::NotBootstrapped,
        Refused::LicenseMismatch { license_id },
        Refused::NoCommonIssue,
        Refused::BadProof,
        Refused::Deactivated { peer_id: id(BOB) },
        Refused::InitiatorEnded { announcement },
        Refused::DeletedHere(denial),
        Refused::NodeLimit { limit: 10 },
        Refused::CallBack {
            why: "connection refused".into(),
        },
        Refused::TooMany,
        Refused::Overloaded,
    ];
    let mut lines = Vec::new();
    for why in reasons {
        let answer = HandshakeAnswer::Refused { why };
        let bytes = peer::to_bytes(&answer);
        assert_eq!(peer::read::<HandshakeAnswer>(&bytes).unwrap(), answer);
        lines.extend(bytes);
        lines.push(b'\n');
    }
    hold("handshake-refused.jsonl", &lines);
}

/// What stands before the bytes that are signed, or authenticated by a MAC.
#[test]
fn contexts() {
    let all = [
        Context::License,
        Context::PeerRecord,
        Context::ServiceRecord,
        Context::Announcement,
        Context::Goodbye,
        Context::Message,
        Context::Answer,
        Context::HandshakeInitiator,
        Context::HandshakeResponder,
        Context::CallBack,
    ];
    let lines = all.map(|context| {
        let tag = String::from_utf8(context.bytes(b"")).unwrap();
        format!("{context:?} {}\n", tag.escape_default())
    });
    hold("contexts.txt", lines.concat().as_bytes());
}

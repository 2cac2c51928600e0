//! Golden vectors: the exact bytes of each signed form and of each kind of message, in files under
//! `vectors/`. Whoever changes the wire changes a vector, knowingly: `ARCTIC_WRITE_VECTORS=1 cargo test
//! --test it vectors` writes them anew.
//!
//! `NAME.json` is what travels; `NAME.signed` the bytes inside that are signed, behind the context of
//! `contexts.txt`. Keys are the seeds below, 32 equal bytes; the license is `license.json`.

use arctic::core::handshake;
use arctic::domain::announcement::AnnouncementFields;
use arctic::domain::goodbye::GoodbyeFields;
use arctic::domain::keys::Context;
use arctic::domain::license::Terms;
use arctic::domain::peer::PeerFields;
use arctic::domain::service::ServiceFields;
use arctic::domain::signed::Bytes;
use arctic::domain::*;
use arctic::wire::peer::{
    self, Answer, Answered, Body, CallBack, CalledBack, Challenge, Denial, Frame, Handshake,
    HandshakeAnswer, Hello, InitiatorProof, Message, Refusal, Refused, Standing, VERSION, Welcome,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;

const ISSUER: u8 = 1;
const ALICE: u8 = 2;
const BOB: u8 = 3;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn id(seed: u8) -> PeerId {
    PeerId::derive(&key(seed).public(), 1_790_000_000_000)
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn license() -> License {
    let terms = Terms {
        license_id: LicenseId::from_parts(1_790_000_000_000, [7; 10]),
        customer_id: Customer::parse("cust_acme").unwrap(),
        issued_at: time("2026-10-01T00:00:00Z"),
        expires_at: time("2027-10-01T00:00:00Z"),
        max_nodes: 10,
        max_services: 100,
    };
    License::issue(terms, &key(ISSUER))
}

fn issues() -> [IssueKey; 1] {
    [IssueKey::of(&license())]
}

fn record(seed: u8) -> PeerRecord {
    let fields = PeerFields {
        v: VERSION,
        id: id(seed),
        key: key(seed).public(),
        address: Some(Address::parse("10.0.0.2:8080").unwrap()),
        name: Name::parse("alice").unwrap(),
        incarnation: 3,
        start: 1 << 52,
        version: Version::parse("0.1.0").unwrap(),
    };
    PeerRecord::seal(fields, &key(seed), &issues())
}

fn service(deleted_at: Option<Timestamp>) -> ServiceRecord {
    let fields = ServiceFields {
        v: VERSION,
        id: ServiceId::from_parts(1_790_000_000_000, [9; 10]),
        source: id(ALICE),
        target: id(BOB),
        transport: Transport::Tcp,
        name: Name::parse("web").unwrap(),
        created_at: time("2026-11-01T10:00:00Z"),
        version: 2,
        deleted_at,
        editor: id(ALICE),
        editor_key: key(ALICE).public(),
    };
    ServiceRecord::seal(fields, &key(ALICE), &issues())
}

fn deactivation() -> Announcement {
    let fields = AnnouncementFields {
        v: VERSION,
        subject: id(ALICE),
        subject_key: key(ALICE).public(),
        license_id: license().terms.license_id,
        incarnation: 4,
    };
    Announcement::seal(fields, &key(ALICE), &issues())
}

fn goodbye() -> Goodbye {
    let fields = GoodbyeFields {
        v: VERSION,
        subject: id(ALICE),
        start: 1 << 52,
    };
    Goodbye::seal(&fields, &key(ALICE))
}

fn message(body: Body) -> Message {
    Message {
        v: VERSION,
        from: id(ALICE),
        to: id(BOB),
        nonce: [4; 32],
        start: 1 << 52,
        number: 17,
        hash: [5; 32],
        body,
    }
}

fn answer(standing: Standing, ended: Vec<PeerId>, body: Answered) -> Answer {
    Answer {
        v: VERSION,
        from: id(BOB),
        to: id(ALICE),
        nonce: [4; 32],
        start: 1 << 51,
        hash: [6; 32],
        standing,
        ended,
        body,
    }
}

fn proof() -> InitiatorProof {
    let issue = &issues()[0];
    let mut proof = InitiatorProof {
        key: key(ALICE).public(),
        hello_challenge: [8; 32],
        challenge: Bytes(vec![9; 40]),
        v: VERSION,
        issues: vec![issue.id()],
        issue: issue.id(),
        record: record(ALICE).signed,
        dialled: Address::parse("bob.example:8080").unwrap(),
        members: Bytes(id(ALICE).hash().0.to_vec()),
        max_nodes: 10,
        proof: [0; 32],
        signature: Signature([0; 64]),
    };
    let transcript = handshake::initiator_transcript(&proof, key(BOB).public()).bytes();
    let role = Context::HandshakeInitiator;
    (proof.proof, proof.signature) = handshake::prove(role, &transcript, issue, &key(ALICE));
    proof
}

fn welcome() -> Welcome {
    let own = record(BOB).signed;
    let (proof_sent, responder) = (proof(), key(BOB).public());
    let transcript = handshake::responder_transcript(&proof_sent, responder, own.version()).bytes();
    let role = Context::HandshakeResponder;
    let (proof, signature) = handshake::prove(role, &transcript, &issues()[0], &key(BOB));
    Welcome {
        record: own,
        proof,
        signature,
    }
}

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

//! What the vectors hold: the same documents and words each time, from fixed keys.

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
    Answer, Answered, Body, InitiatorProof, Message, Standing, VERSION, Welcome,
};

pub const ISSUER: u8 = 1;
pub const ALICE: u8 = 2;
pub const BOB: u8 = 3;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn id(seed: u8) -> PeerId {
    PeerId::derive(&key(seed).public(), 1_790_000_000_000)
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn license() -> License {
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

pub fn issues() -> [IssueKey; 1] {
    [IssueKey::of(&license())]
}

pub fn record(seed: u8) -> PeerRecord {
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

pub fn service(deleted_at: Option<Timestamp>) -> ServiceRecord {
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

pub fn deactivation() -> Announcement {
    let fields = AnnouncementFields {
        v: VERSION,
        subject: id(ALICE),
        subject_key: key(ALICE).public(),
        license_id: license().terms.license_id,
        incarnation: 4,
    };
    Announcement::seal(fields, &key(ALICE), &issues())
}

pub fn goodbye() -> Goodbye {
    let fields = GoodbyeFields {
        v: VERSION,
        subject: id(ALICE),
        start: 1 << 52,
    };
    Goodbye::seal(&fields, &key(ALICE))
}

pub fn message(body: Body) -> Message {
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

pub fn answer(standing: Standing, ended: Vec<PeerId>, body: Answered) -> Answer {
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

pub fn proof() -> InitiatorProof {
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

pub fn welcome() -> Welcome {
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

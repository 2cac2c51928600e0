//! Signed bytes: whose signature counts, and what may stand in them.

use super::messages::Pair;
use crate::harness::*;
use arctic::domain::keys::Context;
use arctic::domain::service::ServiceFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{
    Name, PeerId, PublicKey, SecretKey, ServiceId, Signature, Signed, SignedKind, Transport,
};
use arctic::wire::peer::{self, Body, Frame, HandshakeAnswer, MESSAGE_PATH, VERSION};
use base64::{Engine, engine::general_purpose::STANDARD};
use curve25519_dalek::Scalar;
use ed25519_dalek::{Verifier, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

/// The neutral point, as a key or as the first half of a signature.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// Every encoding of a point of small order, also those that are not canonical: under each of them
/// as a key, many or all messages verify (the list of libsodium's `ge25519_has_small_order`, and
/// the same with the sign bit set).
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

fn bytes32(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal");
    }
    bytes
}

#[test]
fn no_key_of_small_order_is_a_key() {
    for hex in SMALL_ORDER {
        let bytes = bytes32(hex);
        assert!(PublicKey::from_bytes(&bytes).is_err(), "{hex}");
        assert!(PublicKey::parse(&STANDARD.encode(bytes)).is_err(), "{hex}");
    }
}

/// A signature whose first half is the neutral point: only its key's owner can make it, and only a
/// lax verifier takes it (`R` of small order; "Taming the many EdDSAs", section 5).
fn lax(key: &SecretKey, context: Context, message: &[u8]) -> Signature {
    let mut secret: [u8; 64] = Sha512::digest(key.seed()).into();
    secret[0] &= 248;
    secret[31] = secret[31] & 63 | 64;
    let mut low = [0; 32];
    low.copy_from_slice(&secret[..32]);
    let mut hash = Sha512::new();
    hash.update(NEUTRAL);
    hash.update(key.public().as_bytes());
    hash.update(context.bytes(message));
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = k * Scalar::from_bytes_mod_order(low);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&NEUTRAL);
    signature[32..].copy_from_slice(s.as_bytes());
    Signature(signature)
}

#[test]
fn a_signature_that_only_a_lax_verifier_takes_is_none() {
    let key = SecretKey::from_seed(&[7; 32]);
    let signature = lax(&key, Context::Message, b"body");
    let lax_verifier = VerifyingKey::from_bytes(key.public().as_bytes()).expect("a key");
    let dalek = ed25519_dalek::Signature::from_bytes(&signature.0);
    let message = Context::Message.bytes(b"body");
    assert!(
        lax_verifier.verify(&message, &dalek).is_ok(),
        "not even lax"
    );
    assert!(!key.public().verify(Context::Message, b"body", &signature));
}

#[test]
fn an_agent_reads_nothing_under_a_lax_signature() {
    let pair = Pair::new();
    let mut record = pair.erin.record();
    record.signature = lax(&pair.erin.key, Context::PeerRecord, &record.payload.0);
    pair.told(vec![record]);
    assert!(!pair.lists(&pair.erin), "a record");
    let items = vec![pair.erin.record()];
    let message = pair.carol.message(pair.to.id, Body::Beat { items });
    let mut frame = pair.carol.seal(&message, None);
    frame.signature = lax(&pair.carol.key, Context::Message, &frame.payload.0);
    assert_ne!(post(&pair, &frame), 200);
    assert!(!pair.lists(&pair.erin), "a message");
    pair.told(vec![pair.erin.record()]);
    assert!(pair.lists(&pair.erin), "without anything wrong");
}

fn post(pair: &Pair, body: &impl serde::Serialize) -> u16 {
    let request = Request::new("POST", MESSAGE_PATH).json(peer::to_bytes(body));
    request.send(&pair.alice.address).status
}

/// The id that this key would have.
fn id_of(key: &[u8; 32]) -> PeerId {
    let mut hash = [0; 10];
    hash.copy_from_slice(&Sha256::digest(key)[..10]);
    PeerId::from_parts(1_780_000_000_000, hash)
}

/// The frame of a holder of the license under the neutral key, where this signature is everybody's
/// and fits whatever is said.
fn anybodys_frame(pair: &Pair) -> Value {
    let (key, id) = (STANDARD.encode(NEUTRAL), id_of(&NEUTRAL).to_string());
    let signature = STANDARD.encode([NEUTRAL, [0; 32]].concat());
    let issue = &pair.erin.issues[0];
    let mut fields = json!(pair.erin.fields());
    (fields["id"], fields["key"]) = (json!(id), json!(key));
    let fields = peer::to_bytes(&fields);
    let record = json!({
        "kind": "peer", "key": key, "payload": STANDARD.encode(&fields), "signature": signature,
        "tags": [issue.tag(Context::PeerRecord, &fields)],
    });
    let items = Vec::new();
    let mut message = json!(pair.erin.message(pair.to.id, Body::Beat { items }));
    message["from"] = json!(id);
    let message = peer::to_bytes(&message);
    json!({
        "key": key, "macs": [issue.tag(Context::Message, &message)],
        "payload": STANDARD.encode(&message), "signature": signature, "record": record,
    })
}

#[test]
fn nobody_speaks_under_a_key_that_signs_everything() {
    let pair = Pair::new();
    assert_ne!(post(&pair, &anybodys_frame(&pair)), 200);
    assert_eq!(pair.alice.peers().len(), 2);
}

/// Signed bytes of an object, with this at its beginning.
fn with_more(object: &impl serde::Serialize, more: &str) -> Vec<u8> {
    let text = String::from_utf8(peer::to_bytes(object)).expect("JSON is text");
    text.replacen('{', &format!("{{{more},"), 1).into_bytes()
}

/// A document of the register whose signed bytes are these.
fn signed(puppet: &Puppet, kind: SignedKind, payload: Vec<u8>) -> Signed {
    Signed {
        kind,
        key: puppet.public(),
        signature: puppet.key.sign(kind.context(), &payload),
        tags: vec![puppet.issues[0].tag(kind.context(), &payload)],
        payload: Bytes(payload),
    }
}

/// What two readers of signed bytes could read in two ways, and whether it is refused.
const MORE: [(&str, bool); 4] = [
    (r#""later": {"a": 1, "b": [{"a": 1}]}"#, false),
    (r#""later": 1, "later": 2"#, true),
    (r#""later": [{"a": 1, "a": 2}]"#, true),
    (r#""v": 1"#, true),
];

#[test]
fn no_key_stands_twice_in_a_signed_record() {
    let pair = Pair::new();
    for (more, refused) in MORE {
        let stranger = pair.stranger();
        let payload = with_more(&stranger.fields(), more);
        pair.told(vec![signed(&stranger, SignedKind::Peer, payload)]);
        assert_eq!(pair.lists(&stranger), !refused, "{more}");
    }
}

#[test]
fn no_key_stands_twice_in_a_signed_end() {
    let pair = Pair::new();
    for (more, refused) in MORE {
        let stranger = pair.stranger();
        let end: Value = serde_json::from_slice(&stranger.deactivation().payload.0).expect("JSON");
        let payload = with_more(&end, more);
        let answer = pair.told(vec![signed(&stranger, SignedKind::Announcement, payload)]);
        assert_eq!(answer.ended.is_empty(), refused, "{more}");
    }
}

#[test]
fn no_key_stands_twice_in_a_signed_service() {
    let pair = Pair::new();
    for (number, (more, refused)) in (0..).zip(MORE) {
        let fields = ServiceFields {
            v: VERSION,
            id: ServiceId::from_parts(1_780_000_000_000, [number; 10]),
            source: pair.carol.id,
            target: pair.to.id,
            transport: Transport::Tcp,
            name: Name::none(),
            created_at: arctic::agent::os::now(),
            version: 1,
            deleted_at: None,
            editor: pair.carol.id,
            editor_key: pair.carol.public(),
        };
        let payload = with_more(&fields, more);
        pair.told(vec![signed(&pair.carol, SignedKind::Service, payload)]);
        let stored = pair.alice.service(&fields.id.to_string()).is_some();
        assert_eq!(stored, !refused, "{more}");
    }
}

#[test]
fn no_key_stands_twice_in_a_signed_message() {
    let pair = Pair::new();
    for (more, refused) in MORE {
        let stranger = pair.stranger();
        let items = vec![stranger.record()];
        let message = pair.carol.message(pair.to.id, Body::Beat { items });
        let payload = with_more(&message, more);
        let frame: Frame = pair.carol.frame(Context::Message, payload, None);
        assert_eq!(post(&pair, &frame) == 200, !refused, "{more}");
        assert_eq!(pair.lists(&stranger), !refused, "{more}");
    }
}

#[test]
fn no_incarnation_is_beyond_what_every_reader_holds() {
    const HIGHEST: u64 = (1 << 53) - 1;
    let pair = Pair::new();
    for (incarnation, taken) in [(HIGHEST + 1, false), (u64::MAX, false), (HIGHEST, true)] {
        let mut stranger = pair.stranger();
        stranger.incarnation = incarnation;
        pair.told(vec![stranger.record()]);
        assert_eq!(pair.lists(&stranger), taken, "{incarnation} by news");
    }
    let mut own = pair.carol.clone();
    for (incarnation, taken) in [(HIGHEST + 1, false), (HIGHEST, true)] {
        own.incarnation = incarnation;
        let (_, answer) = own.join(&pair.to.address);
        let welcome = matches!(answer, Some(HandshakeAnswer::Welcome(_)));
        assert_eq!(welcome, taken, "{incarnation} by handshake: {answer:?}");
    }
}

use super::{issue, record, secret};
use crate::core::handshake::{
    call_back_bytes, check, deleted_here_transcript, initiator_transcript, prove,
    responder_transcript,
};
use crate::domain::Address;
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::wire::peer::{InitiatorProof, VERSION};

const INITIATOR: Context = Context::HandshakeInitiator;
const RESPONDER: Context = Context::HandshakeResponder;

#[test]
fn a_proof_needs_the_license_and_the_key_for_this_role_and_transcript() {
    let said = b"what was said";
    let (proof, signature) = prove(INITIATOR, said, &issue(1), &secret(1));
    let holds = |role, said: &[u8], by, key, proof, signature| {
        check(
            role,
            said,
            &issue(by),
            &secret(key).public(),
            proof,
            signature,
        )
    };
    assert!(holds(INITIATOR, said, 1, 1, &proof, &signature));
    assert!(!holds(RESPONDER, said, 1, 1, &proof, &signature));
    assert!(!holds(INITIATOR, b"another word", 1, 1, &proof, &signature));
    assert!(
        !holds(INITIATOR, said, 2, 1, &proof, &signature),
        "another license"
    );
    assert!(
        !holds(INITIATOR, said, 1, 2, &proof, &signature),
        "another key"
    );
    let (other_proof, other_signature) = prove(INITIATOR, said, &issue(2), &secret(2));
    assert!(!holds(INITIATOR, said, 1, 1, &other_proof, &signature));
    assert!(!holds(INITIATOR, said, 1, 1, &proof, &other_signature));
}

fn initiator() -> InitiatorProof {
    let key = secret(1);
    let (proof, signature) = prove(INITIATOR, b"", &issue(1), &key);
    InitiatorProof {
        key: key.public(),
        v: VERSION,
        issues: vec![issue(1).id()],
        issue: issue(1).id(),
        hello_challenge: [4; 32],
        challenge: Bytes(vec![5; 40]),
        record: record(&key, 0, &[issue(1)]).signed,
        dialled: Address::parse("10.0.0.1:8080").unwrap(),
        members: Bytes(vec![6; 10]),
        max_nodes: 10,
        proof,
        signature,
    }
}

/// Else one side's proof could be sent back to it as the other's, or a refusal pass for a welcome.
#[test]
fn each_side_proves_its_own_role_and_the_responder_its_own_record() {
    let initiator = initiator();
    let key = secret(2).public();
    let first = initiator_transcript(&initiator, key);
    let second = responder_transcript(&initiator, key, [7; 32]);
    let deleted = deleted_here_transcript(&initiator, key);
    assert_eq!(
        [first.role, second.role, deleted.role],
        ["initiator", "responder", "deleted_here"]
    );
    let other = responder_transcript(&initiator, key, [8; 32]);
    assert_ne!(second.bytes(), other.bytes());
    assert_ne!(
        second.bytes(),
        responder_transcript(&initiator, secret(3).public(), [7; 32]).bytes()
    );
}

#[test]
fn a_call_back_is_signed_for_one_handshake_one_nonce_and_one_responder() {
    let (a, b) = (secret(2).public(), secret(3).public());
    let signed = call_back_bytes(&[1; 32], &[2; 32], &a);
    for other in [
        call_back_bytes(&[9; 32], &[2; 32], &a),
        call_back_bytes(&[1; 32], &[9; 32], &a),
        call_back_bytes(&[2; 32], &[1; 32], &a),
        call_back_bytes(&[1; 32], &[2; 32], &b),
    ] {
        assert_ne!(signed, other);
    }
}

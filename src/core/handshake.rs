//! The handshake's proofs: both sides prove the license and their key over one transcript.
//!
//! The responder keeps nothing until the initiator has proved the license: its challenge is a MAC
//! over what it will see again (as in RFC 9147 section 5.1 and WireGuard's cookies).

use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{IssueId, IssueKey, PublicKey, SecretKey, Signature};
use crate::wire::peer::{Hello, InitiatorProof, Transcript, VERSION};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// How long a challenge is good.
pub const CHALLENGE_LIFE_MS: u64 = 10_000;
/// What stands before a challenge's MAC: the time, then what was chosen, as a hash.
const TIME: usize = 8;
const HEAD: usize = TIME + 32;

/// Makes and recognises stateless challenges. The secret is drawn at each start. No `Debug`.
pub struct Challenger {
    secret: [u8; 32],
}

impl Challenger {
    pub fn new(secret: [u8; 32]) -> Challenger {
        Challenger { secret }
    }

    /// A challenge for the initiator that said this from there: the time and what was chosen, then a
    /// MAC over these, its address, its key and its own challenge.
    pub fn make(&self, now_ms: u64, from: IpAddr, hello: &Hello, issue: IssueId) -> Bytes {
        let head = [
            now_ms.to_be_bytes().as_slice(),
            &choice(&hello.issues, issue),
        ]
        .concat();
        let mac = self.mac(&head, from, &hello.key, &hello.challenge);
        Bytes([head.as_slice(), &mac.finalize().into_bytes()].concat())
    }

    /// Whether this agent made it, for this initiator, a short while ago.
    pub fn recognise(
        &self,
        challenge: &Bytes,
        now_ms: u64,
        from: IpAddr,
        key: &PublicKey,
        theirs: &[u8; 32],
    ) -> bool {
        let Some((head, mac)) = challenge.0.split_at_checked(HEAD) else {
            return false;
        };
        let Some(time) = head.first_chunk::<8>() else {
            return false;
        };
        let made_ms = u64::from_be_bytes(*time);
        let fresh = made_ms <= now_ms && now_ms - made_ms <= CHALLENGE_LIFE_MS;
        fresh && self.mac(head, from, key, theirs).verify_slice(mac).is_ok()
    }

    fn mac(&self, head: &[u8], from: IpAddr, key: &PublicKey, theirs: &[u8; 32]) -> Hmac<Sha256> {
        // HMAC takes keys of any length (RFC 2104 section 2), so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes any key");
        mac.update(head);
        mac.update(from.to_canonical().to_string().as_bytes());
        mac.update(b"\0");
        mac.update(key.as_bytes());
        mac.update(theirs);
        mac
    }
}

/// Whether this challenge, which is one of ours, was made for these issues and this one of them.
pub fn chose(challenge: &Bytes, issues: &[IssueId], issue: IssueId) -> bool {
    challenge.0.get(TIME..HEAD) == Some(choice(issues, issue).as_slice())
}

fn choice(issues: &[IssueId], issue: IssueId) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(issue.0);
    issues.iter().for_each(|issue| hash.update(issue.0));
    hash.finalize().into()
}

/// What one side sends: a MAC under the license issue, and a signature, over the same bytes.
pub fn prove(
    role: Context,
    transcript: &[u8],
    issue: &IssueKey,
    key: &SecretKey,
) -> ([u8; 32], Signature) {
    (issue.prove(role, transcript), key.sign(role, transcript))
}

/// Checks the license first: it is cheap, and a stranger gets no further.
pub fn check(
    role: Context,
    transcript: &[u8],
    issue: &IssueKey,
    key: &PublicKey,
    proof: &[u8; 32],
    signature: &Signature,
) -> bool {
    issue.check(role, transcript, proof) && key.verify(role, transcript, signature)
}

/// The transcript as the initiator proves it.
pub fn initiator_transcript<'a>(
    proof: &'a InitiatorProof,
    responder_key: PublicKey,
) -> Transcript<'a> {
    Transcript {
        v: VERSION,
        role: "initiator",
        hello_challenge: proof.hello_challenge,
        challenge: &proof.challenge,
        issues: &proof.issues,
        issue: proof.issue,
        initiator_key: proof.record.key,
        responder_key,
        initiator_record: proof.record.version(),
        responder_record: None,
        dialled: &proof.dialled,
        members: &proof.members,
        max_nodes: proof.max_nodes,
    }
}

/// The transcript as the responder proves it: its own record is part of it.
pub fn responder_transcript<'a>(
    proof: &'a InitiatorProof,
    responder_key: PublicKey,
    record: [u8; 32],
) -> Transcript<'a> {
    Transcript {
        role: "responder",
        responder_record: Some(record),
        ..initiator_transcript(proof, responder_key)
    }
}

/// The transcript as a responder proves it that has deleted the initiator. The role keeps it from
/// passing for a welcome.
pub fn deleted_here_transcript<'a>(
    proof: &'a InitiatorProof,
    responder_key: PublicKey,
) -> Transcript<'a> {
    Transcript {
        role: "deleted_here",
        ..initiator_transcript(proof, responder_key)
    }
}

/// What the initiator signs when it is called back.
pub fn call_back_bytes(
    hello_challenge: &[u8; 32],
    nonce: &[u8; 32],
    responder: &PublicKey,
) -> Vec<u8> {
    [hello_challenge.as_slice(), nonce, responder.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_for_one_initiator_and_a_short_while() {
        let c = Challenger::new([1; 32]);
        let key = SecretKey::from_seed(&[2; 32]).public();
        let other = SecretKey::from_seed(&[3; 32]).public();
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        let (new, old) = (IssueId([1; 8]), IssueId([2; 8]));
        let hello = Hello {
            v: VERSION,
            key,
            license_id: String::new(),
            issues: vec![new, old],
            challenge: [9; 32],
        };
        let made = c.make(100, ip, &hello, new);
        assert!(c.recognise(&made, 100, ip, &key, &[9; 32]));
        assert!(c.recognise(&made, 100 + CHALLENGE_LIFE_MS, ip, &key, &[9; 32]));
        assert!(!c.recognise(&made, 101 + CHALLENGE_LIFE_MS, ip, &key, &[9; 32]));
        assert!(!c.recognise(&made, 99, ip, &key, &[9; 32]));
        assert!(!c.recognise(&made, 100, "10.0.0.2".parse().unwrap(), &key, &[9; 32]));
        assert!(!c.recognise(&made, 100, ip, &other, &[9; 32]));
        assert!(!c.recognise(&made, 100, ip, &key, &[8; 32]));
        assert!(!Challenger::new([2; 32]).recognise(&made, 100, ip, &key, &[9; 32]));
        assert!(!c.recognise(&Bytes(vec![1, 2]), 100, ip, &key, &[9; 32]));
        assert!(chose(&made, &hello.issues, new));
        assert!(!chose(&made, &hello.issues, old));
        assert!(!chose(&made, &[old], new));
        let mut other_choice = made.clone();
        other_choice.0[TIME] ^= 1;
        assert!(!c.recognise(&other_choice, 100, ip, &key, &[9; 32]));
    }
}

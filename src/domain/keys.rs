//! Ed25519 keys and signatures (RFC 8032), always under a context tag.
//!
//! Verification is `verify_strict`; weak keys, under which any message verifies, cannot be built.

use super::{Error, KeyHash, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a signature is for. It is part of the signed bytes, so that no signature of one kind can
/// stand for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    License,
    PeerRecord,
    ServiceRecord,
    Announcement,
    Goodbye,
    Message,
    Answer,
    HandshakeInitiator,
    HandshakeResponder,
    CallBack,
    Token,
}

impl Context {
    fn tag(self) -> &'static [u8] {
        match self {
            Context::License => b"arctic/1/license\0",
            Context::PeerRecord => b"arctic/1/peer-record\0",
            Context::ServiceRecord => b"arctic/1/service-record\0",
            Context::Announcement => b"arctic/1/announcement\0",
            Context::Goodbye => b"arctic/1/goodbye\0",
            Context::Message => b"arctic/1/message\0",
            Context::Answer => b"arctic/1/answer\0",
            Context::HandshakeInitiator => b"arctic/1/handshake-initiator\0",
            Context::HandshakeResponder => b"arctic/1/handshake-responder\0",
            Context::CallBack => b"arctic/1/call-back\0",
            // A JWT has its own fixed header as its context (RFC 7515) and a key of its own.
            Context::Token => b"",
        }
    }

    /// The context's bytes followed by the message: what is signed, or authenticated by a MAC.
    pub fn bytes(self, message: &[u8]) -> Vec<u8> {
        [self.tag(), message].concat()
    }
}

/// A public key that is on the curve and not weak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey> {
        let key = VerifyingKey::from_bytes(bytes)
            .map_err(|_| Error::Invalid("not an Ed25519 public key".into()))?;
        if key.is_weak() || key.as_bytes() != bytes {
            return Err(Error::Invalid("a weak Ed25519 public key".into()));
        }
        Ok(PublicKey(key))
    }

    /// Reads standard base64 with padding.
    pub fn parse(text: &str) -> Result<PublicKey> {
        PublicKey::from_bytes(&decode_exact(text, "public key")?)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The identity that belongs to this key.
    pub fn hash(&self) -> KeyHash {
        let digest = Sha256::digest(self.as_bytes());
        let mut hash = [0u8; 10];
        hash.copy_from_slice(&digest[..10]);
        KeyHash(hash)
    }

    pub fn verify(&self, context: Context, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(&context.bytes(message), &signature)
            .is_ok()
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        PublicKey::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A detached signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    pub fn parse(text: &str) -> Result<Signature> {
        decode_exact(text, "signature").map(Signature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Signature::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A secret key. It has no `Debug` and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key with this seed, 32 bytes of entropy.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, context: Context, message: &[u8]) -> Signature {
        Signature(self.0.sign(&context.bytes(message)).to_bytes())
    }

    /// The seed, for the key file.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The seed as text, for the key file.
    pub fn seed_text(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(STANDARD.encode(self.0.as_bytes()))
    }

    /// Reads what `seed_text` wrote.
    pub fn parse_seed(text: &str) -> Result<SecretKey> {
        Ok(SecretKey::from_seed(&decode_exact(text, "secret key")?))
    }
}

/// Decodes standard base64 with padding that must hold exactly `N` bytes.
fn decode_exact<const N: usize>(text: &str, what: &str) -> Result<[u8; N]> {
    // The length is checked first: a long text is refused without being decoded.
    if text.len() == N.div_ceil(3) * 4 {
        if let Ok(bytes) = STANDARD.decode(text) {
            if let Ok(bytes) = <[u8; N]>::try_from(bytes) {
                return Ok(bytes);
            }
        }
    }
    Err(Error::Invalid(format!("not a {what}: {N} bytes in base64")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_keys_cannot_be_built() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert!(PublicKey::from_bytes(&identity).is_err());
        assert!(PublicKey::from_bytes(&[0u8; 32]).is_err());
    }

    #[test]
    fn a_signature_of_one_context_is_none_of_another() {
        let key = SecretKey::from_seed(&[3; 32]);
        let signature = key.sign(Context::Message, b"body");
        assert!(key.public().verify(Context::Message, b"body", &signature));
        assert!(!key.public().verify(Context::Answer, b"body", &signature));
        assert!(!key.public().verify(Context::Message, b"bodz", &signature));
    }

    #[test]
    fn text_forms_are_exact() {
        let key = SecretKey::from_seed(&[3; 32]).public();
        let text = key.to_string();
        assert_eq!(PublicKey::parse(&text).unwrap(), key);
        assert!(PublicKey::parse(text.trim_end_matches('=')).is_err());
        assert!(PublicKey::parse(&format!("{text} ")).is_err());
    }
}

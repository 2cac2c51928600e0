//! License tags: MACs (HMAC-SHA-256, RFC 2104) that only a holder of the license can make.
//!
//! One license has several issues over its life, one a renewal. Each keys its own tags and names
//! itself in them.

use super::keys::Context;
use super::{Error, License, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Names an issue: the first 64 bits of its fingerprint, in hexadecimal on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueId(pub [u8; 8]);

impl fmt::Display for IssueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for IssueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for IssueId {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IssueId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let id = u64::from_str_radix(&text, 16).map(|n| IssueId(n.to_be_bytes()));
        id.ok()
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| serde::de::Error::custom("not the name of a license issue"))
    }
}

/// The MAC key of one issue. No `Debug`; wiped when dropped.
#[derive(Clone)]
pub struct IssueKey {
    id: IssueId,
    key: Zeroizing<[u8; 32]>,
}

/// 32 bytes of proof that their maker holds the license.
pub type Proof = [u8; 32];

impl IssueKey {
    pub fn of(license: &License) -> IssueKey {
        let fingerprint = license.terms.fingerprint();
        let mut id = [0u8; 8];
        id.copy_from_slice(&fingerprint[..8]);
        let label = [b"arctic/1/issue-key\0".as_slice(), &fingerprint].concat();
        IssueKey {
            id: IssueId(id),
            key: Zeroizing::new(mac(license.secret(), &label).finalize().into_bytes().into()),
        }
    }

    pub fn id(&self) -> IssueId {
        self.id
    }

    pub fn prove(&self, context: Context, message: &[u8]) -> Proof {
        mac(self.key.as_slice(), &context.bytes(message))
            .finalize()
            .into_bytes()
            .into()
    }

    /// Compares in constant time.
    pub fn check(&self, context: Context, message: &[u8], proof: &Proof) -> bool {
        mac(self.key.as_slice(), &context.bytes(message))
            .verify_slice(proof)
            .is_ok()
    }

    pub fn tag(&self, context: Context, message: &[u8]) -> LicenseTag {
        LicenseTag {
            issue: self.id,
            mac: self.prove(context, message),
        }
    }
}

fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104 section 2), so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}

/// A tag beside a signed record: not part of its signed bytes, never a reason to prefer a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseTag {
    pub issue: IssueId,
    #[serde(with = "proof_text")]
    pub mac: Proof,
}

/// Proofs in JSON: standard base64.
pub mod proof_text {
    use super::*;

    pub fn serialize<S: Serializer>(proof: &Proof, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(proof))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Proof, D::Error> {
        let text = String::deserialize(d)?;
        parse(&text).map_err(serde::de::Error::custom)
    }

    fn parse(text: &str) -> Result<Proof> {
        let fault = || Error::Invalid("not 32 bytes in base64".into());
        if text.len() != 44 {
            return Err(fault());
        }
        let bytes = STANDARD.decode(text).map_err(|_| fault())?;
        bytes.try_into().map_err(|_| fault())
    }
}

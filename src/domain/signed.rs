//! A signed document as it travels and is stored: the exact bytes, who signed, and the license tags
//! beside them.

use super::issue::{IssueKey, LicenseTag};
use super::keys::Context;
use super::{Error, PublicKey, Result, SecretKey, Signature, strict};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// The longest signed document of the register, in bytes.
pub const MAX_RECORD: usize = 2048;
/// The most license tags that are kept beside one.
pub const MAX_TAGS: usize = 4;

/// What kind of document of the register this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedKind {
    Peer,
    Service,
    Announcement,
}

impl SignedKind {
    pub fn context(self) -> Context {
        match self {
            SignedKind::Peer => Context::PeerRecord,
            SignedKind::Service => Context::ServiceRecord,
            SignedKind::Announcement => Context::Announcement,
        }
    }
}

/// The document as received: nothing of it is checked yet but its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub kind: SignedKind,
    pub key: PublicKey,
    pub payload: Bytes,
    pub signature: Signature,
    pub tags: Vec<LicenseTag>,
}

/// Bytes that are base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        d.deserialize_str(Base64)
    }
}

/// Decodes a text where it stands: it may be long, and a copy of it is not needed.
struct Base64;

impl Visitor<'_> for Base64 {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Bytes, E> {
        let decoded = STANDARD.decode(text);
        decoded.map(Bytes).map_err(|_| E::custom("not base64"))
    }
}

impl Signed {
    /// Signs a document and tags it with every issue that the signer holds.
    pub fn seal(
        kind: SignedKind,
        body: &impl Serialize,
        key: &SecretKey,
        issues: &[IssueKey],
    ) -> Signed {
        // The bodies are plain structs of strings and numbers, which always serialize.
        let payload = serde_json::to_vec(body).expect("a plain struct serializes");
        let mut signed = Signed {
            kind,
            key: key.public(),
            signature: key.sign(kind.context(), &payload),
            payload: Bytes(payload),
            tags: Vec::new(),
        };
        signed.add_tags(issues);
        signed
    }

    /// Verifies the signature and only then reads the body, in which unknown fields are ignored.
    pub(super) fn open<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        if self.payload.0.len() > MAX_RECORD {
            return Err(Error::Invalid(format!("{what} is over {MAX_RECORD} bytes")));
        }
        if !self.verifies() {
            return Err(Error::Invalid(format!("{what}: invalid signature")));
        }
        strict::from_slice(&self.payload.0, what)
    }

    fn verifies(&self) -> bool {
        self.key
            .verify(self.kind.context(), &self.payload.0, &self.signature)
    }

    /// Whether one of these issues made one of the tags. Cheap; done before the signature.
    pub fn tagged_by(&self, issues: &[IssueKey]) -> bool {
        self.tags.iter().take(MAX_TAGS).any(|tag| {
            issues.iter().any(|issue| {
                issue.id() == tag.issue
                    && issue.check(self.kind.context(), &self.payload.0, &tag.mac)
            })
        })
    }

    /// Adds the tags of these issues, in place of whatever was claimed under their names. Returns
    /// whether anything changed.
    pub fn add_tags(&mut self, issues: &[IssueKey]) -> bool {
        let own: Vec<LicenseTag> = issues
            .iter()
            .map(|issue| issue.tag(self.kind.context(), &self.payload.0))
            .collect();
        self.union_tags(&own)
    }

    /// The union of two sets of tags. One's own come first, so that a relay's inventions never push
    /// out what this agent has checked.
    pub fn union_tags(&mut self, first: &[LicenseTag]) -> bool {
        let mut union: Vec<LicenseTag> = first.to_vec();
        for tag in &self.tags {
            if !union.iter().any(|t| t.issue == tag.issue) {
                union.push(tag.clone());
            }
        }
        union.truncate(MAX_TAGS);
        union.sort();
        let changed = union != self.tags;
        self.tags = union;
        changed
    }

    /// What the digest compares: a hash of the kind, the signed bytes and the signature.
    pub fn version(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.kind.context().bytes(&[]));
        hash.update((self.payload.0.len() as u64).to_be_bytes());
        hash.update(&self.payload.0);
        hash.update(self.key.as_bytes());
        hash.update(self.signature.0);
        hash.finalize().into()
    }
}

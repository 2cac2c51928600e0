//! A goodbye: an agent says of one of its starts that it ends. It names no addressee, so that whoever
//! holds it can show it to others; it is worth nothing against any other start.

use super::keys::Context;
use super::signed::{Bytes, MAX_RECORD};
use super::{Error, PeerId, PublicKey, Result, SecretKey, Signature, strict};
use serde::{Deserialize, Serialize};

/// The exact bytes and their signature. Nothing of it is checked yet but its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goodbye {
    pub key: PublicKey,
    pub payload: Bytes,
    pub signature: Signature,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodbyeFields {
    pub v: u32,
    pub subject: PeerId,
    /// The start number that the subject's record carries.
    pub start: u64,
}

impl Goodbye {
    pub fn seal(fields: &GoodbyeFields, key: &SecretKey) -> Goodbye {
        // A plain struct of numbers and a text always serializes.
        let payload = serde_json::to_vec(fields).expect("a plain struct serializes");
        Goodbye {
            key: key.public(),
            signature: key.sign(Context::Goodbye, &payload),
            payload: Bytes(payload),
        }
    }

    /// Verifies, then reads. The subject is whoever signed.
    pub fn open(&self) -> Result<GoodbyeFields> {
        let fault = |why: &str| Err(Error::Invalid(format!("goodbye: {why}")));
        let payload = &self.payload.0;
        if payload.len() > MAX_RECORD
            || !self.key.verify(Context::Goodbye, payload, &self.signature)
        {
            return fault("invalid signature");
        }
        let fields: GoodbyeFields = strict::from_slice(payload, "goodbye")?;
        match fields.subject.matches(&self.key) {
            true => Ok(fields),
            false => fault("id and signer differ"),
        }
    }
}

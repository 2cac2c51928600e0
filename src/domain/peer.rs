//! A peer record: what an agent says of itself, signed by itself.

use super::{
    Address, Error, IssueKey, Name, PeerId, PublicKey, Result, SecretKey, Signed, SignedKind,
};
use serde::{Deserialize, Serialize};

/// The highest incarnation: what every JSON reader holds exactly.
pub const MAX_INCARNATION: u64 = (1 << 53) - 1;

/// The fields of a peer record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFields {
    pub v: u32,
    pub id: PeerId,
    pub key: PublicKey,
    /// None until the first handshake settles it.
    pub address: Option<Address>,
    /// A suggestion to others.
    pub name: Name,
    pub incarnation: u64,
    /// Drawn at each start; tells two live agents with one key apart.
    pub start: u64,
}

/// A record whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    pub signed: Signed,
    pub fields: PeerFields,
}

impl PeerRecord {
    pub fn seal(fields: PeerFields, key: &SecretKey, issues: &[IssueKey]) -> PeerRecord {
        PeerRecord {
            signed: Signed::seal(SignedKind::Peer, &fields, key, issues),
            fields,
        }
    }

    /// Verifies, then reads. The id must belong to the key that signed.
    pub fn open(signed: Signed) -> Result<PeerRecord> {
        if signed.kind != SignedKind::Peer {
            return Err(Error::Invalid("not a peer record".into()));
        }
        let fields: PeerFields = signed.open("peer record")?;
        if fields.key != signed.key || !fields.id.matches(&fields.key) {
            return Err(Error::Invalid(
                "peer record: id, key and signer differ".into(),
            ));
        }
        if fields.incarnation > MAX_INCARNATION {
            return Err(Error::Invalid(
                "peer record: incarnation out of range".into(),
            ));
        }
        Ok(PeerRecord { signed, fields })
    }

    /// Which of two records of one identity wins: the higher incarnation, then the signed bytes that
    /// sort higher, then the signature that does (a key can sign the same bytes twice).
    pub fn rank(&self) -> (u64, &[u8], &[u8; 64]) {
        (
            self.fields.incarnation,
            &self.signed.payload.0,
            &self.signed.signature.0,
        )
    }
}

//! Signed documents as columns.

use super::damaged;
use crate::domain::signed::Bytes;
use crate::domain::{KeyHash, PublicKey, Result, Signature, Signed, SignedKind};
use rusqlite::Row;

/// The four columns `key, payload, signature, tags` as read, before anything is checked.
pub(super) struct SignedRow {
    key: [u8; 32],
    payload: Vec<u8>,
    signature: [u8; 64],
    tags: String,
}

impl SignedRow {
    /// Reads the columns beginning at `at`.
    pub fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<SignedRow> {
        Ok(SignedRow {
            key: row.get(at)?,
            payload: row.get(at + 1)?,
            signature: row.get(at + 2)?,
            tags: row.get(at + 3)?,
        })
    }

    pub fn signed(self, kind: SignedKind) -> Result<Signed> {
        Ok(Signed {
            kind,
            key: PublicKey::from_bytes(&self.key).map_err(|_| damaged("key"))?,
            payload: Bytes(self.payload),
            signature: Signature(self.signature),
            tags: serde_json::from_str(&self.tags).map_err(|_| damaged("license tag"))?,
        })
    }
}

pub(super) fn tags_text(signed: &Signed) -> String {
    // A list of plain structs always serializes.
    serde_json::to_string(&signed.tags).unwrap_or_else(|_| "[]".into())
}

pub(super) fn hash(row: &Row<'_>, at: usize) -> rusqlite::Result<KeyHash> {
    Ok(KeyHash(row.get(at)?))
}

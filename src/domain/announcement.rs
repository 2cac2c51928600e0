//! Announcements: the final word on an identity, signed by itself (deactivation) or by another
//! member (revocation).

use super::{Error, IssueKey, KeyHash, PeerId, PublicKey, Result, SecretKey, Signed, SignedKind};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnouncementKind {
    Deactivation,
    Revocation,
}

/// The fields of an announcement: enough for any agent to check it, whoever it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncementFields {
    pub v: u32,
    pub kind: AnnouncementKind,
    pub signer: PeerId,
    pub signer_key: PublicKey,
    pub subject: PeerId,
    pub subject_key: PublicKey,
    /// The incarnation of the subject that this ends; informative, since it ends all of them.
    pub incarnation: u64,
}

/// An announcement whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub signed: Signed,
    pub fields: AnnouncementFields,
}

impl Announcement {
    pub fn seal(fields: AnnouncementFields, key: &SecretKey, issues: &[IssueKey]) -> Announcement {
        Announcement {
            signed: Signed::seal(SignedKind::Announcement, &fields, key, issues),
            fields,
        }
    }

    /// Verifies, then reads. A deactivation is signed by its subject, a revocation by another.
    pub fn open(signed: Signed) -> Result<Announcement> {
        if signed.kind != SignedKind::Announcement {
            return Err(Error::Invalid("not an announcement".into()));
        }
        let fields: AnnouncementFields = signed.open("announcement")?;
        let fault = |why: &str| Err(Error::Invalid(format!("announcement: {why}")));
        if fields.signer_key != signed.key || !fields.signer.matches(&fields.signer_key) {
            return fault("id, key and signer differ");
        }
        if !fields.subject.matches(&fields.subject_key) {
            return fault("id and key of the subject differ");
        }
        let own = fields.signer_key == fields.subject_key;
        if own != (fields.kind == AnnouncementKind::Deactivation) {
            return fault("a deactivation is signed by its subject, a revocation by another");
        }
        Ok(Announcement { signed, fields })
    }

    pub fn subject(&self) -> KeyHash {
        self.fields.subject.hash()
    }

    pub fn signer(&self) -> KeyHash {
        self.fields.signer.hash()
    }

    /// Which of several about one subject is kept: all say the same, so that any fixed order will
    /// do. A deactivation first, then the lower bytes.
    pub fn rank(&self) -> (AnnouncementKind, &[u8], &[u8; 64]) {
        (
            self.fields.kind,
            &self.signed.payload.0,
            &self.signed.signature.0,
        )
    }
}

//! Announcements: the final word on an identity. A deactivation is its subject's own; nobody else
//! ends a membership.

use super::{
    Error, IssueKey, KeyHash, LicenseId, PeerId, PublicKey, Result, SecretKey, Signed, SignedKind,
};
use serde::{Deserialize, Serialize};

/// The fields of a deactivation: enough for any agent to check it, whoever it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncementFields {
    pub v: u32,
    pub subject: PeerId,
    pub subject_key: PublicKey,
    /// The cluster that the subject leaves: the word means nothing in another.
    pub license_id: LicenseId,
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

    /// Verifies, then reads. Whoever signed is the subject.
    pub fn open(signed: Signed) -> Result<Announcement> {
        if signed.kind != SignedKind::Announcement {
            return Err(Error::Invalid("not an announcement".into()));
        }
        let fields: AnnouncementFields = signed.open("announcement")?;
        if fields.subject_key != signed.key || !fields.subject.matches(&fields.subject_key) {
            return Err(Error::Invalid(
                "announcement: id, key and signer differ".into(),
            ));
        }
        Ok(Announcement { signed, fields })
    }

    pub fn subject(&self) -> KeyHash {
        self.fields.subject.hash()
    }

    /// Which of several about one subject is kept: all say the same, so that any fixed order will
    /// do. The lower bytes.
    pub fn rank(&self) -> (&[u8], &[u8; 64]) {
        (&self.signed.payload.0, &self.signed.signature.0)
    }
}

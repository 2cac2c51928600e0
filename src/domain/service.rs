//! A service record: an intent that the cluster shares, signed by its last editor.

use super::peer::MAX_INCARNATION;
use super::{
    Error, IssueKey, Name, PeerId, PublicKey, Result, SecretKey, ServiceId, Signed, SignedKind,
    Timestamp,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Kcp,
}

impl Transport {
    pub fn parse(text: &str) -> Result<Transport> {
        match text {
            "tcp" => Ok(Transport::Tcp),
            "kcp" => Ok(Transport::Kcp),
            other => Err(Error::InvalidTransport(other.chars().take(32).collect())),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Kcp => "kcp",
        }
    }
}

/// The fields of a service record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFields {
    pub v: u32,
    pub id: ServiceId,
    pub source: PeerId,
    pub target: PeerId,
    pub transport: Transport,
    pub name: Name,
    pub created_at: Timestamp,
    /// 1 at creation, plus one for an edit.
    pub version: u64,
    pub deleted: bool,
    pub editor: PeerId,
    pub editor_key: PublicKey,
}

/// A service record whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    pub signed: Signed,
    pub fields: ServiceFields,
}

impl ServiceRecord {
    pub fn seal(fields: ServiceFields, key: &SecretKey, issues: &[IssueKey]) -> ServiceRecord {
        ServiceRecord {
            signed: Signed::seal(SignedKind::Service, &fields, key, issues),
            fields,
        }
    }

    pub fn open(signed: Signed) -> Result<ServiceRecord> {
        if signed.kind != SignedKind::Service {
            return Err(Error::Invalid("not a service record".into()));
        }
        let fields: ServiceFields = signed.open("service record")?;
        let fault = |why: &str| Err(Error::Invalid(format!("service record: {why}")));
        if fields.editor_key != signed.key || !fields.editor.matches(&fields.editor_key) {
            return fault("id, key and signer differ");
        }
        if fields.version == 0 || fields.version > MAX_INCARNATION {
            return fault("version out of range");
        }
        Ok(ServiceRecord { signed, fields })
    }

    /// Which of two records of one service wins: a deletion, then the higher version, then the bytes
    /// that sort higher.
    pub fn rank(&self) -> (bool, u64, &[u8], &[u8; 64]) {
        (
            self.fields.deleted,
            self.fields.version,
            &self.signed.payload.0,
            &self.signed.signature.0,
        )
    }
}

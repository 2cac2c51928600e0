//! A service record: an intent that the cluster shares, signed by its last editor.

use super::peer::MAX_INCARNATION;
use super::{
    Error, IssueKey, Name, PeerId, PublicKey, Result, SecretKey, ServiceId, Signed, SignedKind,
    Timestamp,
};
use serde::{Deserialize, Serialize};

/// How long a deletion is remembered: whoever was away for no longer learns of it.
pub const REMEMBERED_DAYS: i64 = 90;

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
    /// When it was deleted, by the clock of whoever did; never before `created_at`.
    pub deleted_at: Option<Timestamp>,
    pub editor: PeerId,
    pub editor_key: PublicKey,
}

/// When a deletion of this time is forgotten.
pub fn forgotten_at(deleted_at: Timestamp) -> Timestamp {
    deleted_at.plus_days(REMEMBERED_DAYS)
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
        if fields.deleted_at.is_some_and(|at| at < fields.created_at) {
            return fault("deleted before it was created");
        }
        Ok(ServiceRecord { signed, fields })
    }

    /// Which of two records of one service wins: a deletion, the later of two, then the higher
    /// version, then the bytes that sort higher.
    pub fn rank(&self) -> (Option<Timestamp>, u64, &[u8], &[u8; 64]) {
        (
            self.fields.deleted_at,
            self.fields.version,
            &self.signed.payload.0,
            &self.signed.signature.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_not_deleted_before_it_was_created() {
        let key = SecretKey::from_seed(&[1; 32]);
        let editor = PeerId::derive(&key.public(), 1);
        let deleted = |at: i64| {
            let fields = ServiceFields {
                v: 1,
                id: ServiceId::from_parts(1, [0; 10]),
                source: editor,
                target: editor,
                transport: Transport::Tcp,
                name: Name::none(),
                created_at: Timestamp(5000),
                version: 2,
                deleted_at: Some(Timestamp(at)),
                editor,
                editor_key: key.public(),
            };
            ServiceRecord::open(ServiceRecord::seal(fields, &key, &[]).signed)
        };
        assert!(deleted(4000).is_err());
        assert!(deleted(5000).is_ok());
    }
}

//! A peer record: what an agent says of itself, signed by itself.

use super::{
    Address, Error, IssueKey, Name, PeerId, PublicKey, Result, SecretKey, Signed, SignedKind,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

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
    /// The program that signed it.
    pub version: Version,
}

/// Which version of this program: 1 to 64 visible characters of ASCII, no space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version(String);

impl Version {
    pub const MAX: usize = 64;

    /// That of the program itself.
    pub fn own() -> Version {
        Version(env!("CARGO_PKG_VERSION").to_string())
    }

    pub fn parse(text: &str) -> Result<Version> {
        let good = (1..=Version::MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        match good {
            true => Ok(Version(text.to_string())),
            false => Err(Error::Invalid(
                "version is not 1 to 64 visible characters".into(),
            )),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Version::parse(&text).map_err(serde::de::Error::custom)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let longest = "1".repeat(Version::MAX);
        for good in [env!("CARGO_PKG_VERSION"), "1.0.0-rc.1+a", longest.as_str()] {
            assert!(Version::parse(good).is_ok(), "{good}");
        }
        assert_eq!(
            Version::parse(env!("CARGO_PKG_VERSION")),
            Ok(Version::own())
        );
        let longer = "1".repeat(Version::MAX + 1);
        for bad in ["", "1 0", "1\n", "\u{1b}[31m", "ä", longer.as_str()] {
            assert!(Version::parse(bad).is_err(), "{bad:?}");
        }
    }
}

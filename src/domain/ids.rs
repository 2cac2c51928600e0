//! Identifiers: a prefix and a ULID, `peer_01ARZ3NDEKTSV4RRFFQ69G5FAV`.
//!
//! A peer id is bound to its key: 48 bits of bootstrap time, then the first 80 bits of
//! SHA-256(public key). Identity is that hash alone; nothing trusts the time bits.

use super::{Error, PublicKey, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use ulid::Ulid;

/// Parses exactly what `Display` writes: upper-case Crockford base32, 26 characters.
fn parse_ulid(prefix: &str, text: &str) -> Option<u128> {
    let rest = text.strip_prefix(prefix)?;
    let id = Ulid::from_string(rest).ok()?;
    (id.to_string() == rest).then_some(id.0)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// An id from a time in milliseconds (48 bits are used) and 80 bits of anything.
            pub fn from_parts(time_ms: u64, low: [u8; 10]) -> $name {
                let mut bytes = [0u8; 16];
                bytes[..6].copy_from_slice(&time_ms.to_be_bytes()[2..]);
                bytes[6..].copy_from_slice(&low);
                $name(u128::from_be_bytes(bytes))
            }

            pub fn from_bytes(bytes: [u8; 16]) -> $name {
                $name(u128::from_be_bytes(bytes))
            }

            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// Reads the text form; anything else is `NotFound`, as a path segment or `Invalid` as a field.
            pub fn parse(text: &str) -> Result<$name> {
                parse_ulid($prefix, text)
                    .map($name)
                    .ok_or_else(|| Error::Invalid(format!("not a {} id", $what)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, Ulid(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<$name, D::Error> {
                let text = String::deserialize(d)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// An agent's identity.
    PeerId, "peer_", "peer"
);
id!(
    /// A label of the cluster, which no rule reads.
    ClusterId, "clu_", "cluster"
);
id!(
    /// A license and all its renewals.
    LicenseId, "lic_", "license"
);
id!(
    /// A service.
    ServiceId, "svc_", "service"
);
id!(
    /// A set of credentials.
    ClientId, "cli_", "client"
);

/// The identity itself: the first 80 bits of SHA-256(public key). Duplicates, tombstones and limits
/// go by it alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 10]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl PeerId {
    /// The id of a key that was bootstrapped at this time (milliseconds since 1970).
    pub fn derive(key: &PublicKey, time_ms: u64) -> PeerId {
        PeerId::from_parts(time_ms, key.hash().0)
    }

    /// The identity: the last 16 characters of the id.
    pub fn hash(self) -> KeyHash {
        let mut hash = [0u8; 10];
        hash.copy_from_slice(&self.to_bytes()[6..]);
        KeyHash(hash)
    }

    /// Whether the id belongs to the key. An id that does not is refused everywhere.
    pub fn matches(self, key: &PublicKey) -> bool {
        self.hash() == key.hash()
    }
}

impl ClusterId {
    /// The label: the smallest ULID among all identities of the register.
    pub fn of(smallest: PeerId) -> ClusterId {
        ClusterId(smallest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let id = ServiceId::from_parts(1_700_000_000_000, [7; 10]);
        assert_eq!(ServiceId::parse(&id.to_string()).unwrap(), id);
        let lower = id.to_string().to_lowercase();
        for bad in [
            "",
            "svc_",
            "peer_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            lower.as_str(),
            "svc_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert!(ServiceId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_sixteen_characters_are_the_identity() {
        let a = PeerId::from_parts(1, [9; 10]);
        let b = PeerId::from_parts(2, [9; 10]);
        assert_eq!(a.hash(), b.hash());
        assert_eq!(a.to_string()[15..], b.to_string()[15..]);
    }
}

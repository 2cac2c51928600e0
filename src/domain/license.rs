//! The license: seven fields, signed by an issuer. Whoever holds it may join.
//!
//! Its signature bytes are the cluster's secret. Nothing here prints them but `to_document`, which
//! the issuer's tools and the database use.

use super::keys::Context;
use super::time::DAY_MS;
use super::{Error, LicenseId, PublicKey, Result, SecretKey, Signature, Timestamp, strict};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

pub const WARNING_DAYS: i64 = 30;
pub const GRACE_DAYS: i64 = 14;
/// How far ahead of this agent's clock a license's issue may lie.
const SKEW_MS: i64 = 5 * 60 * 1000;
/// The longest license document that is read, in bytes.
pub const MAX_DOCUMENT: usize = 4096;

/// `cust_` and the customer's word: 1 to 64 of `a-z A-Z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Customer(String);

impl Customer {
    /// Reads the id with its prefix.
    pub fn parse(text: &str) -> Result<Customer> {
        let word = text.strip_prefix("cust_").unwrap_or("");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if word.is_empty() || word.len() > 64 || !word.chars().all(plain) {
            return Err(Error::Invalid(
                "customer id must be 'cust_' and 1 to 64 letters, digits, '.', '_' or '-'".into(),
            ));
        }
        Ok(Customer(text.to_string()))
    }

    /// Reads the id with or without its prefix, as a person types it.
    pub fn parse_word(text: &str) -> Result<Customer> {
        match text.starts_with("cust_") {
            true => Customer::parse(text),
            false => Customer::parse(&format!("cust_{text}")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Customer {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Customer::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// What an issuer grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub license_id: LicenseId,
    pub customer_id: Customer,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub max_nodes: u32,
    pub max_services: u32,
}

/// A license that parses; `verify` says whether a trusted issuer signed it. No `Debug`: the
/// signature is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct License {
    pub terms: Terms,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    license_id: LicenseId,
    customer_id: Customer,
    issued_at: Timestamp,
    expires_at: Timestamp,
    max_nodes: u32,
    max_services: u32,
    signature: Signature,
}

/// Where a license stands in its term, by the agent's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseState {
    Valid,
    Warning,
    Grace,
    ReadOnly,
}

impl LicenseState {
    pub fn as_str(self) -> &'static str {
        match self {
            LicenseState::Valid => "valid",
            LicenseState::Warning => "warning",
            LicenseState::Grace => "grace",
            LicenseState::ReadOnly => "read_only",
        }
    }
}

impl Terms {
    /// The bytes that the issuer signs: one field a line, in this order. No field can hold a newline.
    fn canonical(&self) -> Vec<u8> {
        format!(
            "license_id={}\ncustomer_id={}\nissued_at={}\nexpires_at={}\nmax_nodes={}\nmax_services={}\n",
            self.license_id,
            self.customer_id,
            self.issued_at,
            self.expires_at,
            self.max_nodes,
            self.max_services
        )
        .into_bytes()
    }

    /// SHA-256 of the canonical bytes; says which issue this is, and nothing of its signature.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    pub fn fingerprint_text(&self) -> String {
        self.fingerprint()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    /// Whole days until the end of the term, rounded up; negative once it is over.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        let left = self.expires_at.0.saturating_sub(now.0);
        left.div_euclid(DAY_MS) + i64::from(left.rem_euclid(DAY_MS) > 0)
    }

    pub fn state(&self, now: Timestamp) -> LicenseState {
        if now >= self.expires_at.plus_days(GRACE_DAYS) {
            LicenseState::ReadOnly
        } else if now >= self.expires_at {
            LicenseState::Grace
        } else if now >= self.expires_at.plus_days(-WARNING_DAYS) {
            LicenseState::Warning
        } else {
            LicenseState::Valid
        }
    }

    pub fn read_only(&self, now: Timestamp) -> bool {
        self.state(now) == LicenseState::ReadOnly
    }

    /// What bootstrap and update ask of the dates.
    pub fn check_term(&self, now: Timestamp) -> Result<()> {
        if self.issued_at.0 > now.0.saturating_add(SKEW_MS) {
            return Err(Error::LicenseInvalid(format!(
                "it is not valid before {}; check this machine's clock",
                self.issued_at.for_people()
            )));
        }
        if now >= self.expires_at {
            return Err(Error::LicenseExpired(self.expires_at.for_people()));
        }
        Ok(())
    }
}

impl License {
    /// Signs these terms. The issuer's tool uses it, and tests.
    pub fn issue(terms: Terms, key: &SecretKey) -> License {
        let signature = key.sign(Context::License, &terms.canonical());
        License { terms, signature }
    }

    /// Reads a document: every field once, nothing else.
    pub fn parse(document: &[u8]) -> Result<License> {
        if document.len() > MAX_DOCUMENT {
            return Err(Error::LicenseInvalid(format!(
                "it is longer than {MAX_DOCUMENT} bytes"
            )));
        }
        let doc: Document =
            strict::from_slice(document, "not a license document").map_err(|e| match e {
                Error::Invalid(why) => Error::LicenseInvalid(why),
                other => other,
            })?;
        let license = License {
            terms: Terms {
                license_id: doc.license_id,
                customer_id: doc.customer_id,
                issued_at: doc.issued_at,
                expires_at: doc.expires_at,
                max_nodes: doc.max_nodes,
                max_services: doc.max_services,
            },
            signature: doc.signature,
        };
        license.check_sense()?;
        Ok(license)
    }

    fn check_sense(&self) -> Result<()> {
        if self.terms.max_nodes == 0 {
            return Err(Error::LicenseInvalid("max_nodes is 0".into()));
        }
        if self.terms.expires_at <= self.terms.issued_at {
            return Err(Error::LicenseInvalid("it ends before it begins".into()));
        }
        Ok(())
    }

    /// Whether one of these issuers signed it.
    pub fn verify(&self, issuers: &[PublicKey]) -> Result<()> {
        if issuers.is_empty() {
            return Err(Error::LicenseInvalid("no issuer is trusted".into()));
        }
        let bytes = self.terms.canonical();
        let signed = |key: &PublicKey| key.verify(Context::License, &bytes, &self.signature);
        if issuers.iter().any(signed) {
            return Ok(());
        }
        Err(Error::LicenseInvalid(
            "its signature is of none of the trusted issuers: the license was altered, or its issuer's key is missing from the issuers file".into(),
        ))
    }

    /// The secret that keys the license tags.
    pub(super) fn secret(&self) -> &[u8; 64] {
        &self.signature.0
    }

    /// The document, signature included: for the issuer's output and the agent's own database.
    pub fn to_document(&self) -> String {
        let doc = Document {
            license_id: self.terms.license_id,
            customer_id: self.terms.customer_id.clone(),
            issued_at: self.terms.issued_at,
            expires_at: self.terms.expires_at,
            max_nodes: self.terms.max_nodes,
            max_services: self.terms.max_services,
            signature: self.signature,
        };
        // Plain strings and numbers always serialize.
        serde_json::to_string_pretty(&doc).unwrap_or_default()
    }
}

/// Reads an issuers file: one base64 key a line, `#` begins a comment.
pub fn parse_issuers(text: &str) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let key = PublicKey::parse(line)
            .map_err(|e| Error::Invalid(format!("issuers file, line {}: {e}", i + 1)))?;
        keys.push(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            license_id: LicenseId::from_parts(1, [1; 10]),
            customer_id: Customer::parse("cust_acme").unwrap(),
            issued_at: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            expires_at: Timestamp::parse("2027-01-01T00:00:00Z").unwrap(),
            max_nodes: 10,
            max_services: 100,
        }
    }

    #[test]
    fn round_trip() {
        let key = SecretKey::from_seed(&[5; 32]);
        let license = License::issue(terms(), &key);
        let read = License::parse(license.to_document().as_bytes()).unwrap();
        assert!(read == license && read.verify(&[key.public()]).is_ok());
        assert!(read.verify(&[]).is_err());
        assert!(
            read.verify(&[SecretKey::from_seed(&[6; 32]).public()])
                .is_err()
        );
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let key = SecretKey::from_seed(&[5; 32]);
        let document = License::issue(terms(), &key).to_document().into_bytes();
        let original = License::parse(&document).unwrap();
        for i in 0..document.len() {
            for flip in [0x01, 0x10, 0x20] {
                let mut changed = document.clone();
                changed[i] ^= flip;
                let Ok(license) = License::parse(&changed) else {
                    continue;
                };
                // White space between the fields carries no meaning.
                assert!(
                    license == original || license.verify(&[key.public()]).is_err(),
                    "byte {i}"
                );
            }
        }
    }

    #[test]
    fn unknown_missing_and_duplicate_fields_are_refused() {
        let key = SecretKey::from_seed(&[5; 32]);
        let document = License::issue(terms(), &key).to_document();
        let unknown = document.replacen('{', r#"{"extra": 1,"#, 1);
        let twice = document.replacen('{', r#"{"max_nodes": 10,"#, 1);
        let missing = document.replacen("\"max_nodes\": 10,", "", 1);
        for (text, word) in [
            (unknown, "extra"),
            (twice, "duplicate"),
            (missing, "max_nodes"),
        ] {
            let Err(e) = License::parse(text.as_bytes()) else {
                panic!("{text}")
            };
            assert!(e.to_string().contains(word), "{e}");
        }
    }

    #[test]
    fn four_states() {
        let t = terms();
        let day = |n| t.expires_at.plus_days(n);
        assert_eq!(t.state(day(-31)), LicenseState::Valid);
        assert_eq!(t.state(day(-30)), LicenseState::Warning);
        assert_eq!(t.state(day(0)), LicenseState::Grace);
        assert_eq!(t.state(day(14)), LicenseState::ReadOnly);
        assert_eq!((t.days_left(day(-1)), t.days_left(day(2))), (1, -2));
        assert!(t.check_term(day(-1)).is_ok() && t.check_term(day(0)).is_err());
        assert!(t.check_term(t.issued_at.plus_days(-1)).is_err());
    }

    #[test]
    fn issuers() {
        let key = SecretKey::from_seed(&[5; 32]).public();
        let text = format!("# ours\n\n{key} # acme\n");
        assert_eq!(parse_issuers(&text).unwrap(), vec![key]);
        assert!(
            parse_issuers("nonsense")
                .unwrap_err()
                .to_string()
                .contains("line 1")
        );
    }
}

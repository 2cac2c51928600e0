//! Names and descriptions: what people call a peer or a service.

use super::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A name of 1 to 64 characters, or "" where there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default)]
pub struct Name(String);

impl Name {
    pub const MAX: usize = 64;

    /// The absence of a name.
    pub fn none() -> Name {
        Name::default()
    }

    /// A name that someone gives: not empty, not a word that means something else to us.
    pub fn parse(text: &str) -> Result<Name> {
        let fault = if text.is_empty() {
            "is empty"
        } else if text.chars().count() > Name::MAX {
            "is longer than 64 characters"
        } else if text.chars().any(char::is_control) {
            "contains a control character"
        } else if text.trim() != text {
            "begins or ends with a space"
        } else if text == "self" {
            "must not be 'self'"
        } else if text.starts_with("peer_") {
            "must not begin with 'peer_'"
        } else {
            return Ok(Name(text.to_string()));
        };
        Err(Error::Invalid(format!("name {fault}")))
    }

    /// A name, or none for "".
    pub fn parse_optional(text: &str) -> Result<Name> {
        if text.is_empty() {
            return Ok(Name::none());
        }
        Name::parse(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Name::parse_optional(&text).map_err(serde::de::Error::custom)
    }
}

/// A description of at most 256 characters, or "".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Description(String);

impl Description {
    pub fn parse(text: &str) -> Result<Description> {
        let fault = if text.chars().count() > 256 {
            "is longer than 256 characters"
        } else if text.chars().any(char::is_control) {
            "contains a control character"
        } else {
            return Ok(Description(text.to_string()));
        };
        Err(Error::Invalid(format!("description {fault}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "ä".repeat(64);
        for good in ["a", "prod-svr-1", "Production Server 1", long.as_str()] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        let longer = "a".repeat(65);
        for bad in [
            "",
            "self",
            "peer_x",
            "a\nb",
            "\u{85}",
            " a",
            "a ",
            longer.as_str(),
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Name::parse_optional("").unwrap().is_none());
    }
}

//! What a set of credentials may do.

use super::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;

const URN: &str = "urn:tillered:arctic:";

/// One permission. `Admin` implies all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Admin,
    PeersRead,
    PeersWrite,
    ServicesRead,
    ServicesWrite,
    CredentialsRead,
    CredentialsWrite,
}

impl Scope {
    pub const ALL: [Scope; 7] = [
        Scope::Admin,
        Scope::PeersRead,
        Scope::PeersWrite,
        Scope::ServicesRead,
        Scope::ServicesWrite,
        Scope::CredentialsRead,
        Scope::CredentialsWrite,
    ];

    /// The short form, `peers.read`.
    pub fn short(self) -> &'static str {
        match self {
            Scope::Admin => "admin",
            Scope::PeersRead => "peers.read",
            Scope::PeersWrite => "peers.write",
            Scope::ServicesRead => "services.read",
            Scope::ServicesWrite => "services.write",
            Scope::CredentialsRead => "credentials.read",
            Scope::CredentialsWrite => "credentials.write",
        }
    }

    /// Reads the URN or the short form.
    pub fn parse(text: &str) -> Result<Scope> {
        let short = text.strip_prefix(URN).unwrap_or(text);
        Scope::ALL
            .into_iter()
            .find(|scope| scope.short() == short)
            .ok_or_else(|| Error::Invalid(format!("scope '{text}' is none of {}", known())))
    }
}

fn known() -> String {
    Scope::ALL.map(Scope::short).join(", ")
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{URN}{}", self.short())
    }
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Scopes {
        Scopes(scopes.iter().copied().collect())
    }

    /// Reads scopes that are separated by spaces (RFC 6749 section 3.3).
    pub fn parse(text: &str) -> Result<Scopes> {
        let scopes: Result<BTreeSet<Scope>> =
            text.split_ascii_whitespace().map(Scope::parse).collect();
        Ok(Scopes(scopes?))
    }

    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&Scope::Admin) || self.0.contains(&scope)
    }

    /// The first scope of `wanted` that these do not imply.
    pub fn lacks(&self, wanted: &Scopes) -> Option<Scope> {
        wanted.0.iter().copied().find(|scope| !self.allows(*scope))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(Scope::to_string).collect();
        f.write_str(&all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_implies_all_and_nothing_else_does() {
        let admin = Scopes::of(&[Scope::Admin]);
        let reader = Scopes::parse("peers.read urn:tillered:arctic:services.read").unwrap();
        for scope in Scope::ALL {
            assert!(admin.allows(scope));
        }
        assert!(reader.allows(Scope::PeersRead) && !reader.allows(Scope::PeersWrite));
        assert_eq!(reader.lacks(&admin), Some(Scope::Admin));
        assert_eq!(admin.lacks(&reader), None);
        assert!(Scopes::parse("peers").is_err());
    }
}

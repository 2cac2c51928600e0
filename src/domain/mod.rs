//! Floor 0: the words of the project as plain types that cannot hold a wrong value.
//!
//! Knows: forms, limits, signatures. Must never know: HTTP, SQL, threads, the clock, entropy.
//! Invariant: whoever holds one of these types holds a value that was checked when it was made.

pub mod address;
pub mod announcement;
pub mod error;
pub mod goodbye;
pub mod ids;
pub mod issue;
pub mod keys;
pub mod license;
pub mod name;
pub mod peer;
pub mod scope;
pub mod service;
pub mod signed;
pub mod strict;
pub mod time;

pub use address::Address;
pub use announcement::Announcement;
pub use error::{Code, Error, HandshakeFault, Result};
pub use goodbye::Goodbye;
pub use ids::{ClientId, ClusterId, KeyHash, LicenseId, PeerId, ServiceId};
pub use issue::{IssueId, IssueKey, LicenseTag};
pub use keys::{PublicKey, SecretKey, Signature};
pub use license::{Customer, License, LicenseState};
pub use name::{Description, Name};
pub use peer::{PeerRecord, Version};
pub use scope::{Scope, Scopes};
pub use service::{ServiceRecord, Transport};
pub use signed::{Signed, SignedKind};
pub use time::Timestamp;

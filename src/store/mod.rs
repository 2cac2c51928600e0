//! Floor 2: the only SQL, and the single source of truth.
//!
//! Knows: tables, transactions, the database file. Must never know: why anything is written.
//! Invariant: every write is one IMMEDIATE transaction on the one writer connection; what comes out
//! is of domain types, verified again.

mod load;
mod open;
mod reader;
mod rows;
mod writer;

pub use load::{IdentityRow, OutboxRow, PeerRow, Snapshot};
pub use open::OpenError;
pub use reader::{CredentialRow, Reader};
pub use writer::{NewIdentity, Store, Tx};

use crate::domain::Error;

/// Marks the file as ours (`file` and `sqlite3` show it): "Arct".
const APPLICATION_ID: i32 = 0x4172_6374;
/// One step a release that changes the schema. Applied in order, each in one transaction.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// What SQLite says, as the API says it. The cause is for the log.
fn fault(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::StorageFull,
        _ => Error::StorageUnavailable(error.to_string()),
    }
}

/// A row that does not hold what was written there.
fn damaged(what: &str) -> Error {
    Error::StorageUnavailable(format!("the database holds a damaged {what}"))
}

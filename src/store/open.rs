//! Opening the database file: never one of somebody else, never a newer one, never a damaged one.

use super::{APPLICATION_ID, MIGRATIONS};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Why an agent cannot start on this file. One line, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenError(pub String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Opens the writer's connection, creating and migrating as needed. `identity_exists` says that a
/// key file stands beside it: then an empty file is a loss, not a beginning.
pub(super) fn writer(path: &Path, identity_exists: bool) -> Result<Connection, OpenError> {
    let shown = path.display();
    let fail = |why: String| OpenError(format!("{shown}: {why}"));
    let empty = std::fs::metadata(path).is_ok_and(|m| m.len() == 0);
    if empty && identity_exists {
        return Err(fail(
            "the database is empty but peer.key is there; restore the database from a backup, or delete the empty file to start unbootstrapped with the same identity".into(),
        ));
    }
    // Created before SQLite does, so that the file, its -wal and its -shm are 0600 from the start.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| fail(e.to_string()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| fail(e.to_string()))?;
    prepare(db).map_err(|e| fail(e.0))
}

/// A database that lives as long as its connection: the simulator's and the tests'.
pub(super) fn in_memory() -> Result<Connection, OpenError> {
    let db = Connection::open_in_memory().map_err(|e| OpenError(e.to_string()))?;
    prepare(db)
}

/// A read-only connection beside the writer's.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "trusted_schema", false)?;
    // A reader looks up single rows; the default cache would be 2 MB each.
    db.pragma_update(None, "cache_size", -64)?;
    Ok(db)
}

fn prepare(mut db: Connection) -> Result<Connection, OpenError> {
    let plain = |e: rusqlite::Error| OpenError(e.to_string());
    check_owner(&db)?;
    check_intact(&db)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(plain)?;
    for (pragma, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cache_size", "-512"),
    ] {
        db.pragma_update(None, pragma, value).map_err(plain)?;
    }
    migrate(&mut db).map_err(plain)?;
    Ok(db)
}

/// Nothing is written before this has passed.
fn check_owner(db: &Connection) -> Result<(), OpenError> {
    let number = |name: &str| -> Result<i32, OpenError> {
        db.pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| OpenError(format!("not a usable database: {e}")))
    };
    let (owner, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| OpenError(format!("not a usable database: {e}")))?;
    let fresh = owner == 0 && version == 0 && tables == 0;
    if owner != APPLICATION_ID && !fresh {
        return Err(OpenError(
            "this database belongs to another program; give arctic a data directory of its own with --data-dir".into(),
        ));
    }
    if usize::try_from(version).is_ok_and(|v| v > MIGRATIONS.len()) {
        return Err(OpenError(format!(
            "this database was written by a newer arctic (schema {version}, this one knows {}); install that version again",
            MIGRATIONS.len()
        )));
    }
    Ok(())
}

fn check_intact(db: &Connection) -> Result<(), OpenError> {
    let damaged = |why: String| {
        OpenError(format!(
            "the database is damaged ({why}); restore it from a backup, or move it away to start unbootstrapped with the same identity"
        ))
    };
    let verdict: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| damaged(e.to_string()))?;
    if verdict != "ok" {
        return Err(damaged(verdict.replace('\n', " ")));
    }
    Ok(())
}

fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: usize = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    for step in &MIGRATIONS[version..] {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", MIGRATIONS.len())?;
    tx.commit()
}

//! `agent reset`: forgetting an identity for good.

use super::{keyfile, lock};
use crate::store::Store;
use std::path::Path;

/// The files of a data directory, and what an interrupted write may have left.
const FILES: [&str; 5] = [
    "arctic.db",
    "arctic.db-wal",
    "arctic.db-shm",
    "peer.key",
    "peer.key.new",
];

/// What there is to lose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResetFacts {
    pub peer_id: Option<String>,
    /// Bootstrapped and not yet removed from its cluster.
    pub member: bool,
    pub deactivated: bool,
    /// Members that have not acknowledged the deactivation yet.
    pub open_acks: u64,
}

/// Looks into a data directory whose agent is stopped.
pub fn reset_facts(dir: &Path) -> Result<ResetFacts, String> {
    let _lock = lock::take(dir)?;
    let file = dir.join("arctic.db");
    let mut facts = ResetFacts {
        peer_id: keyfile::read(dir)
            .ok()
            .flatten()
            .map(|(id, _)| id.to_string()),
        ..ResetFacts::default()
    };
    if file.metadata().is_ok_and(|m| m.len() > 0) {
        let store = Store::open(&file, true).map_err(|e| e.to_string())?;
        let snapshot = store
            .load()
            .map_err(|e| format!("{e}: {}", e.cause().unwrap_or("")))?;
        if let Some(snapshot) = snapshot {
            facts.member = !snapshot.identity.deactivated;
            facts.deactivated = snapshot.identity.deactivated;
            facts.open_acks = snapshot.outbox.len() as u64;
        }
    }
    Ok(facts)
}

/// Deletes the identity and the database. The key goes last: until then the identity is not lost.
pub fn reset(dir: &Path) -> Result<(), String> {
    let _lock = lock::take(dir)?;
    for name in FILES {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("{}: {e}", path.display())),
        }
    }
    // An identity that came back after a power failure would be two: synced before it is said.
    let synced = std::fs::File::open(dir).and_then(|d| d.sync_all());
    synced.map_err(|e| format!("{}: {e}", dir.display()))
}

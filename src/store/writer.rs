//! The one writer: every change of what decides anything is one IMMEDIATE transaction.

use super::rows::tags_text;
use super::{OpenError, fault, open};
use crate::core::liveness::Status;
use crate::core::register::{Change, Item};
use crate::domain::{
    Address, ClientId, Description, KeyHash, License, Name, PeerId, PublicKey, Result, Scopes,
    ServiceId, Signed, Timestamp,
};
use crate::store::OutboxRow;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The writer's connection and the file that it must still be.
pub struct Store {
    pub(super) db: Connection,
    file: Option<(PathBuf, u64, u64)>,
}

/// What bootstrap writes of the agent itself.
pub struct NewIdentity<'a> {
    pub peer_id: PeerId,
    pub public_key: PublicKey,
    pub name: &'a Name,
    pub description: &'a Description,
    pub incarnation: u64,
    pub address: Option<&'a Address>,
    pub token_seed: &'a [u8; 32],
    pub created_at: Timestamp,
}

impl Store {
    /// Opens or creates the database file.
    pub fn open(path: &Path, identity_exists: bool) -> std::result::Result<Store, OpenError> {
        let db = open::writer(path, identity_exists)?;
        let meta = std::fs::metadata(path).map_err(|e| OpenError(e.to_string()))?;
        Ok(Store {
            db,
            file: Some((path.to_path_buf(), meta.dev(), meta.ino())),
        })
    }

    pub fn in_memory() -> std::result::Result<Store, OpenError> {
        Ok(Store {
            db: open::in_memory()?,
            file: None,
        })
    }

    /// Runs one IMMEDIATE transaction. An error in `work` leaves nothing behind.
    pub fn write<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.check_file()?;
        let behavior = TransactionBehavior::Immediate;
        let tx = Tx(self.db.transaction_with_behavior(behavior).map_err(fault)?);
        let done = work(&tx)?;
        tx.0.commit().map_err(fault)?;
        Ok(done)
    }

    /// Whether the database answers and is still the file in its directory: SQLite would go on
    /// writing into an unlinked one.
    pub fn check(&self) -> Result<()> {
        self.check_file()?;
        let one = self
            .db
            .query_row("SELECT count(*) FROM identity", [], |_| Ok(()));
        one.map_err(fault)
    }

    fn check_file(&self) -> Result<()> {
        let Some((path, dev, ino)) = &self.file else {
            return Ok(());
        };
        match std::fs::metadata(path) {
            Ok(m) if m.dev() == *dev && m.ino() == *ino => Ok(()),
            _ => Err(crate::domain::Error::StorageUnavailable(format!(
                "{} was removed or replaced while the agent runs; restart the agent",
                path.display()
            ))),
        }
    }
}

/// An open transaction.
pub struct Tx<'a>(Transaction<'a>);

impl Tx<'_> {
    fn run(&self, sql: &str, args: impl rusqlite::Params) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).map_err(fault)?;
        statement.execute(args).map_err(fault)?;
        Ok(())
    }

    pub fn put_identity(&self, new: &NewIdentity<'_>) -> Result<()> {
        self.run(
            "INSERT INTO identity (one, peer_id, public_key, name, description, incarnation, address, deactivated, token_seed, created_at)
             VALUES (1, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            params![
                new.peer_id.to_string(), new.public_key.to_string(), new.name.as_str(), new.description.as_str(),
                new.incarnation, new.address.map(Address::to_string), new.token_seed, new.created_at.0
            ],
        )
    }

    /// The incarnation and address that are about to be signed.
    pub fn set_incarnation(&self, incarnation: u64, address: Option<&Address>) -> Result<()> {
        self.run(
            "UPDATE identity SET incarnation = ?, address = ?",
            params![incarnation, address.map(Address::to_string)],
        )
    }

    pub fn set_deactivated(&self) -> Result<()> {
        self.run("UPDATE identity SET deactivated = 1", [])
    }

    pub fn set_last_contact(&self, at: Timestamp) -> Result<()> {
        self.run("UPDATE identity SET last_contact = ?", params![at.0])
    }

    pub fn forget_service(&self, id: ServiceId) -> Result<()> {
        self.run("DELETE FROM service WHERE id = ?", params![id.to_bytes()])
    }

    pub fn set_own_name(&self, name: &Name) -> Result<()> {
        self.run("UPDATE identity SET name = ?", params![name.as_str()])
    }

    /// The licenses that are held from now on: current first.
    pub fn set_licenses(&self, issues: &[&License]) -> Result<()> {
        self.run("DELETE FROM license_issue", [])?;
        for (rank, license) in issues.iter().enumerate() {
            self.run(
                "INSERT INTO license_issue (rank, document) VALUES (?, ?)",
                params![rank as i64, license.to_document()],
            )?;
        }
        Ok(())
    }

    /// Writes a change of the register. `name` is the last name of whoever an announcement ends.
    pub fn put(&self, change: &Change, name: &Name, now: Timestamp) -> Result<()> {
        let (Change::Put(item) | Change::Tags(item)) = change;
        let signed = item.signed();
        match item {
            Item::Peer(record) => self.put_peer(record.fields.id.hash(), signed, now),
            Item::Announcement(a) => self.put_ended(a.subject(), signed, name, now),
            Item::Service(service) => {
                let id = service.fields.id.to_bytes();
                self.put_service(id, signed, service.fields.deleted_at.is_some(), now)
            }
        }
    }

    fn put_peer(&self, hash: KeyHash, signed: &Signed, now: Timestamp) -> Result<()> {
        self.run(
            "INSERT INTO peer (hash, key, payload, signature, tags, status, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 'suspect', ?6)
             ON CONFLICT (hash) DO UPDATE SET key = ?2, payload = ?3, signature = ?4, tags = ?5",
            params![hash.0, signed.key.as_bytes(), signed.payload.0, signed.signature.0, tags_text(signed), now.0],
        )
    }

    /// The end of an identity: its tombstone stands, its record and what hid it are gone.
    fn put_ended(&self, hash: KeyHash, signed: &Signed, name: &Name, now: Timestamp) -> Result<()> {
        self.run("DELETE FROM peer WHERE hash = ?", params![hash.0])?;
        self.run("DELETE FROM local_deletion WHERE hash = ?", params![hash.0])?;
        self.run("DELETE FROM local_name WHERE hash = ?", params![hash.0])?;
        self.run(
            "INSERT INTO ended (hash, key, payload, signature, tags, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (hash) DO UPDATE SET key = ?2, payload = ?3, signature = ?4, tags = ?5",
            params![hash.0, signed.key.as_bytes(), signed.payload.0, signed.signature.0, tags_text(signed), name.as_str(), now.0],
        )
    }

    fn put_service(
        &self,
        id: [u8; 16],
        signed: &Signed,
        deleted: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "INSERT INTO service (id, key, payload, signature, tags, deleted, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET key = ?2, payload = ?3, signature = ?4, tags = ?5, deleted = ?6",
            params![id, signed.key.as_bytes(), signed.payload.0, signed.signature.0, tags_text(signed), deleted, now.0],
        )
    }

    /// A transition of liveness; never the passing of time alone.
    pub fn set_status(&self, hash: KeyHash, status: Status, seen: Option<Timestamp>) -> Result<()> {
        self.run(
            "UPDATE peer SET status = ?, last_seen = ? WHERE hash = ?",
            params![status.as_str(), seen.map(|t| t.0), hash.0],
        )
    }

    pub fn set_local_name(&self, hash: KeyHash, name: &Name) -> Result<()> {
        self.run(
            "INSERT INTO local_name (hash, name) VALUES (?1, ?2) ON CONFLICT (hash) DO UPDATE SET name = ?2",
            params![hash.0, name.as_str()],
        )
    }

    pub fn hide(&self, hash: KeyHash, name: &Name, now: Timestamp) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO local_deletion (hash, name, created_at) VALUES (?, ?, ?)",
            params![hash.0, name.as_str(), now.0],
        )
    }

    pub fn unhide(&self, hash: KeyHash) -> Result<()> {
        self.run("DELETE FROM local_deletion WHERE hash = ?", params![hash.0])
    }

    pub fn put_outbox(&self, row: &OutboxRow) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO outbox (hash, peer_id, key, address, created_at) VALUES (?, ?, ?, ?, ?)",
            params![row.peer_id.hash().0, row.peer_id.to_string(), row.key.as_bytes(), row.address.to_string(), row.created_at.0],
        )
    }

    pub fn take_outbox(&self, hash: KeyHash) -> Result<()> {
        self.run("DELETE FROM outbox WHERE hash = ?", params![hash.0])
    }

    pub fn put_credential(
        &self,
        id: ClientId,
        secret_hash: &[u8; 32],
        name: &Name,
        scopes: &Scopes,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "INSERT INTO credential (client_id, secret_hash, name, scopes, created_at) VALUES (?, ?, ?, ?, ?)",
            params![id.to_string(), secret_hash, name.as_str(), scopes.to_string(), now.0],
        )
    }

    pub fn credential_scopes(&self, id: ClientId) -> Result<Option<Scopes>> {
        let text: Option<String> = self
            .0
            .query_row(
                "SELECT scopes FROM credential WHERE client_id = ?",
                params![id.to_string()],
                |r| r.get(0),
            )
            .optional()
            .map_err(fault)?;
        text.map(|t| Scopes::parse(&t)).transpose()
    }

    /// How many other credentials hold this scope by its own name.
    pub fn others_with(&self, scope: &str, id: ClientId) -> Result<i64> {
        self.0
            .query_row(
                "SELECT count(*) FROM credential WHERE client_id <> ?1 AND ' ' || scopes || ' ' LIKE '% ' || ?2 || ' %'",
                params![id.to_string(), scope],
                |r| r.get(0),
            )
            .map_err(fault)
    }

    pub fn credential_count(&self) -> Result<i64> {
        self.0
            .query_row("SELECT count(*) FROM credential", [], |r| r.get(0))
            .map_err(fault)
    }

    pub fn delete_credential(&self, id: ClientId) -> Result<()> {
        self.run(
            "DELETE FROM credential WHERE client_id = ?",
            params![id.to_string()],
        )
    }

    pub fn set_used(&self, id: ClientId, now: Timestamp) -> Result<()> {
        self.run(
            "UPDATE credential SET last_used_at = ? WHERE client_id = ?",
            params![now.0, id.to_string()],
        )
    }
}

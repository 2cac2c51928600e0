//! Read-only connections, one a borrower: what a request needs without asking the node.

use super::load::{IdentityRow, all, identity, licenses};
use super::{damaged, fault, open};
use crate::domain::{ClientId, License, Result, Scopes, SecretKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

pub struct Reader {
    db: Connection,
}

/// One set of credentials. The secret itself is not stored; its hash stands for it, so no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRow {
    pub client_id: ClientId,
    pub secret_hash: [u8; 32],
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader> {
        let db = open::reader(path).map_err(fault)?;
        Ok(Reader { db })
    }

    pub fn identity(&self) -> Result<Option<IdentityRow>> {
        identity(&self.db)
    }

    /// The current issue first.
    pub fn licenses(&self) -> Result<Vec<License>> {
        licenses(&self.db)
    }

    pub fn token_key(&self) -> Result<Option<SecretKey>> {
        let seed: Option<[u8; 32]> = self
            .db
            .prepare_cached("SELECT token_seed FROM identity")
            .and_then(|mut q| q.query_row([], |r| r.get(0)).optional())
            .map_err(fault)?;
        Ok(seed.map(|seed| SecretKey::from_seed(&seed)))
    }

    /// Members of the register, hidden ones and this agent included.
    pub fn nodes_used(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM peer")
    }

    pub fn services_used(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM service WHERE deleted = 0")
    }

    fn count(&self, sql: &str) -> Result<u64> {
        let mut query = self.db.prepare_cached(sql).map_err(fault)?;
        query.query_row([], |r| r.get(0)).map_err(fault)
    }

    pub fn credential(&self, id: ClientId) -> Result<Option<CredentialRow>> {
        let sql = "SELECT client_id, secret_hash, name, scopes, created_at, last_used_at FROM credential WHERE client_id = ?";
        let mut query = self.db.prepare_cached(sql).map_err(fault)?;
        let raw = query
            .query_row(params![id.to_string()], raw_credential)
            .optional();
        raw.map_err(fault)?.map(credential).transpose()
    }

    pub fn credentials(&self) -> Result<Vec<CredentialRow>> {
        let sql = "SELECT client_id, secret_hash, name, scopes, created_at, last_used_at FROM credential ORDER BY created_at, client_id";
        all(&self.db, sql, raw_credential)?
            .into_iter()
            .map(credential)
            .collect()
    }
}

type Raw = (String, [u8; 32], String, String, i64, Option<i64>);

fn raw_credential(row: &rusqlite::Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
    ))
}

fn credential(
    (id, secret_hash, name, scopes, created_at, last_used_at): Raw,
) -> Result<CredentialRow> {
    let bad = |_| damaged("credential");
    Ok(CredentialRow {
        client_id: ClientId::parse(&id).map_err(bad)?,
        secret_hash,
        name,
        scopes: Scopes::parse(&scopes).map_err(bad)?,
        created_at: Timestamp(created_at),
        last_used_at: last_used_at.map(Timestamp),
    })
}

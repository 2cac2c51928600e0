//! Everything that a node needs at its start, read once and verified again.

use super::rows::{SignedRow, hash};
use super::{Store, damaged, fault};
use crate::core::liveness::Status;
use crate::domain::{
    Address, Announcement, Description, KeyHash, License, Name, PeerId, PeerRecord, PublicKey,
    Result, ServiceRecord, SignedKind, Timestamp,
};
use rusqlite::{Connection, OptionalExtension};

/// What the database holds of a bootstrapped agent.
pub struct Snapshot {
    pub identity: IdentityRow,
    /// The current issue first, then the previous one if it is kept.
    pub licenses: Vec<License>,
    pub peers: Vec<PeerRow>,
    pub ended: Vec<(Announcement, Name)>,
    pub services: Vec<ServiceRecord>,
    pub deletions: Vec<(KeyHash, Name)>,
    pub names: Vec<(KeyHash, Name)>,
    pub outbox: Vec<OutboxRow>,
}

#[derive(Debug, Clone)]
pub struct IdentityRow {
    pub peer_id: PeerId,
    pub public_key: PublicKey,
    pub name: Name,
    pub description: Description,
    pub incarnation: u64,
    pub address: Option<Address>,
    pub deactivated: bool,
    /// Bootstrap.
    pub created_at: Timestamp,
    /// With any member; none while it is new in its cluster.
    pub last_contact: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct PeerRow {
    pub record: PeerRecord,
    pub status: Status,
    pub last_seen: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// One addressee of this agent's deactivation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub peer_id: PeerId,
    pub key: PublicKey,
    pub address: Address,
    pub created_at: Timestamp,
}

impl Store {
    /// None before bootstrap.
    pub fn load(&self) -> Result<Option<Snapshot>> {
        let Some(identity) = identity(&self.db)? else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            identity,
            licenses: licenses(&self.db)?,
            peers: peers(&self.db)?,
            ended: ended(&self.db)?,
            services: services(&self.db)?,
            deletions: names(&self.db, "SELECT hash, name FROM local_deletion")?,
            names: names(&self.db, "SELECT hash, name FROM local_name")?,
            outbox: outbox(&self.db)?,
        }))
    }
}

/// The columns of the identity row as read.
struct RawIdentity {
    texts: [String; 4],
    incarnation: u64,
    address: Option<String>,
    deactivated: bool,
    created_at: i64,
    last_contact: Option<i64>,
}

pub(super) fn identity(db: &Connection) -> Result<Option<IdentityRow>> {
    let sql = "SELECT peer_id, public_key, name, description, incarnation, address, deactivated, created_at, last_contact FROM identity";
    let raw = db
        .prepare_cached(sql)
        .and_then(|mut q| q.query_row([], raw_identity).optional())
        .map_err(fault)?;
    let Some(raw) = raw else { return Ok(None) };
    let bad = |_| damaged("identity");
    let [id, key, name, description] = &raw.texts;
    Ok(Some(IdentityRow {
        peer_id: PeerId::parse(id).map_err(bad)?,
        public_key: PublicKey::parse(key).map_err(bad)?,
        name: Name::parse_optional(name).map_err(bad)?,
        description: Description::parse(description).map_err(bad)?,
        incarnation: raw.incarnation,
        address: raw
            .address
            .map(|a| Address::parse(&a))
            .transpose()
            .map_err(bad)?,
        deactivated: raw.deactivated,
        created_at: Timestamp(raw.created_at),
        last_contact: raw.last_contact.map(Timestamp),
    }))
}

fn raw_identity(r: &rusqlite::Row<'_>) -> rusqlite::Result<RawIdentity> {
    Ok(RawIdentity {
        texts: [r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?],
        incarnation: r.get(4)?,
        address: r.get(5)?,
        deactivated: r.get(6)?,
        created_at: r.get(7)?,
        last_contact: r.get(8)?,
    })
}

/// The documents parse; whether a trusted issuer signed them is checked by the node.
pub(super) fn licenses(db: &Connection) -> Result<Vec<License>> {
    let documents: Vec<String> = all(
        db,
        "SELECT document FROM license_issue ORDER BY rank",
        |r| r.get(0),
    )?;
    documents
        .iter()
        .map(|text| License::parse(text.as_bytes()).map_err(|_| damaged("license")))
        .collect()
}

fn peers(db: &Connection) -> Result<Vec<PeerRow>> {
    let sql = "SELECT key, payload, signature, tags, status, last_seen, created_at FROM peer";
    let rows = all(db, sql, |r| {
        let status: String = r.get(4)?;
        Ok((SignedRow::read(r, 0)?, status, r.get(5)?, r.get(6)?))
    })?;
    rows.into_iter()
        .map(
            |(signed, status, last_seen, created_at): (SignedRow, String, Option<i64>, i64)| {
                let record = PeerRecord::open(signed.signed(SignedKind::Peer)?);
                Ok(PeerRow {
                    record: record.map_err(|_| damaged("peer record"))?,
                    status: Status::parse(&status).unwrap_or(Status::Suspect),
                    last_seen: last_seen.map(Timestamp),
                    created_at: Timestamp(created_at),
                })
            },
        )
        .collect()
}

fn ended(db: &Connection) -> Result<Vec<(Announcement, Name)>> {
    let sql = "SELECT key, payload, signature, tags, name FROM ended";
    let rows = all(db, sql, |r| Ok((SignedRow::read(r, 0)?, r.get(4)?)))?;
    rows.into_iter()
        .map(|(signed, name): (SignedRow, String)| {
            let opened = Announcement::open(signed.signed(SignedKind::Announcement)?);
            let name = Name::parse_optional(&name).unwrap_or_default();
            Ok((opened.map_err(|_| damaged("announcement"))?, name))
        })
        .collect()
}

fn services(db: &Connection) -> Result<Vec<ServiceRecord>> {
    let rows = all(
        db,
        "SELECT key, payload, signature, tags FROM service",
        |r| SignedRow::read(r, 0),
    )?;
    rows.into_iter()
        .map(|signed| {
            let opened = ServiceRecord::open(signed.signed(SignedKind::Service)?);
            opened.map_err(|_| damaged("service record"))
        })
        .collect()
}

fn names(db: &Connection, sql: &str) -> Result<Vec<(KeyHash, Name)>> {
    let rows: Vec<(KeyHash, String)> = all(db, sql, |r| Ok((hash(r, 0)?, r.get(1)?)))?;
    rows.into_iter()
        .map(|(hash, name)| {
            Ok((
                hash,
                Name::parse_optional(&name).map_err(|_| damaged("name"))?,
            ))
        })
        .collect()
}

fn outbox(db: &Connection) -> Result<Vec<OutboxRow>> {
    let rows: Vec<(String, [u8; 32], String, i64)> = all(
        db,
        "SELECT peer_id, key, address, created_at FROM outbox",
        |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
    )?;
    let bad = |_| damaged("outbox row");
    rows.into_iter()
        .map(|(id, key, address, created_at)| {
            Ok(OutboxRow {
                peer_id: PeerId::parse(&id).map_err(bad)?,
                key: PublicKey::from_bytes(&key).map_err(bad)?,
                address: Address::parse(&address).map_err(bad)?,
                created_at: Timestamp(created_at),
            })
        })
        .collect()
}

pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut query = db.prepare_cached(sql).map_err(fault)?;
    let rows = query.query_map([], read).map_err(fault)?;
    rows.collect::<rusqlite::Result<Vec<T>>>().map_err(fault)
}

//! Services: records of intent that the cluster shares. Their status is computed, never stored.

use super::{Life, Node};
use crate::core::admission::MAX_DELETIONS;
use crate::core::register::{EntryKey, Item};
use crate::core::schedule::Now;
use crate::domain::service::{ServiceFields, forgotten_at};
use crate::domain::{Error, Name, PeerId, Result, ServiceId, ServiceRecord, Timestamp, Transport};
use crate::wire::operator::Service;
use crate::wire::peer::VERSION;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// The local peer if none.
    pub source: Option<PeerId>,
    pub target: PeerId,
    pub transport: Transport,
    pub name: Name,
}

impl Node {
    /// Oldest first.
    pub fn services(&self, source: Option<PeerId>, target: Option<PeerId>) -> Result<Vec<Service>> {
        let life = self.life()?;
        let wanted = |s: &&ServiceRecord| {
            source.is_none_or(|id| s.fields.source.hash() == id.hash())
                && target.is_none_or(|id| s.fields.target.hash() == id.hash())
        };
        let mut found: Vec<Service> = life
            .register
            .services()
            .filter(wanted)
            .map(|s| life.service(s))
            .collect();
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(found)
    }

    pub fn service(&self, id: ServiceId) -> Result<Service> {
        let life = self.life()?;
        life.stored_service(id).map(|s| life.service(s))
    }

    pub fn create_service(&mut self, new: NewService, now: Now) -> Result<Service> {
        let random = self.random::<10>();
        let life = self.writable(now)?;
        let source = new.source.unwrap_or(life.id);
        for end in [source, new.target] {
            if !life.takes_part(end.hash()) || life.register.id_of(end.hash()) != Some(end) {
                return Err(Error::NotFound("peer"));
            }
        }
        if source == new.target {
            return Err(Error::Invalid(
                "source_peer_id and target_peer_id are the same peer".into(),
            ));
        }
        life.room_for_service(now)?;
        let fields = ServiceFields {
            v: VERSION,
            id: ServiceId::from_parts(u64::try_from(now.wall.0).unwrap_or(0), random),
            source,
            target: new.target,
            transport: new.transport,
            name: new.name,
            created_at: whole_seconds(now),
            version: 1,
            deleted_at: None,
            editor: life.id,
            editor_key: life.key.public(),
        };
        self.edit(fields, now)
    }

    /// The ends cannot be changed.
    pub fn update_service(
        &mut self,
        id: ServiceId,
        name: Option<Name>,
        transport: Option<Transport>,
        now: Now,
    ) -> Result<Service> {
        self.writable(now)?;
        self.take_waiting_of(EntryKey::Service(id), now)?;
        let mut fields = self.active()?.stored_service(id)?.fields.clone();
        fields.name = name.unwrap_or(fields.name);
        fields.transport = transport.unwrap_or(fields.transport);
        self.edit(fields.next(), now)
    }

    /// Final, and free of the license's dates.
    pub fn delete_service(&mut self, id: ServiceId, now: Now) -> Result<()> {
        self.active()?;
        self.take_waiting_of(EntryKey::Service(id), now)?;
        let life = self.active()?;
        let mut fields = life.stored_service(id)?.fields.clone();
        // By a clock that is behind, a deletion would be forgotten before all have heard of it.
        let earliest = fields.created_at.max(life.license().terms.issued_at);
        fields.deleted_at = Some(whole_seconds(now).max(earliest));
        self.edit(fields.next(), now).map(drop)
    }

    /// Signs, stores and tells everyone.
    fn edit(&mut self, mut fields: ServiceFields, now: Now) -> Result<Service> {
        let life = self.active()?;
        (fields.editor, fields.editor_key) = (life.id, life.key.public());
        let record = ServiceRecord::seal(fields, &life.key, &life.issues);
        let shown = life.service(&record);
        let change = life.register.consider(&Item::Service(record));
        let change = change.ok_or_else(|| {
            Error::Invalid(
                "this service cannot be changed any more; delete it and create another".into(),
            )
        })?;
        let fanout = crate::core::gossip::AUTHOR_FANOUT;
        self.commit_changes(vec![change], None, now, fanout, None)?;
        Ok(shown)
    }
}

/// The form on the wire has no fractions, and what is compared is what was signed.
fn whole_seconds(now: Now) -> Timestamp {
    Timestamp(now.wall.seconds() * 1000)
}

impl ServiceFields {
    /// The stored version plus one. A version at its end stays there: the bytes decide then.
    fn next(mut self) -> ServiceFields {
        self.version = (self.version + 1).min(crate::domain::peer::MAX_INCARNATION);
        self
    }
}

impl Life {
    /// The license gates creation, and so does what has to be remembered of services that are gone.
    fn room_for_service(&self, now: Now) -> Result<()> {
        let limit = self.license().terms.max_services;
        if self.register.service_count() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Error::ServiceLimit(limit));
        }
        let ends = self.register.deletions().iter();
        let mut ends = ends
            .map(|(at, _)| forgotten_at(*at))
            .filter(|at| *at > now.wall);
        match (ends.clone().count() >= MAX_DELETIONS, ends.next()) {
            (true, Some(first)) => Err(Error::TombstoneLimit(first)),
            _ => Ok(()),
        }
    }

    fn stored_service(&self, id: ServiceId) -> Result<&ServiceRecord> {
        let stored = self
            .register
            .service(id)
            .filter(|s| s.fields.deleted_at.is_none());
        stored.ok_or(Error::NotFound("service"))
    }

    fn service(&self, record: &ServiceRecord) -> Service {
        let f = &record.fields;
        let reason = self.inactive_reason(f);
        Service {
            id: f.id.to_string(),
            name: f.name.to_string(),
            source_peer_id: f.source.to_string(),
            target_peer_id: f.target.to_string(),
            transport_type: f.transport.as_str().to_string(),
            status: if reason.is_none() {
                "active"
            } else {
                "inactive"
            }
            .to_string(),
            inactive_reason: reason,
            created_at: f.created_at,
            version: f.version,
            source_name: self.end_name(f.source),
            target_name: self.end_name(f.target),
        }
    }

    fn inactive_reason(&self, f: &ServiceFields) -> Option<String> {
        let away = |id: PeerId| !self.takes_part(id.hash());
        match (away(f.source), away(f.target)) {
            (false, false) => None,
            (true, false) => Some(format!("source peer {} is not a member", f.source)),
            (false, true) => Some(format!("target peer {} is not a member", f.target)),
            (true, true) => Some("neither peer is a member".to_string()),
        }
    }

    /// An end by its name, or its id where it has none.
    fn end_name(&self, id: PeerId) -> String {
        let name = self.name_of(id.hash());
        let shown = if name.is_none() {
            id.to_string()
        } else {
            name.to_string()
        };
        match self.takes_part(id.hash()) {
            true => shown,
            false => format!("{shown} (departed)"),
        }
    }
}

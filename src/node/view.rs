//! The view: what this agent shows of the register, and what its operator changes in it.

use super::{Life, Node};
use crate::core::liveness::Status;
use crate::core::schedule::Now;
use crate::domain::{Error, KeyHash, Name, PeerId, PeerRecord, Result, Version};
use crate::wire::operator::{ClusterStatus, GossipCounters, MemberCounts, Peer};

/// What `/readyz` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Ready; perhaps with a detail.
    Ready(Option<&'static str>),
    NotReady(&'static str),
}

impl Node {
    pub fn readiness(&self) -> Readiness {
        let Some(life) = &self.life else {
            return Readiness::NotReady("not bootstrapped");
        };
        if self.store.check().is_err() {
            return Readiness::NotReady("the store does not answer");
        }
        if life.deactivated {
            return Readiness::NotReady("deactivated");
        }
        Readiness::Ready(match (life.double.is_some(), life.isolated()) {
            (true, _) => Some("duplicate_identity"),
            (false, true) => Some("isolated"),
            (false, false) => None,
        })
    }

    /// The local peer first, then by name and id.
    pub fn peers(&self) -> Result<Vec<Peer>> {
        let life = self.life()?;
        let mut others: Vec<Peer> = life
            .partners()
            .into_iter()
            .filter_map(|hash| life.register.member(hash))
            .map(|record| life.peer(record))
            .collect();
        others.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        others.insert(0, self.local_peer(life));
        Ok(others)
    }

    pub fn peer(&self, id: PeerId) -> Result<Peer> {
        let life = self.life()?;
        if id == life.id {
            return Ok(self.local_peer(life));
        }
        life.shown(id).map(|record| life.peer(record))
    }

    /// The local peer, from what the agent knows of itself: after remove-self the register has no
    /// record of it.
    fn local_peer(&self, life: &Life) -> Peer {
        let listen = self.config.listen.to_string();
        Peer {
            id: life.id.to_string(),
            name: life.name_of(life.hash()).to_string(),
            public_key: life.key.public().to_string(),
            is_local: true,
            address: life.address.as_ref().map_or(listen, |a| a.to_string()),
            created_at: life.created_at,
            status: if life.deactivated {
                "deactivated"
            } else {
                "alive"
            }
            .to_string(),
            last_seen: None,
            incarnation: life.incarnation,
            version: Version::own().to_string(),
            description: life.description.as_str().to_string(),
        }
    }

    /// Gives a peer another name on this agent.
    pub fn rename_peer(&mut self, id: PeerId, name: Name, now: Now) -> Result<Peer> {
        let life = self.writable(now)?;
        if id != life.id {
            life.shown(id)?;
        }
        self.store.write(|tx| tx.set_local_name(id.hash(), &name))?;
        if let Some(life) = &mut self.life {
            life.view.names.insert(id.hash(), name);
        }
        self.peer(id)
    }

    /// Hides a peer from this agent's view until it is added here again.
    pub fn delete_peer(&mut self, id: PeerId, now: Now) -> Result<()> {
        let life = self.active()?;
        if id == life.id {
            return Err(Error::LocalPeer);
        }
        let hash = life.shown(id)?.fields.id.hash();
        let name = life.name_of(hash);
        self.store.write(|tx| tx.hide(hash, &name, now.wall))?;
        if let Some(life) = &mut self.life {
            life.view.hidden.insert(hash, name);
            life.liveness.forget(hash);
            life.gossip.forget(hash);
            life.refused_by.remove(&hash);
        }
        Ok(())
    }

    pub fn status(&self, now: Now) -> Result<ClusterStatus> {
        let life = self.life()?;
        let alive = life.liveness.count(Status::Alive) + u64::from(!life.deactivated);
        let ids = |hashes: Vec<KeyHash>| {
            let ids = hashes.into_iter().filter_map(|h| life.register.id_of(h));
            ids.map(|id| id.to_string()).collect()
        };
        Ok(ClusterStatus {
            peer_id: life.id.to_string(),
            cluster_id: life.cluster_id(),
            register_hash: life
                .register
                .hash()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
            incarnation: life.incarnation,
            over_limit: life.over_limit(),
            isolated: life.isolated(),
            members: MemberCounts {
                alive,
                suspect: life.liveness.count(Status::Suspect),
                unreachable: life.liveness.count(Status::Unreachable),
            },
            duplicate: self.double().map(|address| address.to_string()),
            refused_by: ids(life.refused_by.iter().copied().collect()),
            refuses: ids(self.entrance.refuses(now)),
            last_round_at: life.last_round_at,
            gossip: GossipCounters {
                messages_refused: self.counters.messages_refused + self.entrance.refused(),
                ..self.counters
            },
        })
    }

    /// An exchange with every member, under the usual limits.
    pub fn sync(&mut self) -> Result<()> {
        let partners = self.active()?.partners();
        if let Some(life) = &mut self.life {
            for partner in partners {
                life.gossip.want_fresh_exchange(partner);
            }
        }
        Ok(())
    }
}

impl Life {
    fn shown(&self, id: PeerId) -> Result<&PeerRecord> {
        let record = self.register.member(id.hash());
        record
            .filter(|r| r.fields.id == id && self.is_shown(id.hash()))
            .ok_or(Error::NotFound("peer"))
    }

    fn peer(&self, record: &PeerRecord) -> Peer {
        let hash = record.fields.id.hash();
        let (status, last_seen) = self
            .liveness
            .status(hash)
            .unwrap_or((Status::Suspect, None));
        Peer {
            id: record.fields.id.to_string(),
            name: self.name_of(hash).to_string(),
            public_key: record.fields.key.to_string(),
            is_local: false,
            address: record
                .fields
                .address
                .as_ref()
                .map_or_else(String::new, |a| a.to_string()),
            created_at: self
                .view
                .created
                .get(&hash)
                .copied()
                .unwrap_or(self.created_at),
            status: status.as_str().to_string(),
            last_seen,
            incarnation: record.fields.incarnation,
            version: record.fields.version.to_string(),
            description: String::new(),
        }
    }

    pub(super) fn over_limit(&self) -> bool {
        self.register.member_count() > usize::try_from(self.max_nodes()).unwrap_or(usize::MAX)
    }

    /// Others are known, and none of them answers.
    fn isolated(&self) -> bool {
        !self.deactivated && !self.partners().is_empty() && self.liveness.count(Status::Alive) == 0
    }

    /// Whether this identity is a member in this agent's view, itself included.
    pub(super) fn takes_part(&self, hash: KeyHash) -> bool {
        self.is_shown(hash)
    }
}

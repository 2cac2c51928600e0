//! Beginning and resuming: bootstrap, the start of an agent, its own record.

use super::{Life, Node, ViewState};
use crate::core::admission::Reservations;
use crate::core::contact::Contact;
use crate::core::gossip::Gossip;
use crate::core::liveness::{Liveness, Status};
use crate::core::pace::Pace;
use crate::core::register::{Change, EntryKey, Item, Register};
use crate::core::schedule::Now;
use crate::domain::peer::{MAX_INCARNATION, PeerFields};
use crate::domain::{
    Address, Error, IssueKey, License, Name, PeerId, PeerRecord, Result, Scope, Scopes, SecretKey,
    Version,
};
use crate::store::{NewIdentity, PeerRow, Snapshot};
use crate::wire::operator::{Bootstrap, Bootstrapped, Identity, NewCredential};
use crate::wire::peer::VERSION;
use std::collections::{BTreeMap, BTreeSet};

impl Node {
    /// Whether this license may bootstrap this agent now. Nothing is written.
    pub fn check_bootstrap(&self, license: &License, now: Now) -> Result<()> {
        if let Some(life) = &self.life {
            let held = life.license().terms.license_id.to_string();
            return Err(Error::AlreadyBootstrapped(held));
        }
        self.check_license(license)?;
        license.terms.check_term(now.wall)
    }

    /// Form, issuer and customer; not the dates.
    pub(super) fn check_license(&self, license: &License) -> Result<()> {
        if self.config.issuers.is_empty() {
            return Err(Error::LicenseInvalid(format!(
                "this agent trusts no issuer yet; put the issuer's public key into {} and restart the agent",
                self.config.issuers_file
            )));
        }
        license.verify(&self.config.issuers)?;
        match &self.config.customer {
            Some(customer) if *customer != license.terms.customer_id => {
                Err(Error::LicenseInvalid(format!(
                    "it is for {}, this agent takes only {customer}",
                    license.terms.customer_id
                )))
            }
            _ => Ok(()),
        }
    }

    /// Gives the agent its license and its first credentials, in one transaction. The key file is
    /// already on the disk.
    pub fn bootstrap(
        &mut self,
        request: Bootstrap,
        id: PeerId,
        key: SecretKey,
        now: Now,
    ) -> Result<Bootstrapped> {
        self.check_bootstrap(&request.license, now)?;
        let token_seed = self.random::<32>();
        let life = self.new_life(&request, id, key, now);
        let credential = self.draw_credential(now);
        let scopes = Scopes::of(&[Scope::Admin]);
        let own = own_change(&life);
        let label = Name::parse("bootstrap").unwrap_or_default();
        self.store.write(|tx| {
            tx.put_identity(&NewIdentity {
                peer_id: id,
                public_key: life.key.public(),
                name: &life.name,
                description: &life.description,
                incarnation: life.incarnation,
                address: life.address.as_ref(),
                token_seed: &token_seed,
                created_at: now.wall,
            })?;
            tx.set_licenses(&[&request.license])?;
            tx.put(&own, &Name::none(), now.wall)?;
            tx.put_credential(credential.id, &credential.hash(), &label, &scopes, now.wall)
        })?;
        let shown = bootstrapped(&life, &credential.shown(&scopes, &label, now));
        self.life = Some(life);
        self.publish();
        Ok(shown)
    }

    fn new_life(&self, request: &Bootstrap, id: PeerId, key: SecretKey, now: Now) -> Life {
        let mut life = Life {
            id,
            key,
            name: request.name.clone(),
            description: request.description.clone(),
            incarnation: 0,
            address: self.fixed_address(),
            deactivated: false,
            created_at: now.wall,
            issues: vec![IssueKey::of(&request.license)],
            licenses: vec![request.license.clone()],
            register: Register::default(),
            view: ViewState::default(),
            liveness: Liveness::default(),
            gossip: Gossip::default(),
            outbox: BTreeMap::new(),
            calls: BTreeMap::new(),
            introduced: BTreeSet::new(),
            refused_by: BTreeSet::new(),
            numbers: BTreeMap::new(),
            parted: BTreeMap::new(),
            reserved: Reservations::default(),
            double: None,
            looks: super::double::looks(),
            last_round_at: None,
            contact: Contact::default(),
            looked: None,
            pace: Pace::default(),
        };
        let own = life.sign_record(self.start);
        life.register.apply(&Change::Put(Item::Peer(own)));
        life
    }

    /// The address that needs no handshake to be known.
    pub(super) fn fixed_address(&self) -> Option<Address> {
        let listen = self.config.listen;
        let given = self.config.advertise.clone();
        given.or_else(|| Address::new(listen.ip(), listen.port()).ok())
    }

    /// Takes up the life that the store holds.
    pub(super) fn resume(&mut self, key: Option<(PeerId, SecretKey)>, now: Now) -> Result<()> {
        let Some(snapshot) = self.store.load()? else {
            return Ok(());
        };
        let wrong = |why: &str| Err(Error::Internal(why.to_string()));
        let Some((id, key)) = key else {
            return wrong(
                "the database holds an identity but peer.key is missing; restore peer.key from its backup",
            );
        };
        if id != snapshot.identity.peer_id || key.public() != snapshot.identity.public_key {
            return wrong(
                "peer.key and the database belong to different agents; restore the pair from one backup",
            );
        }
        if snapshot.licenses.is_empty() {
            return wrong("the database holds no license; restore it from a backup");
        }
        for license in &snapshot.licenses {
            self.check_license(license)?;
        }
        self.life = Some(life_of(snapshot, key, now));
        self.publish();
        self.begin_start(now)
    }

    /// Every start draws a start number and raises the incarnation; both are stored before they are
    /// sent.
    fn begin_start(&mut self, now: Now) -> Result<()> {
        let fixed = self.fixed_address();
        let life = self.life()?;
        if life.deactivated {
            return Ok(());
        }
        let address = fixed.or_else(|| life.address.clone());
        let next = life.incarnation + 1;
        self.renew_record(next, address, now)?;
        Ok(())
    }

    /// Signs a new record of this agent, stores it and tells the others. The incarnation only rises.
    pub(super) fn renew_record(
        &mut self,
        incarnation: u64,
        address: Option<Address>,
        now: Now,
    ) -> Result<()> {
        let start = self.start;
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        let incarnation = incarnation.min(MAX_INCARNATION);
        if incarnation <= life.incarnation || life.double.is_some() || life.deactivated {
            return Ok(());
        }
        let before = (life.incarnation, life.address.clone());
        (life.incarnation, life.address) = (incarnation, address);
        let own = life.sign_record(start);
        let change = Change::Put(Item::Peer(own));
        let written = self.store.write(|tx| {
            tx.set_incarnation(life.incarnation, life.address.as_ref())?;
            tx.put(&change, &Name::none(), now.wall)
        });
        if let Err(e) = written {
            (life.incarnation, life.address) = before;
            return Err(e);
        }
        life.register.apply(&change);
        life.introduced.clear();
        let own = EntryKey::Peer(life.hash());
        self.publish();
        self.spread(own, crate::core::gossip::AUTHOR_FANOUT, None, now);
        Ok(())
    }

    pub fn identity(&self) -> Result<Identity> {
        let life = self.life()?;
        Ok(Identity {
            peer_id: life.id.to_string(),
            public_key: life.key.public().to_string(),
            license_id: life.license().terms.license_id.to_string(),
            cluster_id: life.cluster_id(),
            version: Version::own().to_string(),
        })
    }
}

impl Life {
    fn sign_record(&self, start: u64) -> PeerRecord {
        let fields = PeerFields {
            v: VERSION,
            id: self.id,
            key: self.key.public(),
            address: self.address.clone(),
            name: self.name.clone(),
            incarnation: self.incarnation,
            start,
            version: Version::own(),
        };
        PeerRecord::seal(fields, &self.key, &self.issues)
    }

    pub(super) fn cluster_id(&self) -> String {
        let id = self.register.cluster_id();
        id.map_or_else(String::new, |id| id.to_string())
    }
}

fn own_change(life: &Life) -> Change {
    let own = life.register.member(life.hash()).cloned();
    // A new life has just put its own record there.
    Change::Put(Item::Peer(own.expect("a life holds its own record")))
}

fn bootstrapped(life: &Life, credential: &NewCredential) -> Bootstrapped {
    let terms = &life.license().terms;
    Bootstrapped {
        peer_id: life.id.to_string(),
        peer_public_key: life.key.public().to_string(),
        client_id: credential.client_id.clone(),
        client_secret: credential.client_secret.clone(),
        license_id: terms.license_id.to_string(),
        cluster_id: life.cluster_id(),
        expires_at: terms.expires_at,
        max_nodes: terms.max_nodes,
        max_services: terms.max_services,
    }
}

fn life_of(snapshot: Snapshot, key: SecretKey, now: Now) -> Life {
    let own = snapshot.identity.peer_id.hash();
    let issues = snapshot.licenses.iter().map(IssueKey::of).collect();
    let mut life = Life {
        key,
        id: snapshot.identity.peer_id,
        name: snapshot.identity.name,
        description: snapshot.identity.description,
        incarnation: snapshot.identity.incarnation,
        address: snapshot.identity.address,
        deactivated: snapshot.identity.deactivated,
        created_at: snapshot.identity.created_at,
        licenses: snapshot.licenses,
        issues,
        register: Register::default(),
        view: ViewState {
            hidden: snapshot.deletions.into_iter().collect(),
            names: snapshot.names.into_iter().collect(),
            ..ViewState::default()
        },
        liveness: Liveness::default(),
        gossip: Gossip::default(),
        outbox: BTreeMap::new(),
        calls: BTreeMap::new(),
        introduced: BTreeSet::new(),
        refused_by: BTreeSet::new(),
        numbers: BTreeMap::new(),
        parted: BTreeMap::new(),
        reserved: Reservations::default(),
        double: None,
        looks: super::double::looks(),
        last_round_at: None,
        contact: Contact::resumed(snapshot.identity.last_contact),
        looked: None,
        pace: Pace::default(),
    };
    for row in snapshot.outbox {
        life.still_owe(row, now);
    }
    for (announcement, name) in snapshot.ended {
        life.view.departed.insert(announcement.subject(), name);
        life.register
            .apply(&Change::Put(Item::Announcement(announcement)));
    }
    for service in snapshot.services {
        life.register.apply(&Change::Put(Item::Service(service)));
    }
    for row in snapshot.peers {
        life.resume_peer(row, own, now);
    }
    life
}

impl Life {
    fn resume_peer(&mut self, row: PeerRow, own: crate::domain::KeyHash, now: Now) {
        let hash = row.record.fields.id.hash();
        self.view.created.insert(hash, row.created_at);
        let watched = hash != own && !self.view.hidden.contains_key(&hash) && !self.deactivated;
        if watched {
            // A stored verdict stands until the first probes of this start say otherwise.
            let status: Status = row.status;
            self.liveness.watch(hash, status, row.last_seen, now);
        }
        self.register.apply(&Change::Put(Item::Peer(row.record)));
    }
}

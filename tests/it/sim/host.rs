//! One simulated machine: the real `Node` and the real `Joins` on a store in memory, two clocks, an
//! address. What a crash leaves behind is the store.

use super::rng::Rng;
use arctic::core::schedule::Now;
use arctic::domain::{
    Address, Customer, Description, KeyHash, License, LicenseId, Name, PeerId, PublicKey, Result,
    SecretKey, Timestamp, license::Terms,
};
use arctic::node::{Config, Entropy, Joins, Node, Port};
use arctic::store::Store;
use arctic::wire::operator::Bootstrap;
use std::net::IpAddr;

pub const PORT: u16 = 8080;
/// 2026-06-01, by every host's clock at the beginning.
const WALL_BASE_MS: i64 = 1_780_272_000_000;

/// The node of a running host, with the instant at which it is driven.
pub struct Direct<'a>(pub &'a mut Node, pub Now);

impl Port for Direct<'_> {
    fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Node, Now) -> T + Send + 'static,
    ) -> Result<T> {
        Ok(work(self.0, self.1))
    }
}

pub struct Host {
    pub ip: IpAddr,
    pub id: PeerId,
    pub key: SecretKey,
    pub license: License,
    config: Config,
    /// Running, or down with what the disk holds.
    pub node: Option<Node>,
    pub joins: Joins,
    disk: Option<Store>,
    /// Rises with every start: an answer to an earlier life is not delivered.
    pub epoch: u64,
    pub tick_at: Option<u64>,
    /// A host that is switched off answers nothing; one whose agent died refuses.
    pub silent: bool,
    pub departed: bool,
    /// It left before anybody had met it: nobody has to know.
    pub unknown: bool,
    pub moved: bool,
    pub wall_step_ms: i64,
    mono_base_ms: u64,
    rng: Rng,
}

impl Host {
    /// A machine with an agent that has no license yet.
    pub fn new(index: usize, license: License, issuer: PublicKey, rng: &mut Rng) -> Host {
        let key = SecretKey::from_seed(&rng.seed32());
        let made_ms = WALL_BASE_MS as u64 - rng.between(0, 1_000_000);
        let ip = address_of(index);
        // Half are told their address, half learn it in their first handshake.
        let advertise = rng.chance(500).then(|| Address::new(ip, PORT).unwrap());
        let config = Config {
            issuers: vec![issuer],
            issuers_file: "issuers".into(),
            customer: None,
            advertise,
            listen: format!("0.0.0.0:{PORT}").parse().unwrap(),
        };
        let mut own = rng.fork();
        let mut host = Host {
            ip,
            id: PeerId::derive(&key.public(), made_ms),
            key,
            license,
            config,
            node: None,
            joins: Joins::new(entropy(&mut own)),
            disk: Some(Store::in_memory().unwrap()),
            epoch: 0,
            tick_at: None,
            silent: false,
            departed: false,
            unknown: false,
            moved: false,
            wall_step_ms: 0,
            mono_base_ms: own.between(0, 100_000),
            rng: own,
        };
        host.start(0).unwrap();
        host
    }

    pub fn hash(&self) -> KeyHash {
        self.id.hash()
    }

    pub fn address(&self) -> Address {
        Address::new(self.ip, PORT).unwrap()
    }

    pub fn now(&self, at_ms: u64) -> Now {
        Now {
            mono_ms: self.mono_base_ms + at_ms,
            wall: Timestamp(WALL_BASE_MS + at_ms as i64 + self.wall_step_ms),
        }
    }

    /// When this host's node wants its tick, in the simulation's time.
    pub fn deadline(&mut self, at_ms: u64) -> Option<u64> {
        let now = self.now(at_ms);
        let deadline = self.node.as_mut()?.next_deadline(now);
        Some(deadline.saturating_sub(self.mono_base_ms).max(at_ms + 1))
    }

    /// Starts the agent on what the disk holds. The monotonic clock begins anew.
    pub fn start(&mut self, at_ms: u64) -> Result<()> {
        let Some(store) = self.disk.take() else {
            return Ok(());
        };
        self.epoch += 1;
        self.tick_at = None;
        self.mono_base_ms = self.rng.between(0, 100_000);
        self.joins = Joins::new(entropy(&mut self.rng));
        let key = Some((self.id, self.key.clone()));
        let now = self.now(at_ms);
        let config = self.config.clone();
        self.node = Some(Node::new(config, store, key, entropy(&mut self.rng), now)?);
        Ok(())
    }

    pub fn crash(&mut self) {
        if let Some(node) = self.node.take() {
            self.disk = Some(node.into_store());
            self.epoch += 1;
            self.joins = Joins::new(entropy(&mut self.rng));
        }
    }

    /// The disk is replaced; the key survives in its file.
    pub fn lose_disk(&mut self) {
        self.crash();
        self.disk = Some(Store::in_memory().unwrap());
    }

    /// A machine that was told its address moves to another; the agent starts with the new setting.
    pub fn move_to(&mut self, index: usize) -> bool {
        if self.config.advertise.is_none() {
            return false;
        }
        self.moved = true;
        self.ip = address_of(index);
        self.config.advertise = Some(self.address());
        true
    }

    pub fn bootstrap(&mut self, at_ms: u64) -> Result<()> {
        let now = self.now(at_ms);
        let request = Bootstrap {
            license: self.license.clone(),
            name: Name::parse(&format!("host-{}", self.ip)).unwrap(),
            description: Description::default(),
        };
        let (id, key) = (self.id, self.key.clone());
        let node = self
            .node
            .as_mut()
            .expect("only a running host is bootstrapped");
        node.bootstrap(request, id, key, now).map(drop)
    }

    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Running and still a member.
    pub fn is_active(&self) -> bool {
        self.is_up() && !self.departed
    }
}

fn entropy(rng: &mut Rng) -> Entropy {
    let mut own = rng.fork();
    Box::new(move |bytes| own.fill(bytes))
}

fn address_of(index: usize) -> IpAddr {
    format!("10.0.{}.{}", index / 200, 1 + index % 200)
        .parse()
        .unwrap()
}

/// A license for years around the simulation's clock.
pub fn license(issuer: &SecretKey, number: u8, max_nodes: u32) -> License {
    let terms = Terms {
        license_id: LicenseId::from_parts(1, [number; 10]),
        customer_id: Customer::parse("cust_acme").unwrap(),
        issued_at: Timestamp::parse("2020-01-01T00:00:00Z").unwrap(),
        expires_at: Timestamp::parse("2040-01-01T00:00:00Z").unwrap(),
        max_nodes,
        max_services: 500,
    };
    License::issue(terms, issuer)
}

//! The rules of core that no property of the simulator holds: each test is one sentence about one machine.

mod admission;
mod beats;
mod gossip;
mod handshake;
mod liveness;
mod schedule;

use super::schedule::Now;
use crate::domain::license::Terms;
use crate::domain::peer::PeerFields;
use crate::domain::{
    Customer, IssueKey, KeyHash, License, LicenseId, Name, PeerId, PeerRecord, SecretKey,
    Timestamp, Version,
};

const A: KeyHash = KeyHash([1; 10]);
const B: KeyHash = KeyHash([2; 10]);

fn at(mono_ms: u64) -> Now {
    Now {
        mono_ms,
        wall: Timestamp(1),
    }
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn id(key: &SecretKey) -> PeerId {
    PeerId::derive(&key.public(), 5)
}

/// One issue of the license for each number.
fn issue(number: u8) -> IssueKey {
    let terms = Terms {
        license_id: LicenseId::from_parts(1, [1; 10]),
        customer_id: Customer::parse("cust_acme").unwrap(),
        issued_at: Timestamp(i64::from(number) * 1000),
        expires_at: Timestamp(1_000_000),
        max_nodes: 10,
        max_services: 10,
    };
    IssueKey::of(&License::issue(terms, &secret(200)))
}

fn record(key: &SecretKey, incarnation: u64, issues: &[IssueKey]) -> PeerRecord {
    let fields = PeerFields {
        v: 1,
        id: id(key),
        key: key.public(),
        address: None,
        name: Name::none(),
        incarnation,
        start: 1,
        version: Version::own(),
    };
    PeerRecord::seal(fields, key, issues)
}

//! Values for the tests of this floor.

use super::route::Route;
use super::{Local, NewService};
use crate::domain::license::{Customer, Terms};
use crate::domain::{
    ClientId, License, LicenseId, LicenseState, PeerId, PublicKey, SecretKey, ServiceId, Timestamp,
};
use crate::transport::Call;
use crate::wire::operator::{LicenseBody, Peer, Service};
use std::net::{IpAddr, Ipv4Addr};

pub fn call(method: &str, target: &str) -> Call {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Call {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: vec![("host".into(), "10.0.0.1:8080".into())],
        body: Vec::new(),
        remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

pub fn client(n: u8) -> ClientId {
    ClientId::from_parts(1, [n; 10])
}

pub fn token_key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

pub fn public_key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

pub fn local() -> Local {
    Local {
        peer_id: peer_id(1),
        public_key: public_key(1),
        deactivated: false,
    }
}

pub fn peer_id(n: u8) -> PeerId {
    PeerId::derive(&public_key(n), 1)
}

pub fn service_id() -> ServiceId {
    ServiceId::from_parts(1, [1; 10])
}

pub fn license() -> License {
    let terms = Terms {
        license_id: LicenseId::from_parts(1, [1; 10]),
        customer_id: Customer::parse("cust_acme").unwrap_or_else(|e| panic!("{e}")),
        issued_at: Timestamp(0),
        expires_at: Timestamp(0).plus_days(30_000),
        max_nodes: 10,
        max_services: 100,
    };
    License::issue(terms, &SecretKey::from_seed(&[5; 32]))
}

pub fn peer(n: u8, name: &str) -> Peer {
    Peer {
        id: peer_id(n).to_string(),
        name: name.into(),
        public_key: public_key(n).to_string(),
        is_local: n == 1,
        address: format!("10.0.0.{n}:8080"),
        created_at: Timestamp(0),
        status: "alive".into(),
        last_seen: None,
        incarnation: 1,
        version: "0".into(),
        description: String::new(),
    }
}

pub fn service(new: &NewService) -> Service {
    Service {
        id: service_id().to_string(),
        name: new.name.to_string(),
        source_peer_id: new.source.unwrap_or(peer_id(1)).to_string(),
        target_peer_id: new.target.to_string(),
        transport_type: new.transport.as_str().into(),
        status: "active".into(),
        inactive_reason: None,
        created_at: Timestamp(0),
        version: 1,
        source_name: String::new(),
        target_name: String::new(),
    }
}

pub fn license_body() -> LicenseBody {
    let terms = license().terms;
    LicenseBody {
        license_id: terms.license_id.to_string(),
        customer_id: terms.customer_id.to_string(),
        issued_at: terms.issued_at,
        expires_at: terms.expires_at,
        max_nodes: terms.max_nodes,
        max_services: terms.max_services,
        state: LicenseState::Valid,
        days_left: 300,
        nodes_used: 1,
        services_used: 0,
        over_limit: false,
        fingerprint: terms.fingerprint_text(),
    }
}

/// A path that this row means.
pub fn path_of(route: &Route) -> String {
    route
        .path
        .replace("{peer}", &peer_id(2).to_string())
        .replace("{service}", &service_id().to_string())
        .replace("{client}", &client(77).to_string())
        .replace('*', "message")
}

//! Which licenses an agent takes, and goes on taking.

use crate::harness::*;
use crate::start::refuses;
use arctic::domain::license::Terms;
use arctic::domain::{Customer, License, LicenseId, SecretKey};
use std::path::Path;

/// A laboratory whose issuer issues what this test says.
fn lab() -> (Lab, SecretKey) {
    let (lab, issuer) = (Lab::new(), SecretKey::from_seed(&[7; 32]));
    let public = format!("{}\n", issuer.public());
    std::fs::write(lab.path("issuers"), public).expect("a file");
    (lab, issuer)
}

/// Issues of one license id, whoever the customer is; a later one has the higher number.
fn issue(issuer: &SecretKey, number: i64, customer: &str) -> String {
    let now = arctic::agent::os::now();
    let terms = Terms {
        license_id: LicenseId::from_parts(1, [9; 10]),
        customer_id: Customer::parse(customer).expect("a customer"),
        issued_at: now.plus_days(number - 10),
        expires_at: now.plus_days(365),
        max_nodes: 20,
        max_services: 20,
    };
    License::issue(terms, issuer).to_document()
}

fn send(agent: &Agent, document: &str) -> Answer {
    Request::new("POST", "/v1/bootstrap")
        .json(document)
        .send(&agent.address)
}

#[test]
fn another_customers_license_is_refused_at_bootstrap_and_renewal() {
    let (lab, issuer) = lab();
    let mut alice = lab
        .stopped("alice")
        .with_args(&["--customer", "acme"])
        .start();
    let words = ["cust_umbrella", "cust_acme"];
    send(&alice, &issue(&issuer, 1, "cust_umbrella")).refused(422, "LICENSE_INVALID", &words);
    alice.adopt(&send(&alice, &issue(&issuer, 1, "cust_acme")).is(201));
    let renew = |customer: &str| {
        let document = issue(&issuer, 2, customer);
        let document = serde_json::from_str(&document).expect("JSON");
        alice.call("PUT", "/v1/license", Some(document))
    };
    renew("cust_umbrella").refused(422, "LICENSE_INVALID", &words);
    assert_eq!(alice.get("/v1/license")["customer_id"], "cust_acme");
    renew("cust_acme").is(200);
}

#[test]
fn another_customers_license_is_refused_at_start() {
    let (lab, issuer) = lab();
    let mut alice = lab.agent("alice");
    alice.adopt(&send(&alice, &issue(&issuer, 1, "cust_acme")).is(201));
    alice.terminate();
    let of = |customer| lab.stopped("alice").with_args(&["--customer", customer]);
    refuses(&of("umbrella"), &["cust_umbrella", "cust_acme"]);
    let mut again = of("acme").start();
    again.credentials = alice.credentials.clone();
    assert_eq!(again.get("/v1/license")["customer_id"], "cust_acme");
}

#[test]
fn a_stored_license_of_an_issuer_no_longer_trusted_stops_the_agent() {
    let (lab, issuer) = lab();
    let mut alice = lab.agent("alice");
    alice.adopt(&send(&alice, &issue(&issuer, 1, "cust_acme")).is(201));
    alice.terminate();
    let trusted = std::fs::read(lab.path("issuers")).expect("a file");
    let other = SecretKey::from_seed(&[8; 32]).public().to_string();
    for (issuers, words) in [("# nobody\n", "trusts no issuer"), (&other, "issuer")] {
        std::fs::write(lab.path("issuers"), issuers).expect("a file");
        refuses(&alice, &["license is invalid", words]);
    }
    std::fs::write(lab.path("issuers"), trusted).expect("a file");
    alice.restart();
    assert_eq!(alice.peers().len(), 1);
}

/// Raises a limit in the bytes of the database, wherever it stores the document.
fn raise_the_limit(file: &Path) {
    let mut bytes = std::fs::read(file).expect("a database");
    let field = b"\"max_nodes\"";
    let all: Vec<usize> = (0..bytes.len() - field.len())
        .filter(|at| bytes[*at..].starts_with(field))
        .collect();
    assert!(!all.is_empty(), "the document is not in the database");
    for at in all {
        let digit = bytes[at..].iter().position(|b| *b == b'2');
        bytes[at + digit.expect("it is 20")] = b'9';
    }
    std::fs::write(file, bytes).expect("a file");
}

#[test]
fn a_stored_license_that_was_altered_stops_the_agent() {
    let (lab, issuer) = lab();
    let mut alice = lab.agent("alice");
    alice.adopt(&send(&alice, &issue(&issuer, 1, "cust_acme")).is(201));
    alice.terminate();
    let file = alice.data().join("arctic.db");
    let whole = std::fs::read(&file).expect("a database");
    raise_the_limit(&file);
    refuses(&alice, &["license is invalid"]);
    std::fs::write(&file, whole).expect("a file");
    alice.restart();
    assert_eq!(alice.get("/v1/license")["max_nodes"], 20);
}

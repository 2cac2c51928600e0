//! The license: how it goes in, what of it is refused, and its renewal.

use crate::harness::*;
use crate::oauth::credentials_with;
use serde_json::{Value, json};

#[test]
fn the_license_goes_in_raw_or_wrapped_and_once() {
    let lab = Lab::new();
    let [alice, bob] = ["alice", "bob"].map(|name| lab.agent(name));
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    let raw = Request::new("POST", "/v1/bootstrap")
        .json(&document)
        .send(&alice.address)
        .is(201);
    let license: Value = serde_json::from_str(&document).expect("JSON");
    let wrapped = json!({"license": license, "name": "bob", "description": "the second"});
    let wrapped = Request::new("POST", "/v1/bootstrap").json(wrapped.to_string());
    let wrapped = wrapped.send(&bob.address).is(201);
    for (body, prefix) in [
        ("peer_id", "peer_"),
        ("client_id", "cli_"),
        ("client_secret", "sec_"),
        ("cluster_id", "clu_"),
    ] {
        for answer in [&raw, &wrapped] {
            assert!(
                answer[body].as_str().is_some_and(|v| v.starts_with(prefix)),
                "{answer}"
            );
        }
        assert_ne!(raw[body], wrapped[body]);
    }
    for field in ["license_id", "expires_at", "max_nodes", "max_services"] {
        assert_eq!(raw[field], license[field]);
    }
    assert_eq!(raw["client_secret"].as_str().map(str::len), Some(4 + 43));
    let again = Request::new("POST", "/v1/bootstrap")
        .json(&document)
        .send(&alice.address);
    again.refused(
        409,
        "ALREADY_BOOTSTRAPPED",
        &[license["license_id"].as_str().expect("text")],
    );
    let signature = license["signature"].as_str().expect("text");
    let identity = Request::new("GET", "/v1/cluster/identity").send(&alice.address);
    assert_eq!(identity.is(200)["peer_id"], raw["peer_id"]);
    assert!(!alice.log().contains(signature) && !bob.log().contains(signature));
    let secret = raw["client_secret"].as_str().expect("text");
    assert!(!alice.log().contains(secret));
}

#[test]
fn an_altered_license_is_refused_whatever_was_altered() {
    let lab = Lab::new();
    let alice = lab.agent("alice");
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    let license: Value = serde_json::from_str(&document).expect("JSON");
    let refuse = |body: &str, code: &str, words: &[&str]| {
        let answer = Request::new("POST", "/v1/bootstrap")
            .json(body)
            .send(&alice.address);
        answer.refused(422, code, words);
    };
    let fields = license.as_object().expect("an object");
    for (field, value) in fields {
        let mut changed = license.clone();
        changed[field] = match value {
            Value::Number(n) => json!(n.as_u64().unwrap_or_default() + 1),
            Value::String(s) => json!(other_text(s)),
            other => panic!("{field} is {other}"),
        };
        refuse(
            &changed.to_string(),
            "LICENSE_INVALID",
            &["license is invalid"],
        );
        let mut missing = license.clone();
        missing.as_object_mut().expect("an object").remove(field);
        refuse(&missing.to_string(), "LICENSE_INVALID", &[field]);
    }
    refuse(
        &document.replacen('{', "{\"extra\": 1,", 1),
        "LICENSE_INVALID",
        &["extra"],
    );
    let lab_two = Lab::new();
    let foreign = std::fs::read_to_string(lab_two.path("license.json")).expect("a file");
    refuse(&foreign, "LICENSE_INVALID", &["issuer"]);

    let twice = document.replacen('{', "{\"max_nodes\": 20,", 1);
    let answer = Request::new("POST", "/v1/bootstrap")
        .json(twice)
        .send(&alice.address);
    assert!(
        [400, 422].contains(&answer.status) && answer.body.contains("max_nodes"),
        "{answer:?}"
    );
    Request::new("GET", "/readyz").send(&alice.address).is(503);
    Request::new("POST", "/v1/bootstrap")
        .json(&document)
        .send(&alice.address)
        .is(201);
}

/// Another text of the same form: the last letter or digit that has a neighbour is that neighbour.
fn other_text(text: &str) -> String {
    let has_neighbour = |c: char| matches!(c, '0'..='8' | 'a'..='y');
    let at = text
        .rfind(has_neighbour)
        .expect("some letter has a neighbour");
    let next = char::from(text.as_bytes()[at] + 1);
    format!("{}{next}{}", &text[..at], &text[at + 1..])
}

#[test]
fn a_license_outside_its_term_is_refused() {
    use arctic::domain::license::Terms;
    use arctic::domain::{Customer, License, LicenseId, SecretKey, Timestamp};
    let lab = Lab::new();
    let key = SecretKey::from_seed(&[7; 32]);
    std::fs::write(lab.path("issuers"), format!("{}\n", key.public())).expect("a file");
    let now = arctic::agent::os::now();
    let license = |from: i64, to: Timestamp| {
        let terms = Terms {
            license_id: LicenseId::from_parts(1, [9; 10]),
            customer_id: Customer::parse("cust_acme").expect("a customer"),
            issued_at: now.plus_days(from),
            expires_at: to,
            max_nodes: 5,
            max_services: 5,
        };
        License::issue(terms, &key).to_document()
    };
    let mut alice = lab.agent("alice");
    let send = |document: &str, at: &Agent| {
        Request::new("POST", "/v1/bootstrap")
            .json(document)
            .send(&at.address)
    };
    let expired = license(-30, now.plus_days(-1));
    send(&expired, &alice).refused(422, "LICENSE_EXPIRED", &["expired"]);
    let early = license(2, now.plus_days(9));
    send(&early, &alice).refused(422, "LICENSE_INVALID", &["not valid before"]);

    // Its last days, and the grace that follows.
    let ending = license(-30, Timestamp(now.0 + 3_000));
    alice.adopt(&send(&ending, &alice).is(201));
    assert_eq!(alice.get("/v1/license")["state"], "warning");
    wait_until("the grace begins", SOON, || {
        alice.get("/v1/license")["state"] == "grace"
    });
    let mut bob = lab.agent("bob");
    send(&ending, &bob).refused(422, "LICENSE_EXPIRED", &[]);
    let made = credentials_with(&alice, &["peers.read"]);
    assert!(!made.client_id.is_empty(), "in grace everything works");
    alice.terminate();
    alice.restart();
    assert_eq!(alice.get("/v1/license")["state"], "grace");
    bob.kill();
}

#[test]
fn without_a_trusted_issuer_the_message_names_the_file() {
    let lab = Lab::new();
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    std::fs::write(lab.path("issuers"), "# none yet\n").expect("a file");
    let mut alice = lab.agent("alice");
    let file = lab.path("issuers").display().to_string();
    let send = |at: &Agent| {
        Request::new("POST", "/v1/bootstrap")
            .json(&document)
            .send(&at.address)
    };
    send(&alice).refused(422, "LICENSE_INVALID", &[&file]);

    // Another customer's license is not for this agent.
    let lab = Lab::new();
    alice.kill();
    let other = lab
        .stopped("other")
        .with_args(&["--customer", "umbrella"])
        .start();
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    let answer = Request::new("POST", "/v1/bootstrap")
        .json(&document)
        .send(&other.address);
    answer.refused(422, "LICENSE_INVALID", &["cust_acme"]);
}

#[test]
fn a_license_is_renewed_while_the_cluster_runs() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let [carol, dave] = ["carol", "dave"].map(|name| lab.member(name));
    let read = |file: &str| -> Value {
        let text = std::fs::read_to_string(lab.path(file)).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    };
    // Issues differ by their second.
    wait_until("a later issue", SOON, || {
        lab.issue("renewed.json", 7, 7, &["--renew", "license.json"]);
        read("renewed.json")["issued_at"] != read("license.json")["issued_at"]
    });
    lab.save(&alice);
    lab.issue("other.json", 7, 7, &[]);
    let update = |file: &str| lab.arctic(&["license", "update", "--license-file", file]);
    update("other.json").fails(1, &["license mismatch"]);
    update("license.json").fails(1, &["Error: "]);
    update("renewed.json").ok();
    assert_eq!(alice.get("/v1/license")["max_nodes"], 7);
    assert_eq!(bob.get("/v1/license")["max_nodes"], 20);
    // In the middle of a rolling renewal members stay, and others come in by either issue.
    alice.add(&carol).is(201);
    all_know_all(&[&alice, &bob, &carol]);
    let renewed = read("renewed.json");
    bob.call("PUT", "/v1/license", Some(renewed.clone()))
        .is(200);
    carol.call("PUT", "/v1/license", Some(renewed)).is(200);
    bob.add(&dave).is(201);
    all_know_all(&[&alice, &bob, &carol, &dave]);
    // A new agent knows only the new issue; dave knows only the old one.
    let mut erin = lab.agent("erin");
    erin.bootstrap(&lab.path("renewed.json"));
    alice.add(&erin).is(201);
    all_know_all(&[&alice, &bob, &carol, &erin]);
}

//! Who is a member, who sees whom, and what survives what.

use crate::harness::*;
use serde_json::{Value, json};
use std::sync::{Arc, Barrier};
use std::time::Duration;

pub fn remove_self(agent: &Agent) -> Value {
    agent.call("DELETE", "/v1/peers/self", None).is(200)
}

/// Waits until a change made at `from` has reached `to`: whatever was sent before it would have
/// arrived too.
pub fn news_travels(from: &Agent, to: &Agent) {
    let service = from.serve(to);
    wait_until("news travels", SOON, || to.service(&service).is_some());
    from.call("DELETE", &format!("/v1/services/{service}"), None)
        .is(200);
    wait_until("its end travels too", SOON, || {
        to.service(&service).is_none()
    });
}

#[test]
fn a_third_agent_is_known_to_all_without_another_command() {
    let lab = Lab::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| lab.member(name));
    let added = alice.add(&bob).is(201);
    assert_eq!(
        (&added["name"], &added["status"]),
        (&json!("bob"), &json!("alive")),
        "{added}"
    );
    assert_eq!(
        bob.sees(&alice),
        "alive",
        "the responder knows before the answer"
    );
    alice.add(&carol).is(201);
    let deadline = Duration::from_secs(5);
    bob.waits_to_see(&carol, "alive", deadline);
    carol.waits_to_see(&bob, "alive", deadline);
    let cluster = |at: &Agent| at.get("/v1/cluster/status");
    wait_until("the registers are equal", SOON, || {
        let hash = cluster(&alice)["register_hash"].clone();
        hash.is_string()
            && [&bob, &carol]
                .iter()
                .all(|at| cluster(at)["register_hash"] == hash)
    });
    for at in [&bob, &carol] {
        assert_eq!(cluster(at)["cluster_id"], cluster(&alice)["cluster_id"]);
        assert_eq!(at.get("/v1/license")["nodes_used"], 3);
    }
}

#[test]
fn the_same_add_again_is_refused_by_identity() {
    let lab = Lab::new();
    let [mut alice, bob] = lab.cluster(["alice", "bob"]);
    for at in [&alice, &bob] {
        let other = if at.name == "alice" { &bob } else { &alice };
        at.add(other)
            .refused(409, "ALREADY_EXISTS", &["peer already exists in cluster"]);
        at.add(at)
            .refused(400, "INVALID_REQUEST", &["address is this agent"]);
    }
    let body = json!({"address": bob.address.replace("127.0.0.1", "localhost")});
    let by_name = alice.call("POST", "/v1/peers", Some(body));
    assert!([200, 409].contains(&by_name.status), "{by_name:?}");
    assert_eq!(alice.peers().len(), 2);
    alice.kill();
    alice.restart();
    alice.add(&bob).refused(409, "ALREADY_EXISTS", &[]);
}

#[test]
fn silence_is_noticed_and_its_end_too() {
    let lab = Lab::new();
    let [alice, mut bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    let before = bob.get("/v1/peers?is_local=true")[0]["incarnation"].as_u64();
    bob.kill();
    alice.waits_to_see(&bob, "unreachable", LATER);
    carol.waits_to_see(&bob, "unreachable", LATER);
    assert_eq!(alice.sees(&carol), "alive", "nobody else is blamed");
    assert_eq!(alice.get("/v1/cluster/status")["members"]["unreachable"], 1);
    let seen = alice.peer(&bob.peer_id).expect("silence deletes nobody")["last_seen"].clone();
    assert!(seen.is_string());
    bob.restart();
    all_know_all(&[&alice, &bob, &carol]);
    assert!(bob.get("/v1/peers?is_local=true")[0]["incarnation"].as_u64() > before);
}

#[test]
fn everything_survives_a_restart_of_all() {
    let lab = Lab::new();
    let mut agents = lab.cluster(["alice", "bob", "carol"]);
    let id = agents[0].serve(&agents[2]);
    let bob = agents[1].peer_id.clone();
    agents[0]
        .call(
            "PUT",
            &format!("/v1/peers/{bob}"),
            Some(json!({"name": "robert"})),
        )
        .is(200);
    wait_until("all have the service", SOON, || {
        agents.iter().all(|at| at.service(&id).is_some())
    });
    agents.iter_mut().for_each(Agent::kill);
    agents.iter_mut().for_each(Agent::restart);
    all_know_all(&agents.each_ref());
    assert_eq!(agents[0].peer(&bob).expect("listed")["name"], "robert");
    assert_eq!(agents[2].peer(&bob).expect("listed")["name"], "bob");
    assert!(
        agents
            .iter()
            .all(|at| at.service(&id).is_some_and(|s| s["status"] == "active"))
    );
}

#[test]
fn two_that_add_each_other_at_the_same_instant_are_both_members() {
    let lab = Lab::new();
    for round in 0..8 {
        let [alice, bob] = ["a", "b"].map(|name| lab.member(&format!("{name}{round}")));
        let barrier = Arc::new(Barrier::new(2));
        let calls = [(&alice, &bob), (&bob, &alice)].map(|(from, to)| {
            let body = json!({"address": to.address}).to_string();
            let add = Request::new("POST", "/v1/peers")
                .bearer(&from.token())
                .json(body);
            let (address, barrier) = (from.address.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                add.send(&address)
            })
        });
        for call in calls {
            let answer = call.join().expect("the thread ends");
            assert!(
                [200, 201, 409].contains(&answer.status),
                "round {round}: {answer:?}"
            );
        }
        all_know_all(&[&alice, &bob]);
    }
}

#[test]
fn two_clusters_of_one_license_become_one() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let [carol, dave] = lab.cluster(["carol", "dave"]);
    let (left, right) = (alice.serve(&bob), carol.serve(&dave));
    bob.add(&carol).is(201);
    let all = [&alice, &bob, &carol, &dave];
    all_know_all(&all);
    wait_until("services join too", SOON, || {
        all.iter()
            .all(|at| at.service(&left).is_some() && at.service(&right).is_some())
    });
}

#[test]
fn another_license_is_named_on_both_sides() {
    let lab = Lab::new();
    lab.issue("other.json", 9, 9, &[]);
    let alice = lab.member("alice");
    let mut eve = lab.agent("eve");
    eve.bootstrap(&lab.path("other.json"));
    let ids = [&alice, &eve].map(|at| {
        let id = at.get("/v1/license")["license_id"].clone();
        id.as_str().expect("text").to_string()
    });
    for (from, to) in [(&alice, &eve), (&eve, &alice)] {
        let answer = from.add(to);
        answer.refused(
            422,
            "LICENSE_MISMATCH",
            &["handshake failed: license mismatch", &ids[0], &ids[1]],
        );
        assert_eq!(from.peers().len(), 1);
    }
    let blank = lab.agent("blank");
    alice.add(&blank).refused(
        422,
        "HANDSHAKE_FAILED",
        &["handshake failed: not bootstrapped"],
    );
    let body = json!({"address": "no-such-host.invalid:8080"});
    let nowhere = alice.call("POST", "/v1/peers", Some(body));
    nowhere.refused(422, "PEER_UNREACHABLE", &["handshake failed"]);
}

#[test]
fn adding_a_member_at_its_new_address_moves_it() {
    let lab = Lab::new();
    let [alice, mut bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    bob.terminate();
    let old = bob.address.clone();
    bob = bob.listening(Some("127.0.0.1:0")).start();
    assert_ne!(bob.address, old);
    bob.forget_token();
    // Either the add tells alice, or bob itself was faster.
    let moved = alice.add(&bob);
    assert!([200, 409].contains(&moved.status), "{moved:?}");
    all_know_all(&[&alice, &bob, &carol]);
    let address = |at: &Agent| at.peer(&bob.peer_id).expect("listed")["address"].clone();
    wait_until("everyone has the new address", SOON, || {
        [&alice, &bob, &carol]
            .iter()
            .all(|at| address(at) == bob.address.as_str())
    });
}

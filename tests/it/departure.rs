//! Deleting, leaving, coming back: nothing that is gone returns by itself.

use crate::harness::*;
use crate::membership::{news_travels, remove_self};
use serde_json::json;

fn delete(at: &Agent, peer: &Agent) {
    at.call("DELETE", &format!("/v1/peers/{}", peer.peer_id), None)
        .is(200);
}

#[test]
fn a_deleted_peer_stays_deleted_until_it_is_added_again() {
    let lab = Lab::new();
    let [mut alice, bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    let service = alice.serve(&carol);
    delete(&alice, &carol);
    assert_eq!(alice.sees(&carol), "");
    alice
        .call("GET", &format!("/v1/peers/{}", carol.peer_id), None)
        .refused(404, "NOT_FOUND", &[]);
    alice
        .call("DELETE", &format!("/v1/peers/{}", carol.peer_id), None)
        .refused(404, "NOT_FOUND", &[]);
    let hidden = alice.service(&service).expect("services stay");
    assert_eq!(hidden["status"], "inactive", "{hidden}");
    assert!(
        hidden["target_name"]
            .as_str()
            .is_some_and(|n| n.contains("carol")),
        "{hidden}"
    );
    assert_eq!(
        alice.get("/v1/license")["nodes_used"],
        3,
        "the register still has it"
    );

    news_travels(&bob, &alice);
    assert_eq!(
        (alice.sees(&carol), bob.sees(&carol)),
        (String::new(), "alive".into())
    );
    // Carol is told, and does not take the refusal for silence.
    wait_until("carol knows who refuses it", SOON, || {
        carol.get("/v1/cluster/status")["refused_by"] == json!([alice.peer_id])
    });
    assert_eq!(carol.sees(&alice), "alive");

    for stop in [false, true] {
        if stop {
            alice.terminate();
        } else {
            alice.kill();
        }
        alice.restart();
        alice.waits_to_see(&bob, "alive", SOON);
        news_travels(&bob, &alice);
        assert_eq!(alice.sees(&carol), "");
    }

    alice.add(&carol).is(201);
    assert_eq!(alice.sees(&carol), "alive");
    let shown = alice.service(&service).expect("still there");
    assert_eq!(shown["status"], "active");
    wait_until("nobody refuses carol", SOON, || {
        carol.get("/v1/cluster/status")["refused_by"] == json!([])
    });
}

#[test]
fn deletions_on_both_sides_are_lifted_from_both_sides() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    delete(&alice, &bob);
    delete(&bob, &alice);
    let sentence = "handshake failed: that agent has deleted this one; add it from there";
    bob.add(&alice)
        .refused(422, "HANDSHAKE_FAILED", &[sentence]);
    // Bob's operator has said that alice is wanted, so the hint of the refusal leads somewhere.
    alice.add(&bob).is(201);
    let again = bob.add(&alice);
    assert!([201, 409].contains(&again.status), "{again:?}");
    all_know_all(&[&alice, &bob]);
}

#[test]
fn whoever_removed_itself_is_gone_everywhere_and_for_good() {
    let lab = Lab::new();
    let [mut alice, mut bob, mut carol, dave] = lab.cluster(["alice", "bob", "carol", "dave"]);
    let service = alice.serve(&bob);
    wait_until("dave has the service", SOON, || {
        dave.service(&service).is_some()
    });
    carol.kill();
    let gone = remove_self(&bob);
    let count = |field: &str| gone[field].as_u64().expect("a number");
    assert_eq!(
        (
            &gone["deactivated"],
            count("announced_to") + count("pending")
        ),
        (&json!(true), 3),
        "{gone}"
    );
    assert!(count("announced_to") >= 2, "{gone}");
    for at in [&alice, &dave] {
        at.waits_to_see(&bob, "", SOON);
        let left = at.service(&service).expect("services are not deleted");
        assert_eq!(left["status"], "inactive", "{left}");
        assert!(
            left["inactive_reason"].is_string() && left["target_name"] == "bob (departed)",
            "{left}"
        );
    }

    // What remains of bob only reads.
    assert_eq!(bob.sees(&bob), "deactivated");
    bob.call("DELETE", "/v1/peers/self", None)
        .refused(409, "DEACTIVATED", &[]);
    bob.add(&alice).refused(409, "DEACTIVATED", &[]);
    bob.call(
        "POST",
        "/v1/services",
        Some(json!({"target_peer_id": alice.peer_id})),
    )
    .refused(409, "DEACTIVATED", &[]);
    let ready = Request::new("GET", "/readyz").send(&bob.address).is(503);
    assert_eq!(ready["reason"], "deactivated", "{ready}");
    bob.terminate();

    // Carol slept, and still holds bob's record: it learns, and brings nobody back.
    carol.restart();
    carol.waits_to_see(&bob, "", LATER);
    news_travels(&carol, &alice);
    news_travels(&dave, &carol);
    for at in [&mut alice, &mut carol] {
        at.kill();
        at.restart();
    }
    all_know_all(&[&alice, &carol, &dave]);
    for at in [&alice, &carol, &dave] {
        assert_eq!(at.sees(&bob), "");
    }
    // Not even by its own hand.
    bob.restart();
    assert_eq!(bob.sees(&bob), "deactivated");
    let back = alice.add(&bob);
    back.refused(422, "HANDSHAKE_FAILED", &["arctic agent reset"]);
    let late = lab.member("erin");
    alice.add(&late).is(201);
    all_know_all(&[&alice, &carol, &dave, &late]);
    assert_eq!(late.sees(&bob), "");
}

#[test]
fn reset_and_back_as_a_new_peer() {
    let lab = Lab::new();
    let [alice, mut bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    let data = bob.data();
    let data = data.to_str().expect("a plain path").to_string();
    let reset = ["agent", "reset", "--data-dir", &data, "--yes"];
    // A running agent holds its directory; a member that has not left is asked to leave first.
    lab.arctic(&reset).fails(1, &["Error: "]);
    bob.terminate();
    lab.arctic(&reset)
        .fails(1, &["Error: ", "--force", "remove-self"]);
    bob.restart();
    remove_self(&bob);
    bob.terminate();
    lab.arctic(&reset).ok();
    assert!(!bob.data().join("peer.key").exists() && !bob.data().join("arctic.db").exists());
    let old = bob.peer_id.clone();
    bob.restart();
    bob.bootstrap(&lab.path("license.json"));
    assert_ne!(
        bob.peer_id[15..],
        old[15..],
        "another key, another identity"
    );
    alice.add(&bob).is(201);
    all_know_all(&[&alice, &bob, &carol]);
    for at in [&alice, &bob, &carol] {
        assert!(at.peer(&old).is_none());
        assert_eq!(at.get("/v1/license")["nodes_used"], 3);
    }
}

#[test]
fn an_identity_without_its_database_is_itself_again() {
    let lab = Lab::new();
    let [alice, mut bob] = lab.cluster(["alice", "bob"]);
    let old = bob.peer_id.clone();
    bob.terminate();
    for file in ["arctic.db", "arctic.db-wal", "arctic.db-shm"] {
        let _ = std::fs::remove_file(bob.data().join(file));
    }
    bob.restart();
    Request::new("GET", "/v1/peers")
        .send(&bob.address)
        .refused(409, "NOT_BOOTSTRAPPED", &[]);
    bob.bootstrap(&lab.path("license.json"));
    assert_eq!(bob.peer_id, old);
    // A member's messages or an add of any member bring the rest back.
    let add = bob.add(&alice);
    assert!([201, 409].contains(&add.status), "{add:?}");
    all_know_all(&[&alice, &bob]);
    news_travels(&bob, &alice);
    let incarnation = |at: &Agent| at.peer(&old).expect("listed")["incarnation"].clone();
    wait_until("both hold one record of it", SOON, || {
        incarnation(&alice) == incarnation(&bob)
    });
}

#[test]
fn the_node_limit_holds_on_both_sides() {
    let lab = Lab::with_limits(3, 9);
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let [carol, _dave] = lab.cluster(["carol", "dave"]);
    let sentence = "node limit exceeded: the license allows 3 nodes";
    // Two and two are four, whoever asks whom.
    alice
        .add(&carol)
        .refused(422, "NODE_LIMIT_EXCEEDED", &[sentence]);
    carol
        .add(&bob)
        .refused(422, "NODE_LIMIT_EXCEEDED", &[sentence]);
    let erin = lab.member("erin");
    alice.add(&erin).is(201);
    let frank = lab.member("frank");
    frank
        .add(&alice)
        .refused(422, "NODE_LIMIT_EXCEEDED", &[sentence]);
    alice
        .add(&frank)
        .refused(422, "NODE_LIMIT_EXCEEDED", &[sentence]);
    assert_eq!(
        (
            frank.peers().len(),
            carol.peers().len(),
            alice.peers().len()
        ),
        (1, 2, 3)
    );
    // A deletion here frees no place, a departure does.
    delete(&alice, &erin);
    alice
        .add(&frank)
        .refused(422, "NODE_LIMIT_EXCEEDED", &[sentence]);
    remove_self(&erin);
    wait_until("the place is free", SOON, || {
        bob.get("/v1/license")["nodes_used"] == 2
    });
    bob.add(&frank).is(201);
}

//! Services: records that all members share.

use crate::harness::*;
use crate::membership::remove_self;
use serde_json::json;

#[test]
fn services_travel_change_and_outlive_their_editors() {
    let lab = Lab::new();
    let [alice, bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    let id = alice.serve(&carol);
    let path = format!("/v1/services/{id}");
    wait_until("bob has it", SOON, || bob.service(&id).is_some());
    // Any member may edit; the last editor then leaves.
    bob.call(
        "PUT",
        &path,
        Some(json!({"name": "web", "transport_type": "kcp"})),
    )
    .is(200);
    let edited = |at: &Agent| {
        at.service(&id)
            .is_some_and(|s| s["version"] == 2 && s["name"] == "web")
    };
    wait_until("all have the edit", SOON, || {
        [&alice, &carol].iter().all(|at| edited(at))
    });
    let filter = |at: &Agent, query: &str| {
        at.get(&format!("/v1/services?{query}"))
            .as_array()
            .map(Vec::len)
    };
    assert_eq!(
        filter(&carol, &format!("source_peer_id={}", alice.peer_id)),
        Some(1)
    );
    assert_eq!(
        filter(&carol, &format!("target_peer_id={}", carol.peer_id)),
        Some(1)
    );
    assert_eq!(
        filter(&carol, &format!("target_peer_id={}", alice.peer_id)),
        Some(0)
    );
    remove_self(&bob);
    let dave = lab.member("dave");
    carol.add(&dave).is(201);
    wait_until("dave takes a record whose editor is gone", SOON, || {
        edited(&dave)
    });
    let there = dave.service(&id).expect("listed");
    assert_eq!(
        (&there["status"], &there["transport_type"]),
        (&json!("active"), &json!("kcp"))
    );
    dave.call("DELETE", &path, None).is(200);
    wait_until("the deletion reaches all", SOON, || {
        [&alice, &carol].iter().all(|at| at.service(&id).is_none())
    });
    alice
        .call("PUT", &path, Some(json!({"name": "again"})))
        .refused(404, "NOT_FOUND", &[]);
}

#[test]
fn edits_at_the_same_time_converge() {
    let lab = Lab::new();
    let agents = lab.cluster(["alice", "bob", "carol"]);
    let id = agents[0].serve(&agents[1]);
    let path = format!("/v1/services/{id}");
    wait_until("all have it", SOON, || {
        agents.iter().all(|at| at.service(&id).is_some())
    });
    for at in &agents {
        at.call("PUT", &path, Some(json!({"name": at.name})))
            .is(200);
    }
    let names = || {
        agents.each_ref().map(|at| {
            at.service(&id)
                .map(|s| (s["name"].clone(), s["version"].clone()))
        })
    };
    wait_until("one name wins everywhere", SOON, || {
        let [a, b, c] = names();
        a == b && b == c
    });
}

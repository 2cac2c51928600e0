//! "Remove a peer": from one view, or from the cluster; and what is left to clean up.

use super::Story;
use crate::harness::*;

/// Dora, erin and frank are deleted by alice; bob, dora and erin remove themselves, frank at last.
pub fn remove_peers(story: &mut Story, alice: Agent, bob: Agent, carol: Agent) {
    let [dora, erin, frank] = ["dora", "erin", "frank"].map(|name| story.lab.member(name));
    for agent in [&dora, &erin, &frank] {
        alice.add(agent).is(201);
        story.lab.save(agent);
    }
    all_know_all(&[&alice, &bob, &carol, &dora, &erin, &frank]);
    let at_alice = ("AGENT_IP:8080", alice.address.as_str());
    story
        .runs("arctic peers list", &[])
        .says(&[&dora.peer_id, &erin.peer_id, &frank.peer_id]);
    story.curls(&[at_alice]);

    story.asks(
        "arctic peers delete",
        &[("PEER_ID", &dora.peer_id)],
        &[&dora.peer_id, "alice"],
    );
    story.runs("arctic peers delete", &[("PEER_ID", &erin.peer_id)]);
    let body = story.curls(&[at_alice, ("PEER_ID", &frank.peer_id)]);
    assert_eq!(body["deleted"], true);
    let list = story.runs("arctic peers list", &[]).stdout;
    for agent in [&dora, &erin, &frank] {
        assert!(
            !list.contains(&agent.peer_id) && carol.sees(agent) == "alive",
            "{list}"
        );
    }

    let service = bob.serve(&carol);
    let to_bob = alice.service_to(&bob);
    story.uses("new-agent");
    story.asks("arctic peers remove-self", &[], &["new-agent"]);
    story.uses("dora");
    story.runs("arctic peers remove-self", &[]);
    story.token = erin.token();
    let body = story.curls(&[("AGENT_IP:8080", &erin.address)]);
    assert_eq!(body["deactivated"], true);
    story.token = alice.token();
    story.uses("alice");

    for gone in [&bob, &dora, &erin] {
        assert_eq!(gone.sees(gone), "deactivated");
    }
    story.holds("marked as deactivated");
    for gone in [&bob, &dora, &erin] {
        carol.waits_to_see(gone, "", SOON);
        alice
            .call("GET", &format!("/v1/peers/{}", gone.peer_id), None)
            .refused(404, "NOT_FOUND", &[]);
    }
    story.holds("remove this peer from their databases");
    for at in [&alice, &carol] {
        for id in [&service, &to_bob] {
            wait_until("the service is inactive", SOON, || {
                at.service(id).is_some_and(|s| s["status"] == "inactive")
            });
        }
    }
    story.holds("Services involving this peer become inactive");
    clean_up(story, &bob, &to_bob);
    remove_troubleshooting(story, &alice, &bob, &frank);
    assert!(alice.service(&service).is_some(), "nobody deleted it");
    story.holds("Services are not automatically deleted");
}

fn clean_up(story: &mut Story, bob: &Agent, service: &str) {
    let list = story.runs("arctic services list", &[("REMOVED_PEER_ID", &bob.peer_id)]);
    list.says(&[service, "inactive"]);
    assert_eq!(
        list.stdout.lines().count(),
        2,
        "a head and one service: {list}"
    );
    story.runs("arctic services delete", &[("SERVICE_ID", service)]);
    let left = story
        .lab
        .arctic(&["services", "list", "--target-peer", &bob.peer_id, "-j"]);
    assert_eq!(left.json(), serde_json::json!([]));
    story.runs(
        "arctic config delete-peer",
        &[("PEER_ID_OR_NAME", "new-agent")],
    );
    story.lab.ok(&["config", "delete-peer", "dora"]);
    let names = story.lab.ok(&["config", "list-peers"]);
    assert!(
        !names.contains("new-agent") && !names.contains("dora") && names.contains("carol"),
        "{names}"
    );
}

fn remove_troubleshooting(story: &mut Story, alice: &Agent, bob: &Agent, frank: &Agent) {
    let local = story
        .lab
        .arctic(&["peers", "delete", &alice.peer_id, "--yes"]);
    local.fails(
        1,
        &["Error: cannot delete local peer, use 'peers remove-self' instead\n"],
    );
    story.prints(&local.stderr);
    story.uses("frank");
    story.asks("arctic peers remove-self", &[], &["frank"]);
    assert_eq!(frank.sees(frank), "deactivated");
    story.uses("alice");

    let missing = story
        .lab
        .arctic(&["peers", "delete", &bob.peer_id, "--yes"]);
    missing.fails(1, &["Error: peer not found"]);
    story.prints(&missing.stderr);
    story.runs("arctic peers list", &[]);
    story.holds("already been removed by another cluster member");
    let flag = story.next("part", "--all-contexts").text;
    let all = story.lab.arctic(&["peers", "list", &flag]);
    all.says(&["CONTEXT", "alice", "carol", "erin", "frank"]);
}

//! "Add a peer", and what it says when that does not work.

use super::{Story, row};
use crate::harness::*;
use serde_json::Value;

/// Bob is bootstrapped and added by the command line, carol by curl.
pub fn add_a_peer(story: &mut Story, alice: &Agent) -> (Agent, Agent) {
    let mut bob = story.lab.agent("bob");
    let at_bob = bob.address.clone();
    let done = story.runs("arctic bootstrap", &[("NEW_AGENT_IP:8080", &at_bob)]);
    story.adopt(&mut bob);
    done.says(&[
        "Peer ID",
        &bob.peer_id,
        "Cluster ID",
        "Client ID",
        &bob.credentials.client_id,
    ]);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(
        !all.contains(&bob.credentials.client_secret),
        "the secret is shown: {done}"
    );

    let mut carol = story.lab.agent("carol");
    let at_carol = carol.address.clone();
    let body = story.curls(&[("NEW_AGENT_IP:8080", &at_carol)]);
    carol.adopt(&body);

    let done = story.runs("curl ", &[("NEW_AGENT_IP:8080", &at_bob)]);
    story.prints(&done.stdout);

    // The command line still talks to alice: bootstrapping another agent did not switch it.
    story.runs("arctic peers add", &[("NEW_AGENT_IP:8080", &at_bob)]);
    let block = story.next("runs", "TOKEN=");
    let mut command = story.shell(
        &block,
        &[
            ("EXISTING_AGENT_IP:8080", &alice.address),
            ("YOUR_CLIENT_ID", &alice.credentials.client_id),
            ("YOUR_CLIENT_SECRET", &alice.credentials.client_secret),
        ],
        "\nprintf %s \"$TOKEN\"",
    );
    story.token = run(&mut command).ok().to_string();
    assert_eq!(
        story.token.split('.').count(),
        3,
        "not a JWT: {:?}",
        story.token
    );
    let put = [
        ("EXISTING_AGENT_IP:8080", alice.address.as_str()),
        ("NEW_AGENT_IP:8080", &at_carol),
    ];
    let added = story.curls(&put);
    assert_eq!(
        (&added["id"], &added["is_local"]),
        (&carol.peer_id.as_str().into(), &false.into())
    );

    let list = story.runs("arctic peers list", &[]).stdout;
    let local = list
        .lines()
        .next()
        .unwrap_or_default()
        .find("LOCAL")
        .expect("a LOCAL column");
    for (id, is_local) in [
        (&alice.peer_id, "true"),
        (&bob.peer_id, "false"),
        (&carol.peer_id, "false"),
    ] {
        let line = list
            .lines()
            .find(|line| line.starts_with(id.as_str()))
            .expect("a row");
        assert!(line[local..].starts_with(is_local), "{list}");
    }
    assert_eq!(row(&list, &bob.peer_id)[1], "new-agent", "{list}");
    let listed = story.curls(&[("EXISTING_AGENT_IP:8080", &alice.address)]);
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    story.holds("LOCAL: false");

    let key = |at: &Agent, of: &Agent| at.peer(&of.peer_id).map(|p| p["public_key"].clone());
    assert!(key(alice, &bob).is_some() && key(alice, &bob) == key(&bob, &bob));
    assert!(key(&bob, alice).is_some() && key(&bob, alice) == key(alice, alice));
    story.holds("exchange public keys");
    story.holds("Both agents store each other's peer information");
    // Nobody introduced bob and carol to each other: their heartbeats do.
    all_know_all(&[alice, &bob, &carol]);
    story.holds("exchanging heartbeats");
    (bob, carol)
}

pub fn add_troubleshooting(story: &mut Story, alice: &Agent, bob: &Agent, carol: &Agent) {
    let mut dave = story.lab.member("dave");
    dave.kill();
    let refused = story.lab.arctic(&["peers", "add", &dave.address]);
    refused.fails(
        1,
        &[
            "Error: handshake failed: connection refused",
            "Hint: ",
            "systemctl status arctic",
        ],
    );
    story.prints(&refused.stderr);
    let block = story.next("fails", "curl ");
    let at_dave = dave.address.clone();
    let put = [("NEW_AGENT_IP:8080", at_dave.as_str())];
    assert_eq!(
        run(&mut story.shell(&block, &put, "")).code,
        7,
        "curl's code for a refused connection"
    );
    dave.restart();
    run(&mut story.shell(&block, &put, "")).says(&["\"status\":\"ok\""]);
    story.skipped("systemctl status arctic");

    story.lab.issue("other.json", 5, 5, &[]);
    let mut mallory = story.lab.agent("mallory");
    mallory.bootstrap(&story.lab.path("other.json"));
    let mismatch = story.lab.arctic(&["peers", "add", &mallory.address]);
    let ids = ["license.json", "other.json"].map(|file| license_id(&story.lab, file));
    mismatch.fails(
        1,
        &[
            "handshake failed: license mismatch",
            &ids[0],
            &ids[1],
            "arctic license show",
        ],
    );
    story.prints(&mismatch.stderr);
    assert!(alice.peer(&mallory.peer_id).is_none());
    story.lab.save(&mallory);
    story
        .runs("arctic license show", &[])
        .says(&[&ids[0], "20"]);
    story.uses("mallory");
    story.lab.arctic(&["license", "show"]).says(&[&ids[1]]);
    story.uses("alice");
    story.lab.ok(&["config", "delete-peer", "mallory"]);

    let again = story.lab.arctic(&["peers", "add", &bob.address]);
    again.fails(1, &["peer already exists in cluster", "arctic peers list"]);
    story.prints(&again.stderr);
    carol
        .add(bob)
        .refused(409, "ALREADY_EXISTS", &["peer already exists in cluster"]);
    story.holds("discovered this peer via gossip");
    story.runs("arctic peers list", &[]).says(&[&bob.peer_id]);
    node_limit(story);
}

fn node_limit(story: &mut Story) {
    story.lab.issue("small.json", 1, 5, &[]);
    let [mut small, mut next] = ["small", "next"].map(|name| story.lab.agent(name));
    for agent in [&mut small, &mut next] {
        agent.bootstrap(&story.lab.path("small.json"));
    }
    story.lab.save(&small);
    story.uses("small");
    let over = story.lab.arctic(&["peers", "add", &next.address]);
    over.fails(
        1,
        &[
            "Error: node limit exceeded: the license allows 1 nodes",
            "arctic license show",
        ],
    );
    story.prints(&over.stderr);
    story
        .runs("arctic license show", &[])
        .says(&[&license_id(&story.lab, "small.json")]);
    story.uses("alice");
    story.lab.ok(&["config", "delete-peer", "small"]);
}

#[track_caller]
fn license_id(lab: &Lab, file: &str) -> String {
    let document = std::fs::read_to_string(lab.path(file)).expect("the license can be read");
    let license: Value = serde_json::from_str(&document).expect("a license is JSON");
    license["license_id"]
        .as_str()
        .expect("it has an id")
        .to_string()
}

//! "Update a peer": names are local.

use super::{Story, row};
use crate::harness::*;

pub fn update_a_peer(story: &mut Story, alice: &Agent, bob: &Agent, carol: &Agent) {
    let id = bob.peer_id.as_str();
    let agent = ("AGENT_IP:8080", alice.address.as_str());
    let name_at = |at: &Agent| at.peer(id).map(|p| p["name"].clone()).unwrap_or_default();
    assert_eq!(
        row(&story.runs("arctic peers list", &[]).stdout, id)[1],
        "new-agent"
    );
    story.curls(&[agent]);

    story.runs("arctic peers update", &[("PEER_ID", id)]);
    assert_eq!(name_at(alice), "prod-svr-1");
    let body = story.curls(&[agent, ("PEER_ID", id)]);
    assert_eq!(
        (&body["id"], &body["name"]),
        (&id.into(), &"Production Server 1".into())
    );
    let done = story.runs("arctic peers get", &[("PEER_ID", id)]);
    done.says(&[
        "Name: ",
        "Production Server 1",
        "Public Key: ",
        "Is Local: ",
        "Status: ",
        "Created At: ",
    ]);
    let body = story.curls(&[agent, ("PEER_ID", id)]);
    assert_eq!(
        (&body["name"], &body["is_local"]),
        (&"Production Server 1".into(), &false.into())
    );

    for field in ["public_key", "id", "address"] {
        let body = serde_json::json!({"name": "x", field: "y"});
        let refused = alice.call("PUT", &format!("/v1/peers/{id}"), Some(body));
        refused.refused(400, "INVALID_REQUEST", &[field, "immutable"]);
    }
    assert_eq!(name_at(alice), "Production Server 1");
    story.holds("are immutable and cannot be changed");

    // Something that does travel arrives after the new name; the name did not come along.
    let service = alice.serve(bob);
    wait_until("carol has the service", SOON, || {
        carol.service(&service).is_some()
    });
    assert_eq!(
        (name_at(carol), name_at(bob)),
        ("new-agent".into(), "new-agent".into())
    );
    story.holds("Peer name updates are local");
    story.lab.save(carol);
    story.lab.ok(&[
        "peers",
        "update",
        id,
        "--name",
        "prod-svr-1",
        "--all-contexts",
    ]);
    assert!(
        [alice, bob, carol]
            .iter()
            .all(|at| name_at(at) == "prod-svr-1")
    );
    story.holds("update the peer on each agent");
    update_troubleshooting(story, alice, id);
}

fn update_troubleshooting(story: &mut Story, alice: &Agent, id: &str) {
    let nobody = "peer_01KDVRKRC0XQ2K9V7M4T8HBN3Y";
    let missing = story
        .lab
        .arctic(&["peers", "update", nobody, "--name", "x"]);
    missing.fails(1, &["Error: peer not found", "arctic peers list"]);
    story.prints(&missing.stderr);
    story.runs("arctic peers list", &[]);

    let reader = story
        .lab
        .arctic(&["credentials", "create", "--scopes", "peers.read", "-j"])
        .json();
    let text = |field: &str| reader[field].as_str().expect(field).to_string();
    let reader = Credentials {
        client_id: text("client_id"),
        client_secret: text("client_secret"),
    };
    std::fs::write(story.lab.path("reader.token"), alice.token_of(&reader)).expect("a file");
    let denied = story.lab.arctic(&[
        "peers",
        "update",
        id,
        "--name",
        "x",
        "--url",
        &alice.url(),
        "--token-file",
        "reader.token",
    ]);
    denied.fails(5, &["Error: ", "arctic credentials create"]);
    story.prints(&denied.stderr);
    story.prints(&denied.stderr);
}

//! What the command line asks before it changes something, and whom it means.

use crate::cli::{NO_SERVICE, NOBODY};
use crate::harness::*;

#[test]
fn names_and_prefixes_read_and_full_ids_change() {
    let lab = Lab::new();
    let [alice, bob, carol] = lab.cluster(["alice", "bob", "carol"]);
    lab.save(&alice);
    lab.arctic(&["peers", "get", &bob.peer_id[..20]])
        .says(&[&bob.peer_id]);
    lab.arctic(&["peers", "get", "carol"])
        .says(&[&carol.peer_id]);
    lab.arctic(&["peers", "get", &bob.peer_id[..8]])
        .fails(1, &["peer not found"]);
    // A prefix that several share is no name for one of them.
    let shared = "peer_01".to_string() + &bob.peer_id[7..12];
    if alice.peer_id.starts_with(&shared) {
        lab.arctic(&["peers", "get", &shared])
            .fails(1, &[&alice.peer_id, &bob.peer_id]);
    }
    lab.arctic(&["peers", "delete", &bob.peer_id[..20], "--yes"])
        .fails(1, &[]);
    lab.arctic(&["peers", "update", &bob.peer_id[..20], "--name", "x"])
        .fails(1, &[]);
    assert_eq!(alice.sees(&bob), "alive");
    lab.ok(&["peers", "update", "bob", "--name", "robert"]);
    lab.arctic(&["peers", "get", "robert"])
        .says(&[&bob.peer_id]);
    lab.ok(&["peers", "update", &carol.peer_id, "--name", "robert"]);
    lab.arctic(&["peers", "get", "robert"])
        .fails(1, &[&bob.peer_id, &carol.peer_id]);
    lab.arctic(&["peers", "delete", "robert", "--yes"])
        .fails(1, &[&bob.peer_id, &carol.peer_id]);
    assert_eq!(
        (alice.sees(&bob), alice.sees(&carol)),
        ("alive".into(), "alive".into())
    );

    // A word that is no id never becomes a path.
    for word in ["self", "../license", "self?scope=cluster", "%73elf", "."] {
        let refused = lab.arctic(&["peers", "delete", word, "--yes"]);
        refused.fails(1, &["peer not found"]);
    }
    lab.arctic(&["peers", "delete", "self", "--yes"])
        .fails(1, &["peers remove-self"]);
    assert_eq!(alice.sees(&alice), "alive");
    for bad in ["", "self", "peer_x", "a\nb"] {
        lab.arctic(&["peers", "update", &bob.peer_id, "--name", bad])
            .fails(1, &["name"]);
    }
    // A full id is not looked up first: the filter works for whoever it names.
    assert_eq!(
        lab.ok(&["services", "list", "--target-peer", NOBODY])
            .lines()
            .count(),
        1
    );
    lab.arctic(&["services", "get", NO_SERVICE])
        .fails(1, &["service not found"]);
    lab.arctic(&["services", "delete", NO_SERVICE, "--yes"])
        .fails(1, &["service not found"]);
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_is_done() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let mut idle = lab.member("idle");
    idle.terminate();
    lab.save(&alice);
    let service = alice.serve(&bob);
    let made = lab
        .arctic(&["credentials", "create", "--scopes", "peers.read", "-j"])
        .json();
    let client = made["client_id"].as_str().expect("a client id");
    let data = idle.data();
    let data = data.to_str().expect("a plain path");
    for command in [
        &["peers", "delete", &bob.peer_id][..],
        &["peers", "remove-self"],
        &["services", "delete", &service],
        &["credentials", "revoke", client],
        &["agent", "reset", "--data-dir", data, "--force"],
    ] {
        lab.arctic(command).fails(2, &["--yes"]);
    }
    assert_eq!(
        (alice.sees(&bob), alice.sees(&alice)),
        ("alive".into(), "alive".into())
    );
    assert!(alice.service(&service).is_some());
    assert_eq!(
        alice.get("/v1/credentials").as_array().map(Vec::len),
        Some(2)
    );

    // The prompt names the agent, the object and the effect; anything but yes leaves all as it was.
    let delete = ["services", "delete", &service];
    for no in ["n", "", "nonsense"] {
        let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &delete);
        let seen = on_terminal(&mut command, "[y/N]", no);
        assert!(
            seen.screen.contains(&service) && seen.screen.contains("alice"),
            "{seen:?}"
        );
        assert!(alice.service(&service).is_some(), "{seen:?}");
    }
    let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &delete);
    let seen = on_terminal(&mut command, "[y/N]", "yes");
    assert!(
        seen.code == 0 && alice.service(&service).is_none(),
        "{seen:?}"
    );
    lab.ok(&["credentials", "revoke", client, "--yes"]);
}

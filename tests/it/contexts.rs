//! The agents that the command line has saved: chosen, shared, asked side by side.

use crate::cli::{NO_SERVICE, NOBODY};
use crate::harness::*;
use serde_json::json;

#[test]
fn contexts_are_saved_chosen_and_dropped() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    assert_eq!(
        lab.ok(&["config", "path"]).trim(),
        lab.path("config.json").display().to_string()
    );
    lab.save(&alice);
    lab.save(&bob);
    let mode = std::os::unix::fs::PermissionsExt::mode;
    let file = std::fs::metadata(lab.path("config.json")).expect("contexts are saved");
    assert_eq!(mode(&file.permissions()) & 0o777, 0o600);

    let view = lab.ok(&["config", "view"]);
    let secret = &alice.credentials.client_secret;
    assert!(
        view.contains("alice") && view.contains("bob") && !view.contains(secret.as_str()),
        "{view}"
    );
    assert!(
        lab.ok(&["config", "view", "--show-secrets"])
            .contains(secret.as_str())
    );
    assert!(lab.ok(&["config", "list-peers"]).contains(&bob.peer_id));

    // The first one is current; another is chosen by flag, by name or by id, or by --use.
    let current = |lab: &Lab| lab.arctic(&["cluster", "identity", "-j"]).json()["peer_id"].clone();
    assert_eq!(current(&lab), alice.peer_id.as_str());
    lab.arctic(&["cluster", "identity", "--context", "bob"])
        .says(&[&bob.peer_id]);
    lab.arctic(&["--context", &bob.peer_id, "cluster", "identity"])
        .says(&[&bob.peer_id]);
    lab.arctic(&["cluster", "identity", "--url", &bob.url()])
        .says(&[&bob.peer_id]);
    // --url finds the credentials of the saved context with that URL.
    lab.arctic(&["peers", "list", "--url", &bob.url()])
        .says(&[&alice.peer_id]);
    lab.ok(&["config", "use-peer", &bob.peer_id]);
    assert_eq!(current(&lab), bob.peer_id.as_str());
    lab.arctic(&["config", "use-peer", "nobody"])
        .fails(3, &["nobody"]);

    // The address of the agent itself: the hint says whom the command line talks to.
    lab.arctic(&["peers", "add", &bob.address])
        .fails(1, &["address is this agent", "bob", "--context"]);

    // The same peer again replaces its context; two of one name are refused with both ids.
    lab.save(&bob);
    lab.arctic(&["config", "list-peers", "-j"]).ok();
    let names = lab.ok(&["config", "list-peers"]);
    assert_eq!(names.matches(&bob.peer_id).count(), 1, "{names}");
    let secret = lab.path("alice.secret").display().to_string();
    lab.ok(&[
        "config",
        "add-peer",
        "--url",
        &alice.url(),
        "--name",
        "bob",
        "--client-id",
        &alice.credentials.client_id,
        "--client-secret-file",
        &secret,
    ]);
    let twice = lab.arctic(&["peers", "list", "--context", "bob"]);
    twice.fails(3, &[&alice.peer_id, &bob.peer_id]);

    // Dropping the current one says which are left; nobody is asked.
    let dropped = lab.arctic(&["config", "delete-peer", &bob.peer_id]);
    dropped.ok();
    let left = "Left are: bob (peer_";
    assert!(
        dropped.stderr.contains(left) && dropped.stderr.contains("arctic config use-peer"),
        "{dropped}"
    );
    lab.arctic(&["peers", "list"])
        .fails(3, &["no current context"]);
    lab.arctic(&["config", "delete-peer", "bob"]).ok();
    lab.arctic(&["config", "delete-peer", "bob"])
        .fails(3, &["bob"]);
}

#[test]
fn all_contexts_read_side_by_side() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    lab.save(&alice);
    lab.save(&bob);
    let service = alice.serve(&bob);
    wait_until("bob has the service", SOON, || {
        bob.service(&service).is_some()
    });
    let table = lab.ok(&["peers", "list", "--all-contexts"]);
    assert!(
        table
            .lines()
            .next()
            .is_some_and(|l| l.starts_with("CONTEXT")),
        "{table}"
    );
    assert_eq!(table.lines().count(), 5, "{table}");
    let all = lab
        .arctic(&["peers", "list", "--all-contexts", "-j"])
        .json();
    let first = &all[0];
    assert_eq!(
        (&first["context"], &first["ok"]),
        (&json!("alice"), &json!(true)),
        "{all}"
    );
    assert_eq!(first["url"], alice.url());
    assert_eq!(first["result"].as_array().map(Vec::len), Some(2), "{all}");
    for command in [
        &["license", "show"][..],
        &["cluster", "identity"],
        &["cluster", "status"],
        &["services", "list"],
        &["health"],
        &["peers", "get", &bob.peer_id],
    ] {
        let all = lab.ok(&[command, &["--all-contexts"]].concat());
        assert!(
            all.contains("alice") && all.contains("bob"),
            "{command:?}: {all}"
        );
    }
    // Which issue of which license, until when, and what is used of it: on one line of a terminal.
    let licenses = lab.ok(&["license", "show", "--all-contexts"]);
    let fields = lab.arctic(&["license", "show", "-j"]).json();
    let text = |field: &str| fields[field].as_str().expect(field).to_string();
    for wanted in [
        &text("license_id"),
        &text("issued_at")[..10],
        &text("expires_at")[..10],
        "valid",
        "2 of 20",
        "1 of 100",
    ] {
        assert_eq!(licenses.matches(wanted).count(), 2, "{wanted}: {licenses}");
    }
    let widest = licenses.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}:\n{licenses}");
    lab.ok(&[
        "peers",
        "update",
        &bob.peer_id,
        "--name",
        "robert",
        "--all-contexts",
    ]);
    for agent in [&alice, &bob] {
        assert_eq!(agent.peer(&bob.peer_id).expect("listed")["name"], "robert");
    }
    // One of them knows that peer no longer.
    alice
        .call("DELETE", &format!("/v1/peers/{}", bob.peer_id), None)
        .is(200);
    let partly = lab.arctic(&["peers", "get", &bob.peer_id, "--all-contexts", "-j"]);
    partly.fails(6, &[]);
    let all = partly.json();
    assert_eq!(
        (&all[0]["ok"], &all[1]["ok"]),
        (&json!(false), &json!(true)),
        "{all}"
    );
    assert!(
        all[0]["error"].to_string().contains("peer not found"),
        "{all}"
    );
    lab.arctic(&["peers", "get", NOBODY, "--all-contexts"])
        .fails(1, &["peer not found"]);
    for command in [
        &["peers", "delete", NOBODY, "--yes"][..],
        &["peers", "add", "127.0.0.1:1"],
        &["peers", "remove-self", "--yes"],
        &["services", "delete", NO_SERVICE, "--yes"],
        &["cluster", "sync"],
        &["credentials", "create"],
    ] {
        lab.arctic(&[command, &["--all-contexts"]].concat())
            .fails(2, &["--all-contexts"]);
    }
}

#[test]
fn license_show_works_in_any_shell() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &["license", "show"]);
    let identity = run(command.env("ARCTIC_URL", alice.url()));
    identity.says(&["lic_"]);
    let text = format!("{}{}", identity.stdout, identity.stderr);
    assert!(
        text.contains("credentials"),
        "it does not say what is missing: {identity}"
    );
    let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &["health"]);
    run(command.env("ARCTIC_URL", alice.url())).says(&["ok"]);

    lab.save(&alice);
    let show = lab.arctic(&["license", "show"]);
    show.says(&["lic_", "cust_acme", "20", "100", "valid", "1 of 20"]);
    let fields = lab.arctic(&["license", "show", "-j"]).json();
    assert_eq!(
        (&fields["state"], &fields["nodes_used"]),
        (&json!("valid"), &json!(1))
    );
    assert_eq!(fields["fingerprint"].as_str().map(str::len), Some(64));
    assert!(fields.get("signature").is_none(), "{fields}");
}

#[test]
fn token_prints_a_token_and_nothing_else() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    lab.save(&alice);
    let printed = lab.arctic(&["token"]);
    assert_eq!(printed.ok().trim_end().split('.').count(), 3, "{printed}");
    let token = printed.stdout.trim_end();
    Request::new("GET", "/v1/peers")
        .bearer(token)
        .send(&alice.address)
        .is(200);

    std::fs::write(lab.path("token"), token).expect("a file");
    let url = alice.url();
    let empty = lab.path("empty.json");
    let empty = empty.to_str().expect("a plain path");
    let with = |more: &[&str]| {
        lab.arctic(&[&["peers", "list", "--config", empty, "--url", &url], more].concat())
    };
    with(&[]).fails(5, &["no credentials for this agent", "--token-file"]);
    with(&["--token-file", "token"]).says(&[&alice.peer_id]);
    with(&["--token", token]).says(&[&alice.peer_id]);
    with(&["--token-file", "no-such-file"]).fails(1, &["no-such-file"]);
    let mut command = lab.command(
        env!("CARGO_BIN_EXE_arctic"),
        &["peers", "list", "--config", empty, "--url", &url],
    );
    run(command.env("ARCTIC_TOKEN", token)).says(&[&alice.peer_id]);
    let mut command = lab.command(
        env!("CARGO_BIN_EXE_arctic"),
        &[
            "peers",
            "list",
            "--config",
            empty,
            "--url",
            &url,
            "--token-file",
            "-",
        ],
    );
    run_with_input(&mut command, token).says(&[&alice.peer_id]);
}

#[test]
fn secrets_over_plain_http_are_remarked_once() {
    let lab = Lab::new();
    // Loopback needs no warning; another host does, before anything is sent.
    let alice = lab.agent("alice");
    let near = lab.arctic(&[
        "bootstrap",
        "--url",
        &alice.url(),
        "--license-file",
        "license.json",
    ]);
    near.ok();
    assert!(!near.stderr.to_lowercase().contains("warning"), "{near}");
    let far = [
        "bootstrap",
        "--url",
        "http://192.0.2.1:8080",
        "--license-file",
        "license.json",
        "--timeout",
        "1",
    ];
    let far = lab.arctic(&far);
    assert_eq!(far.code, 4, "{far}");
    assert_eq!(
        far.stderr.to_lowercase().matches("warning").count(),
        1,
        "{far}"
    );
}

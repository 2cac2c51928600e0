//! The command line: exit codes, contexts, prompts, output, words that it does not know.

use crate::harness::*;
use serde_json::{Value, json};

/// Ids that are well formed and nobody's.
pub const NOBODY: &str = "peer_01KDVRKRC0XQ2K9V7M4T8HBN3Y";
pub const NO_SERVICE: &str = "svc_01KDVRKRC0XQ2K9V7M4T8HBN3Y";

/// Every command of the contract that exists now.
const COMMANDS: &[&str] = &[
    "agent run",
    "agent reset",
    "bootstrap",
    "peers list",
    "peers get",
    "peers add",
    "peers update",
    "peers delete",
    "peers remove-self",
    "services list",
    "services get",
    "services create",
    "services update",
    "services delete",
    "license show",
    "license update",
    "license keygen",
    "license issue",
    "license verify",
    "cluster identity",
    "cluster status",
    "cluster sync",
    "health",
    "token",
    "credentials list",
    "credentials create",
    "credentials revoke",
    "config view",
    "config path",
    "config list-peers",
    "config use-peer",
    "config delete-peer",
    "config add-peer",
    "dev",
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn every_command_has_help_and_refuses_a_flag_that_does_not_exist() {
    let lab = Lab::new();
    let groups = [
        "",
        "agent",
        "peers",
        "peer",
        "services",
        "service",
        "license",
        "cluster",
        "credentials",
        "config",
    ];
    for command in groups.iter().chain(COMMANDS) {
        let base: Vec<&str> = words(command)
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect();
        for flag in ["-h", "--help"] {
            let help = lab.arctic(&[base.as_slice(), &[flag]].concat());
            help.ok();
            assert!(help.stdout.to_lowercase().contains("usage"), "{help}");
            assert!(help.stderr.is_empty(), "{help}");
        }
    }
    for command in COMMANDS {
        let wrong = lab.arctic(&[words(command).as_slice(), &["--no-such-flag"]].concat());
        wrong.fails(2, &["Error: ", "--no-such-flag"]);
        assert!(wrong.stdout.is_empty(), "{wrong}");
    }
}

#[test]
fn words_that_do_not_exist_get_a_suggestion_and_exit_2() {
    let lab = Lab::new();
    lab.arctic(&["--version"])
        .says(&[concat!("arctic ", env!("CARGO_PKG_VERSION"))]);
    lab.arctic(&[]).fails(2, &[]);
    lab.arctic(&["pears", "list"]).fails(2, &["pears", "peers"]);
    lab.arctic(&["peers", "lst"]).fails(2, &["lst", "list"]);
    lab.arctic(&["peers", "remove-slef"])
        .fails(2, &["remove-self"]);
    lab.arctic(&["peers", "list", "--al-contexts"])
        .fails(2, &["--all-contexts"]);
    lab.arctic(&["peers", "list", "--outptu", "json"])
        .fails(2, &["--output"]);
    lab.arctic(&["peers", "list", "-o", "yaml"])
        .fails(2, &["yaml", "table", "json"]);
    lab.arctic(&["peers", "get"]).fails(2, &[]);
    lab.arctic(&["peers", "list", "surplus"])
        .fails(2, &["surplus"]);
    lab.arctic(&["peers", "list", "--timeout", "soon"])
        .fails(2, &["timeout"]);
    lab.arctic(&["peers", "list", "--url"]).fails(2, &["--url"]);
    lab.arctic(&["peers", "list", "--url", "ftp://x:1"])
        .fails(2, &["ftp://x:1"]);
}

#[test]
fn each_exit_code_has_its_case() {
    let lab = Lab::new();
    let none = lab.arctic(&["peers", "list"]);
    none.fails(3, &["Error: ", "no current context", "Hint: "]);
    let closed = "http://127.0.0.1:1";
    lab.arctic(&["health", "--url", closed])
        .fails(4, &["Error: ", "127.0.0.1:1"]);

    let [alice, mut bob] = lab.cluster(["alice", "bob"]);
    lab.save(&alice);
    lab.save(&bob);
    lab.arctic(&["peers", "list"]).ok();
    lab.arctic(&["peers", "get", NOBODY])
        .fails(1, &["Error: peer not found"]);
    lab.arctic(&[
        "peers",
        "list",
        "--token",
        "nonsense",
        "--url",
        &alice.url(),
    ])
    .fails(5, &["Error: "]);
    lab.arctic(&["peers", "list", "--context", "nobody"])
        .fails(3, &["nobody", "arctic config list-peers"]);

    bob.kill();
    lab.arctic(&["peers", "list", "--context", "bob"])
        .fails(4, &["Error: ", &bob.address]);
    let partly = lab.arctic(&["peers", "list", "--all-contexts"]);
    partly.fails(6, &[]);
    assert!(
        partly.stdout.contains(&alice.peer_id) && partly.stderr.contains("bob"),
        "{partly}"
    );
    drop(alice);
    lab.arctic(&["peers", "list", "--all-contexts"])
        .fails(4, &["alice", "bob"]);
    std::fs::write(lab.path("config.json"), "{not json").expect("a file");
    lab.arctic(&["peers", "list"]).fails(3, &["config.json"]);
}

#[test]
fn tables_and_json_have_one_shape() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    lab.save(&alice);
    let table = lab.ok(&["peers", "list"]);
    let heads: Vec<&str> = table
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(heads, ["ID", "NAME", "ADDRESS", "LOCAL", "STATUS"]);
    assert!(
        !table.contains('\u{1b}'),
        "colour without a terminal: {table}"
    );
    let first: Vec<&str> = table
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(
        first,
        [&alice.peer_id, "alice", &alice.address, "true", "alive"]
    );
    assert!(lab.ok(&["peers", "list", "--local"]).lines().count() == 2);
    let remote = lab.ok(&["peer", "list", "--remote"]);
    assert!(
        remote.contains(&bob.peer_id) && !remote.contains(&alice.peer_id),
        "{remote}"
    );

    let plain = lab.arctic(&["peers", "list", "-j"]).json();
    assert_eq!(plain.as_array().map(Vec::len), Some(2));
    for form in [
        &["peers", "list", "-ojson"][..],
        &["peers", "list", "--output=json"],
        &["peers", "list", "-o", "json"],
        &["-j", "peers", "list"],
        &["--output", "json", "peers", "list"],
        &["peers", "--output=json", "list"],
    ] {
        let ids = |v: &Value| {
            v.as_array()
                .map(|a| a.iter().map(|p| p["id"].clone()).collect::<Vec<_>>())
        };
        assert_eq!(ids(&lab.arctic(form).json()), ids(&plain), "{form:?}");
    }

    let get = lab.ok(&["peers", "get", "bob"]);
    let labels: Vec<&str> = get
        .lines()
        .filter_map(|l| l.split_once(": ").map(|(l, _)| l))
        .collect();
    let wanted = [
        "ID",
        "Name",
        "Public Key",
        "Is Local",
        "Address",
        "Status",
        "Last Seen",
        "Created At",
        "Version",
    ];
    assert!(wanted.iter().all(|w| labels.contains(w)), "{labels:?}");
    assert!(
        get.lines()
            .any(|l| l.starts_with("Is Local: ") && l.ends_with("No")),
        "{get}"
    );
    let identity = lab.ok(&["cluster", "identity"]);
    for label in [
        "Peer ID: ",
        "Public Key: ",
        "License ID: ",
        "Cluster ID: ",
        "Version: ",
    ] {
        assert!(identity.contains(label), "{identity}");
    }
    lab.arctic(&["cluster", "status"]).says(&[&alice.peer_id]);
    lab.arctic(&["cluster", "sync"]).ok();
    lab.arctic(&["health"]).says(&["ok"]);
    lab.arctic(&["health", "--readyz"]).says(&["ok"]);

    let id = alice.serve(&bob);
    let services = lab.ok(&["services", "list"]);
    let heads: Vec<&str> = services
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(heads, ["ID", "SOURCE", "TARGET", "TRANSPORT", "STATUS"]);
    let row: Vec<&str> = services
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(row, [id.as_str(), "alice", "bob", "tcp", "active"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    lab.save(&alice);
    let script = "{ arctic peers list -j; echo \"code $?\" >&2; } | true";
    let done = run(&mut lab.command("sh", &["-c", script]));
    done.ok();
    assert!(
        done.stderr.contains("code 0") && !done.stderr.contains("panicked"),
        "{done}"
    );
}

#[test]
fn credentials_are_made_listed_and_revoked() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    lab.save(&alice);
    let made = lab.arctic(&[
        "credentials",
        "create",
        "--scopes",
        "peers.read,services.read",
        "--name",
        "ci",
    ]);
    made.says(&["cli_", "sec_"]);
    let listed = lab.ok(&["credentials", "list"]);
    assert!(
        listed.contains("ci") && !listed.contains("sec_"),
        "{listed}"
    );
    lab.arctic(&["credentials", "create", "--scopes", "peers"])
        .fails(2, &["peers"]);
    let own = &alice.credentials.client_id;
    lab.arctic(&["credentials", "revoke", own, "--yes"])
        .fails(1, &["Error: cannot revoke", "Hint: "]);
    lab.arctic(&[
        "credentials",
        "revoke",
        "cli_01KDVRKRC0XQ2K9V7M4T8HBN3Y",
        "--yes",
    ])
    .fails(1, &["not found"]);
}

#[test]
fn the_issuers_tools_are_careful() {
    let lab = Lab::new();
    let mode = std::os::unix::fs::PermissionsExt::mode;
    let key = std::fs::metadata(lab.path("issuer.key")).expect("the key is written");
    assert_eq!(mode(&key.permissions()) & 0o777, 0o600);
    let before = std::fs::read(lab.path("issuer.key")).expect("a file");
    lab.arctic(&["license", "keygen", "--out", "issuer.key"])
        .fails(1, &["issuer.key"]);
    assert_eq!(
        std::fs::read(lab.path("issuer.key")).expect("a file"),
        before
    );

    let verify = [
        "license",
        "verify",
        "--file",
        "license.json",
        "--issuers",
        "issuers",
    ];
    lab.arctic(&verify).says(&["valid"]);
    let document = std::fs::read_to_string(lab.path("license.json")).expect("a file");
    std::fs::write(lab.path("license.json"), document.replace("20", "21")).expect("a file");
    lab.arctic(&verify).fails(1, &["Error: license is invalid"]);
    std::fs::write(lab.path("license.json"), "").expect("a file");
    lab.arctic(&verify).fails(1, &["Error: license is invalid"]);
    lab.arctic(&[
        "license",
        "verify",
        "--file",
        "absent",
        "--issuers",
        "issuers",
    ])
    .fails(1, &["absent"]);

    lab.issue("first.json", 3, 3, &[]);
    let renewed = lab.issue("second.json", 4, 4, &["--renew", "first.json"]);
    let read = |file: &std::path::Path| -> Value {
        serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON")
    };
    let (first, second) = (read(&lab.path("first.json")), read(&renewed));
    assert_eq!(first["license_id"], second["license_id"]);
    assert_eq!(
        (&second["customer_id"], &second["max_nodes"]),
        (&json!("cust_acme"), &json!(4))
    );
    let issue = [
        "license",
        "issue",
        "--key",
        "issuer.key",
        "--customer",
        "acme",
        "--max-services",
        "1",
        "--days",
    ];
    lab.arctic(&[&issue[..], &["1", "--max-nodes", "0"]].concat())
        .fails(2, &["--max-nodes"]);
    lab.arctic(&[&issue[..], &["soon", "--max-nodes", "1"]].concat())
        .fails(2, &["days"]);
    lab.arctic(&[&issue[..], &["1"]].concat())
        .fails(2, &["--max-nodes"]);
}

#[test]
fn adds_take_several_addresses_a_name_and_patience() {
    let lab = Lab::new();
    let [alice, bob, carol, mut dave] =
        ["alice", "bob", "carol", "dave"].map(|name| lab.member(name));
    lab.save(&alice);
    let partly = lab.arctic(&[
        "peers",
        "add",
        &bob.address,
        "127.0.0.1:1",
        &carol.address,
        "-j",
    ]);
    partly.fails(6, &["127.0.0.1:1", "connection refused", "1 of 3"]);
    let items = partly.json();
    let ok: Vec<bool> = items
        .as_array()
        .expect("an array")
        .iter()
        .map(|i| i["ok"] == true)
        .collect();
    assert_eq!(ok, [true, false, true], "{items}");
    assert_eq!(alice.peers().len(), 3);
    lab.arctic(&["peers", "add", "127.0.0.1:1", "127.0.0.1:2"])
        .fails(1, &["2 of 2"]);
    lab.arctic(&["peers", "add", "nonsense"])
        .fails(2, &["HOST:PORT"]);
    lab.arctic(&["peers", "add"]).fails(2, &["HOST:PORT"]);

    // An agent that is not up yet is waited for, when asked.
    dave.kill();
    let address = dave.address.clone();
    lab.arctic(&["peers", "add", &address, "--wait", "1"])
        .fails(1, &["connection refused"]);
    let add = [
        "peers",
        "add",
        &address,
        "--wait",
        "20",
        "--name",
        "the fourth",
    ];
    let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &add);
    let waiting = std::thread::spawn(move || run(&mut command));
    dave.restart();
    waiting
        .join()
        .expect("the thread ends")
        .says(&["the fourth", &dave.peer_id]);
    assert_eq!(
        alice.peer(&dave.peer_id).expect("listed")["name"],
        "the fourth"
    );
    assert_eq!(dave.peer(&dave.peer_id).expect("listed")["name"], "dave");

    // The advice after a blank agent names the command, its address and the license to use.
    let blank = lab.agent("blank");
    let refused = lab.arctic(&["peers", "add", &blank.address]);
    refused.fails(
        1,
        &[
            "handshake failed: not bootstrapped",
            "arctic bootstrap --url",
            &blank.address,
        ],
    );
}

//! The page that users read: `page.txt` is its transcription, and every block of it runs here
//! against real agents, in order. Only addresses, ids, credentials and file names are put in.

use crate::harness::*;
use serde_json::Value;
use std::path::Path;

/// One command, text or sentence of the page.
#[derive(Debug, Clone)]
struct Block {
    section: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let (mut section, mut blocks) = (String::new(), Vec::new());
    for part in include_str!("page.txt").split("\n\n") {
        if let Some(name) = part.strip_prefix("== ") {
            section = name.trim().to_string();
        } else if let Some((kind, text)) = part.strip_prefix("#: ").and_then(|p| p.split_once('\n'))
        {
            blocks.push(Block {
                section: section.clone(),
                kind: kind.to_string(),
                text: text.trim_end().to_string(),
            });
        }
    }
    blocks
}

/// The page itself, where it is at hand: beside the repository, or one level further up.
fn page() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared", "../../shared"]
        .iter()
        .find_map(|dir| std::fs::read_to_string(root.join(dir).join("peer-management.txt")).ok())
}

#[test]
fn every_block_stands_on_the_page_and_no_command_is_left_out() {
    let blocks = blocks();
    assert!(
        blocks.len() > 50,
        "the transcription is not read: {}",
        blocks.len()
    );
    let Some(page) = page() else { return };
    let mut covered = Vec::new();
    let mut from = 0;
    for block in &blocks {
        let at = page[from..].find(&block.text).map(|at| from + at);
        let at = at.unwrap_or_else(|| panic!("not on the page, or out of order: {block:?}"));
        covered.push(at..at + block.text.len());
        from = at;
    }
    for word in ["arctic ", "curl ", "--all-contexts", "Error: "] {
        for (at, _) in page.match_indices(word) {
            let held = covered.iter().any(|range| range.contains(&at));
            assert!(
                held,
                "the transcription lacks {:?}",
                &page[at..page.len().min(at + 60)]
            );
        }
    }
}

/// Runs the blocks one after the other, and insists that none is passed over.
struct Story {
    lab: Lab,
    rest: std::vec::IntoIter<Block>,
    token: String,
}

impl Story {
    #[track_caller]
    fn next(&mut self, kind: &str, begins: &str) -> Block {
        let block = self.rest.next().expect("the page goes on");
        let command = block.text.lines().find(|line| !line.starts_with('#'));
        let fits = block.kind == kind && command.is_some_and(|line| line.starts_with(begins));
        assert!(
            fits,
            "the story comes to {kind} {begins:?}, the page to {block:?}"
        );
        block
    }

    #[track_caller]
    fn shell(&self, block: &Block, put: &[(&str, &str)], more: &str) -> std::process::Command {
        let mut text = block.text.clone();
        for (placeholder, value) in put {
            assert!(text.contains(placeholder), "no {placeholder} in {block:?}");
            text = text.replace(placeholder, value);
        }
        for left in ["_IP", "PEER_ID", "SERVICE_ID", "YOUR_"] {
            assert!(!text.contains(left), "{left} is left in {text:?}");
        }
        let mut command = self.lab.command("sh", &["-c", &format!("{text}{more}")]);
        command.env("TOKEN", &self.token);
        command
    }

    /// Runs the next block, which succeeds.
    #[track_caller]
    fn runs(&mut self, begins: &str, put: &[(&str, &str)]) -> Done {
        let block = self.next("runs", begins);
        let done = run(&mut self.shell(&block, put, ""));
        done.ok();
        done
    }

    /// Runs the next block, a curl line whose answer is no error body.
    #[track_caller]
    fn curls(&mut self, put: &[(&str, &str)]) -> Value {
        let done = self.runs("curl ", put);
        let body = done.json();
        assert!(body.get("error").is_none(), "{done}");
        body
    }

    /// Runs the next block on a terminal: it asks, naming all of this, and is answered.
    #[track_caller]
    fn asks(&mut self, begins: &str, put: &[(&str, &str)], named: &[&str]) {
        let block = self.next("asks", begins);
        let no = on_terminal(&mut self.shell(&block, put, ""), "[y/N]", "n");
        let yes = on_terminal(&mut self.shell(&block, put, ""), "[y/N]", "y");
        assert!(
            yes.code == 0 && !no.screen.contains("panicked"),
            "{no:?} {yes:?}"
        );
        for word in named {
            assert!(
                yes.screen.contains(word),
                "the prompt lacks {word:?}: {yes:?}"
            );
        }
    }

    /// The next block is printed in `output`, in whatever case; `...` stands for anything.
    #[track_caller]
    fn prints(&mut self, output: &str) {
        let block = self.rest.next().expect("the page goes on");
        assert_eq!(block.kind, "prints", "{block:?}");
        let wanted = block
            .text
            .split("...")
            .next()
            .unwrap_or_default()
            .to_lowercase();
        assert!(
            output.to_lowercase().contains(&wanted),
            "no {wanted:?} in {output}"
        );
    }

    /// The next block is this sentence, which the story has just made true.
    #[track_caller]
    fn holds(&mut self, words: &str) {
        let block = self.rest.next().expect("the page goes on");
        assert!(
            block.kind == "holds" && block.text.contains(words),
            "{block:?}"
        );
    }

    #[track_caller]
    fn skipped(&mut self, text: &str) {
        self.next("skipped", text);
    }

    /// The command line points at another saved agent from here on.
    #[track_caller]
    fn uses(&self, context: &str) {
        self.lab.ok(&["config", "use-peer", context]);
    }

    /// Takes over the credentials that the command line has saved for an agent.
    #[track_caller]
    fn adopt(&self, agent: &mut Agent) {
        let file =
            std::fs::read_to_string(self.lab.path("config.json")).expect("contexts are saved");
        let config: Value = serde_json::from_str(&file).expect("contexts are JSON");
        let saved = find(&config, &|v| v["url"] == agent.url()).expect("the agent is saved");
        let text = |field: &str| saved[field].as_str().expect(field).to_string();
        agent.peer_id = text("peer_id");
        agent.credentials = Credentials {
            client_id: text("client_id"),
            client_secret: text("client_secret"),
        };
    }
}

/// The first object, at any depth, of which this is true.
fn find<'a>(value: &'a Value, is: &dyn Fn(&Value) -> bool) -> Option<&'a Value> {
    let inner: Vec<&Value> = match value {
        Value::Object(map) if is(value) && !map.is_empty() => return Some(value),
        Value::Object(map) => map.values().collect(),
        Value::Array(all) => all.iter().collect(),
        _ => Vec::new(),
    };
    inner.into_iter().find_map(|v| find(v, is))
}

/// The row of the table that begins with this id.
#[track_caller]
fn row<'a>(table: &'a str, id: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.starts_with(id));
    let line = line.unwrap_or_else(|| panic!("no row {id} in\n{table}"));
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn every_block_works_in_order() {
    if !have("curl") || !have("jq") {
        return;
    }
    let mut story = Story {
        lab: Lab::new(),
        rest: blocks().into_iter(),
        token: String::new(),
    };
    let mut alice = story.lab.agent("alice");
    let url = alice.url();
    story.lab.ok(&[
        "bootstrap",
        "--url",
        &url,
        "--license-file",
        "license.json",
        "--name",
        "alice",
    ]);
    story.adopt(&mut alice);
    let (bob, carol) = add_a_peer(&mut story, &alice);
    add_troubleshooting(&mut story, &alice, &bob, &carol);
    update_a_peer(&mut story, &alice, &bob, &carol);
    remove_peers(&mut story, alice, bob, carol);
    let rest: Vec<Block> = story.rest.collect();
    assert!(rest.is_empty(), "the story leaves out {rest:?}");
}

/// Bob is bootstrapped and added by the command line, carol by curl.
fn add_a_peer(story: &mut Story, alice: &Agent) -> (Agent, Agent) {
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

fn add_troubleshooting(story: &mut Story, alice: &Agent, bob: &Agent, carol: &Agent) {
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

fn update_a_peer(story: &mut Story, alice: &Agent, bob: &Agent, carol: &Agent) {
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

/// Dora, erin and frank are deleted by alice; bob, dora and erin remove themselves, frank at last.
fn remove_peers(story: &mut Story, alice: Agent, bob: Agent, carol: Agent) {
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

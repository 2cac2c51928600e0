//! Which agent a command talks to, and as whom: a flag goes before the environment, that before what is saved.

use crate::harness::*;
use serde_json::Value;

/// Alice is the current context, bob is saved too, carol is not saved. Each has a token that may do no
/// more than read peers, so that it can be told apart from saved credentials.
struct Stage {
    lab: Lab,
    agents: [Agent; 3],
    tokens: [String; 3],
}

/// Who answers, and to what.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answers {
    Saved(usize),
    Token(usize),
    /// Nobody was asked, or nobody answered: the exit code.
    Refused(i32),
}
use Answers::{Refused, Saved, Token};

impl Stage {
    fn set() -> Stage {
        let lab = Lab::new();
        let agents = ["alice", "bob", "carol"].map(|name| lab.member(name));
        let tokens = agents.each_ref().map(|agent| {
            let scopes = serde_json::json!({"scopes": ["peers.read"]});
            let made = agent.call("POST", "/v1/credentials", Some(scopes)).is(201);
            let text = |field: &str| made[field].as_str().expect(field).to_string();
            agent.token_of(&Credentials {
                client_id: text("client_id"),
                client_secret: text("client_secret"),
            })
        });
        for (agent, token) in agents.iter().zip(&tokens) {
            std::fs::write(lab.path(&format!("{}.token", agent.name)), token).expect("a file");
        }
        lab.save(&agents[0]);
        lab.save(&agents[1]);
        Stage {
            lab,
            agents,
            tokens,
        }
    }

    /// Words with `URL:alice`, `ID:bob`, `TOKEN:carol` in them as what they stand for.
    fn spell(&self, word: &str) -> String {
        let Some((kind, name)) = word.split_once(':') else {
            return word.to_string();
        };
        let Some(at) = self.agents.iter().position(|a| a.name == name) else {
            return word.to_string();
        };
        match kind {
            "URL" => self.agents[at].url(),
            "ID" => self.agents[at].peer_id.clone(),
            _ => self.tokens[at].clone(),
        }
    }

    /// Runs `COMMAND FLAGS` with `NAME=VALUE` of the environment.
    fn run(&self, command: &[&str], flags: &str, environment: &str) -> Done {
        let flags: Vec<String> = flags.split_whitespace().map(|w| self.spell(w)).collect();
        let args: Vec<&str> = command
            .iter()
            .copied()
            .chain(flags.iter().map(String::as_str))
            .collect();
        let mut command = self.lab.command(env!("CARGO_BIN_EXE_arctic"), &args);
        for set in environment.split_whitespace() {
            let (name, value) = set.split_once('=').expect("NAME=VALUE");
            command.env(format!("ARCTIC_{name}"), self.spell(value));
        }
        run(&mut command)
    }

    fn who(&self, flags: &str, environment: &str) -> Answers {
        let asked = self.run(&["peers", "list", "--local", "-j"], flags, environment);
        if asked.code != 0 {
            return Refused(asked.code);
        }
        let list: Value = asked.json();
        let id = &list[0]["id"];
        let at = self.agents.iter().position(|a| *id == a.peer_id.as_str());
        let at = at.unwrap_or_else(|| panic!("who is that? {asked}"));
        // What a saved context may and the token may not.
        match self.run(&["credentials", "list"], flags, environment).code {
            0 => Saved(at),
            5 => Token(at),
            other => panic!("exit {other} for {flags} {environment}"),
        }
    }

    #[track_caller]
    fn holds(&self, table: &[(&str, &str, Answers)]) {
        for (flags, environment, wanted) in table {
            let found = self.who(flags, environment);
            assert_eq!(
                found, *wanted,
                "flags '{flags}', environment '{environment}'"
            );
        }
    }
}

/// The places in `Stage::agents`.
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

#[test]
fn a_flag_goes_before_the_environment_and_that_before_what_is_saved() {
    let stage = Stage::set();
    stage.holds(&[
        ("", "", Saved(ALICE)),
        // The environment before the current context.
        ("", "URL=URL:alice", Saved(ALICE)),
        ("", "URL=URL:bob", Saved(BOB)),
        ("", "URL=URL:carol", Refused(5)),
        ("", "CONTEXT=bob", Saved(BOB)),
        ("", "CONTEXT=ID:bob", Saved(BOB)),
        ("", "CONTEXT=carol", Refused(3)),
        ("", "URL= CONTEXT= TOKEN=", Saved(ALICE)),
        ("", "URL=ftp://alice:1", Refused(2)),
        // Nothing says which of the two is meant.
        ("", "URL=URL:bob CONTEXT=bob", Refused(2)),
        ("--url URL:bob --context bob", "", Refused(2)),
        // A flag before the environment.
        ("--context bob", "", Saved(BOB)),
        ("--context bob", "URL=URL:carol", Saved(BOB)),
        ("--context bob", "CONTEXT=alice", Saved(BOB)),
        ("--context bob", "URL=URL:carol CONTEXT=alice", Saved(BOB)),
        ("--context carol", "URL=URL:bob", Refused(3)),
        ("--url URL:bob", "", Saved(BOB)),
        ("--url URL:bob", "URL=URL:carol", Saved(BOB)),
        ("--url URL:bob", "CONTEXT=alice", Saved(BOB)),
        ("--url URL:bob", "URL=URL:carol CONTEXT=alice", Saved(BOB)),
        ("--url URL:carol", "", Refused(5)),
        ("--url URL:carol", "URL=URL:bob", Refused(5)),
        ("--url URL:carol", "CONTEXT=bob", Refused(5)),
    ]);
}

#[test]
fn a_given_token_goes_before_saved_credentials() {
    let stage = Stage::set();
    stage.holds(&[
        ("", "TOKEN=TOKEN:alice", Token(ALICE)),
        ("--token TOKEN:alice", "", Token(ALICE)),
        ("--token-file alice.token", "", Token(ALICE)),
        ("--token TOKEN:alice", "TOKEN=TOKEN:bob", Token(ALICE)),
        ("--token-file alice.token", "TOKEN=TOKEN:bob", Token(ALICE)),
        (
            "--token TOKEN:alice --token-file alice.token",
            "",
            Refused(2),
        ),
        // With every way to name the agent.
        ("", "URL=URL:bob TOKEN=TOKEN:bob", Token(BOB)),
        ("", "URL=URL:carol TOKEN=TOKEN:carol", Token(CAROL)),
        ("", "CONTEXT=bob TOKEN=TOKEN:bob", Token(BOB)),
        ("--url URL:bob", "TOKEN=TOKEN:bob", Token(BOB)),
        ("--url URL:carol", "TOKEN=TOKEN:carol", Token(CAROL)),
        ("--context bob", "TOKEN=TOKEN:bob", Token(BOB)),
        ("--token TOKEN:bob", "URL=URL:bob", Token(BOB)),
        ("--token TOKEN:bob", "CONTEXT=bob", Token(BOB)),
        ("--token-file carol.token", "URL=URL:carol", Token(CAROL)),
        ("--url URL:bob --token TOKEN:bob", "", Token(BOB)),
        ("--url URL:carol --token-file carol.token", "", Token(CAROL)),
        ("--context bob --token TOKEN:bob", "", Token(BOB)),
        (
            "--context bob --token-file bob.token",
            "TOKEN=TOKEN:alice",
            Token(BOB),
        ),
        // A token is good at the agent that issued it. Nothing else is tried in its place.
        ("", "TOKEN=TOKEN:bob", Refused(5)),
        ("--context bob", "TOKEN=TOKEN:alice", Refused(5)),
        ("", "URL=URL:bob TOKEN=TOKEN:alice", Refused(5)),
    ]);
    let wrong = stage.run(&["peers", "list"], "", "TOKEN=TOKEN:bob");
    wrong.fails(5, &["ARCTIC_TOKEN"]);
    // A fresh token comes from saved credentials, whatever the last one was.
    let fresh = stage.run(&["token"], "", "TOKEN=TOKEN:bob");
    let list = Request::new("GET", "/v1/credentials").bearer(fresh.ok().trim_end());
    list.send(&stage.agents[ALICE].address).is(200);
    stage
        .run(&["token"], "--token TOKEN:alice", "")
        .fails(2, &["--token"]);
}

#[test]
fn where_nothing_is_saved_or_current() {
    let stage = Stage::set();
    stage.holds(&[
        ("--config none.json", "", Refused(3)),
        ("--config none.json", "CONTEXT=bob", Refused(3)),
        ("--config none.json", "URL=URL:carol", Refused(5)),
        (
            "--config none.json",
            "URL=URL:carol TOKEN=TOKEN:carol",
            Token(CAROL),
        ),
        (
            "--config none.json --token TOKEN:carol",
            "URL=URL:carol",
            Token(CAROL),
        ),
    ]);
    stage.lab.ok(&["config", "delete-peer", "alice"]);
    stage.holds(&[
        ("", "", Refused(3)),
        ("", "TOKEN=TOKEN:bob", Refused(3)),
        ("", "URL=URL:bob", Saved(BOB)),
        ("", "CONTEXT=bob", Saved(BOB)),
    ]);
    // What needs no credentials asks the same agent.
    let identity =
        |flags: &str, environment: &str| stage.run(&["cluster", "identity"], flags, environment);
    let carol = &stage.agents[CAROL].peer_id;
    identity("", "URL=URL:carol").says(&[carol]);
    identity("--config none.json", "URL=URL:carol").says(&[carol]);
    // Nor does it need a place for contexts: a probe may run without a home.
    let mut command = stage.lab.command(
        env!("CARGO_BIN_EXE_arctic"),
        &["health", "--url", &stage.agents[CAROL].url()],
    );
    run(command.env_remove("HOME").env_remove("ARCTIC_CONFIG")).says(&["ok"]);
}

#[test]
fn what_cannot_be_taken_back_is_done_where_the_environment_says() {
    let stage = Stage::set();
    let remove = ["peers", "remove-self", "--yes"];
    let status = |at: usize| stage.agents[at].peers()[0]["status"].clone();
    stage
        .run(&remove, "", "URL=URL:carol")
        .fails(5, &["no credentials"]);
    stage
        .run(&remove, "", "CONTEXT=carol")
        .fails(3, &["ARCTIC_CONTEXT", "carol"]);
    stage
        .run(&remove, "", "URL=http://u@lab:1")
        .fails(2, &["ARCTIC_URL", "http://u@lab:1"]);
    stage
        .run(&remove, "", "URL=URL:bob CONTEXT=bob")
        .fails(2, &["ARCTIC_URL", "ARCTIC_CONTEXT"]);
    assert_eq!([status(ALICE), status(BOB)], ["alive", "alive"]);
    stage
        .run(&remove, "", "URL=URL:bob")
        .says(&[&stage.agents[BOB].url()]);
    assert_eq!([status(ALICE), status(BOB)], ["alive", "deactivated"]);

    // A license goes where the environment says too, or to an agent that is named; never to a context.
    let dave = stage.lab.agent("dave");
    let bootstrap = ["bootstrap", "--license-file", "license.json"];
    stage.run(&bootstrap, "", "").fails(2, &["--url"]);
    stage
        .run(&bootstrap, "", "CONTEXT=alice")
        .fails(2, &["--url"]);
    let to = format!("URL={}", dave.url());
    stage.run(&bootstrap, "", &to).says(&["Peer ID: peer_"]);
    Request::new("GET", "/readyz").send(&dave.address).is(200);
}

#[test]
fn commands_say_that_the_environment_goes_before_the_current_context() {
    let stage = Stage::set();
    for command in [&["config", "use-peer", "alice"][..], &["config", "view"]] {
        let quiet = stage.run(command, "", "");
        assert!(!quiet.stderr.contains("ARCTIC_"), "{quiet}");
        for (environment, name) in [
            ("URL=URL:bob", "ARCTIC_URL"),
            ("CONTEXT=bob", "ARCTIC_CONTEXT"),
        ] {
            let done = stage.run(command, "", environment);
            done.ok();
            assert!(done.stderr.contains(name), "{done}");
        }
    }
    // All of them are all, with their own credentials.
    let all = stage.run(
        &["peers", "list", "--all-contexts"],
        "",
        "URL=URL:carol CONTEXT=bob TOKEN=TOKEN:alice",
    );
    all.says(&[&stage.agents[ALICE].peer_id, &stage.agents[BOB].peer_id]);
    stage
        .run(&["peers", "list"], "--all-contexts --token TOKEN:bob", "")
        .fails(2, &["--all-contexts", "--token"]);
    let bob = stage.agents[BOB].address.clone();
    stage
        .run(&["peers", "add", &bob], "", "URL=URL:bob")
        .fails(1, &["address is this agent", "ARCTIC_URL"]);
}

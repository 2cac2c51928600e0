//! The page that users read: `page.txt` is its transcription, and every block of it runs here
//! against real agents, in order. Only addresses, ids, credentials and file names are put in.

mod add;
mod remove;
mod update;

use crate::harness::*;
use serde_json::Value;
use std::path::Path;

/// One command, text or sentence of the page.
#[derive(Debug, Clone)]
struct Block {
    /// Where on the page, for whoever reads a failure.
    #[allow(dead_code)]
    section: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let (mut section, mut blocks) = (String::new(), Vec::new());
    for part in include_str!("../page.txt").split("\n\n") {
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
    let (bob, carol) = add::add_a_peer(&mut story, &alice);
    add::add_troubleshooting(&mut story, &alice, &bob, &carol);
    update::update_a_peer(&mut story, &alice, &bob, &carol);
    remove::remove_peers(&mut story, alice, bob, carol);
    let rest: Vec<Block> = story.rest.collect();
    assert!(rest.is_empty(), "the story leaves out {rest:?}");
}

//! What an agent says is so is on the disk first; seen from outside, by its system calls.

use crate::harness::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that reads, writes, syncs or renames.
const CALLS: &str = "trace=fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg,read,recvfrom,rename,renameat,renameat2";

/// One system call of the agent, with the lines of the trace at which it began and ended.
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn is(&self, names: &[&str], words: &[&str]) -> bool {
        let named = |name: &&str| self.text.starts_with(&format!("{name}("));
        names.iter().any(named) && words.iter().all(|w| self.text.contains(w))
    }

    fn reads(&self, words: &str) -> bool {
        self.is(&["read", "recvfrom"], &[words])
    }

    fn says(&self, words: &str) -> bool {
        self.is(&["write", "writev", "sendto", "sendmsg"], &[words])
    }

    /// Puts bytes into a file whose path has these words.
    fn writes(&self, path: &str) -> bool {
        self.is(&["write", "writev", "pwrite64", "pwritev"], &[path])
    }

    fn syncs(&self, path: &str) -> bool {
        self.is(&["fsync", "fdatasync"], &[path]) && self.text.ends_with("= 0")
    }

    /// The path between `<` and `>` behind the descriptor.
    fn path(&self) -> &str {
        let inside = self.text.split_once('<').map_or("", |(_, rest)| rest);
        inside.split('>').next().unwrap_or("")
    }
}

/// An agent whose system calls are written down.
struct Traced {
    agent: Agent,
    file: PathBuf,
}

impl Traced {
    /// `None` where no process may look at another's calls.
    fn start(lab: &Lab, name: &str) -> Option<Traced> {
        if !have("strace") {
            return None;
        }
        let tried = run(Command::new("strace").args(["-f", "-o", "/dev/null", "true"]));
        if tried.code != 0 {
            skip(&format!("nothing can be traced here: {}", tried.stderr));
            return None;
        }
        let file = lab.path(&format!("{name}.trace"));
        let out = file.to_str().expect("a plain path");
        // -D: the agent stays the child of this test, so ending it ends the tracer.
        let wrapper = [
            "strace", "-D", "-f", "-y", "-s", "64", "-o", out, "-e", CALLS,
        ];
        let agent = lab.stopped(name).wrapped(&wrapper).start();
        Some(Traced { agent, file })
    }

    /// What it did until its answer to this request; waits until the trace has that.
    #[track_caller]
    fn until_answered(&self, request: &str) -> Done {
        let mut done = None;
        wait_until(&format!("the trace has {request}"), SOON, || {
            done = Done::of(calls(&self.file), request);
            done.is_some()
        });
        done.expect("it was waited for")
    }
}

/// The calls up to the answer to a request.
struct Done {
    calls: Vec<Call>,
    asked: usize,
    answered: usize,
}

impl Done {
    fn of(calls: Vec<Call>, request: &str) -> Option<Done> {
        let asked = calls.iter().rfind(|c| c.reads(request))?.ended;
        let answer = |c: &&Call| c.began > asked && c.says("HTTP/1.1 2");
        let answered = calls.iter().find(answer)?.began;
        Some(Done {
            calls,
            asked,
            answered,
        })
    }

    fn during(&self) -> impl DoubleEndedIterator<Item = &Call> {
        let within = |c: &&Call| c.began > self.asked && c.began < self.answered;
        self.calls.iter().filter(within)
    }

    fn shown(&self) -> String {
        let lines: Vec<&str> = self.during().map(|c| c.text.as_str()).collect();
        lines.join("\n")
    }
}

/// The trace, with the halves of calls that another thread's call came between joined.
fn calls(file: &Path) -> Vec<Call> {
    let trace = std::fs::read_to_string(file).unwrap_or_default();
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((pid, text)) = text.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix("<... ") {
            let Some(at) = open.iter().position(|(p, _)| *p == pid) else {
                continue;
            };
            let (_, index) = open.remove(at);
            let tail = rest.split_once("resumed>").map_or("", |(_, tail)| tail);
            calls[index].text.push_str(tail);
            calls[index].ended = line;
            continue;
        }
        let begun = text.strip_suffix("<unfinished ...>");
        if begun.is_some() {
            open.push((pid, calls.len()));
        }
        calls.push(Call {
            text: begun.unwrap_or(text).trim_end().to_string(),
            began: line,
            ended: if begun.is_some() { usize::MAX } else { line },
        });
    }
    calls
}

#[test]
fn an_answer_waits_for_the_disk() {
    let lab = Lab::new();
    let Some(mut alice) = Traced::start(&lab, "alice") else {
        return;
    };
    alice.agent.bootstrap(&lab.path("license.json"));
    let made = alice.agent.call("POST", "/v1/credentials", Some(json!({})));
    let made = made.is(201);
    let id = made["client_id"].as_str().expect("text");
    let path = format!("/v1/credentials/{id}");
    alice.agent.call("DELETE", &path, None).is(200);
    for request in [
        "POST /v1/bootstrap",
        "POST /v1/credentials",
        "DELETE /v1/credentials",
    ] {
        let done = alice.until_answered(request);
        let written = done.during().rfind(|c| c.writes("/arctic.db"));
        let written = written.unwrap_or_else(|| panic!("{request} wrote nothing"));
        let synced = done
            .calls
            .iter()
            .any(|c| c.syncs(written.path()) && c.began > written.ended && c.ended < done.answered);
        assert!(synced, "{request}: answered first\n{}", done.shown());
    }
}

#[test]
fn an_identity_is_on_the_disk_before_it_is_used() {
    let lab = Lab::new();
    let Some(mut alice) = Traced::start(&lab, "alice") else {
        return;
    };
    alice.agent.bootstrap(&lab.path("license.json"));
    let done = alice.until_answered("POST /v1/bootstrap");
    let all = &done.calls;
    let find = |what: &str, found: Option<&Call>| match found {
        Some(call) => (call.began, call.ended),
        None => panic!("{what} is missing:\n{}", done.shown()),
    };
    let renames = ["rename", "renameat", "renameat2"];
    let named = all.iter().find(|c| c.is(&renames, &["/peer.key\""]));
    let named = find("its name", named);
    let written = |c: &&Call| c.writes("/peer.key") && c.ended < named.0;
    let written = find("the key", all.iter().rfind(written));
    let synced = |c: &&Call| c.syncs("/peer.key") && c.began > written.1 && c.ended < named.0;
    find(
        "the sync of the key before its name",
        all.iter().find(synced),
    );
    let dir = format!("<{}>", alice.agent.data().display());
    let synced = |c: &&Call| c.syncs(&dir) && c.began > named.1;
    let durable = find("the sync of its directory", all.iter().find(synced));
    let used = find("its use", done.during().find(|c| c.writes("/arctic.db")));
    assert!(durable.1 < used.0, "used first:\n{}", done.shown());
    assert!(durable.1 < done.answered, "told first:\n{}", done.shown());
}

/// The database is taken away from a running agent in this way.
fn notices(spoil: impl FnOnce(&Path)) {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    let token = alice.token();
    Request::new("GET", "/readyz").send(&alice.address).is(200);
    let file = alice.data().join("arctic.db");
    let kept = lab.path("kept.db");
    std::fs::rename(&file, &kept).expect("a file");
    spoil(&file);
    for (method, path, body) in [
        ("POST", "/v1/credentials", json!({})),
        ("PUT", "/v1/license", json!({"forget_previous": true})),
        ("DELETE", "/v1/peers/self", json!(null)),
    ] {
        let mut request = Request::new(method, path).bearer(&token);
        if !body.is_null() {
            request = request.json(body.to_string());
        }
        let answer = request.send(&alice.address);
        answer.refused(503, "STORAGE_UNAVAILABLE", &[]);
    }
    let ready = Request::new("GET", "/readyz").send(&alice.address).is(503);
    assert_ne!(ready["reason"], "deactivated", "{ready}");
    Request::new("GET", "/livez").send(&alice.address).is(200);
    // What was refused did not happen either.
    alice.kill();
    std::fs::rename(&kept, &file).expect("a file");
    alice.restart();
    assert_eq!(alice.sees(&alice), "alive");
    let credentials = alice.get("/v1/credentials");
    assert_eq!(credentials.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_database_that_was_removed_is_noticed() {
    notices(|_| ());
}

#[test]
fn a_database_that_was_replaced_is_noticed() {
    notices(|file| {
        let kept = file.with_file_name("../kept.db");
        std::fs::copy(kept, file).expect("a file");
    });
}

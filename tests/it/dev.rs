//! `arctic dev`: the first thing that anyone runs, and nothing is left of it however it ends.

use crate::harness::*;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `arctic dev` with its temporary files in a directory of ours.
fn dev(lab: &Lab, args: &[&str]) -> Command {
    let tmp = lab.path("tmp");
    std::fs::create_dir_all(&tmp).expect("a directory");
    let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &[&["dev"], args].concat());
    command.env("TMPDIR", tmp).env_remove("ARCTIC_CONFIG");
    command
}

/// Processes whose arguments name something below this directory.
fn processes_in(dir: &Path) -> usize {
    let dir = dir.display().to_string();
    let all = std::fs::read_dir("/proc")
        .expect("Linux has /proc")
        .flatten();
    all.filter(|p| {
        std::fs::read_to_string(p.path().join("cmdline")).is_ok_and(|c| c.contains(&dir))
    })
    .count()
}

#[track_caller]
fn nothing_is_left(lab: &Lab) {
    let tmp = lab.path("tmp");
    wait_until("no process is left", SOON, || processes_in(&tmp) == 0);
    let files = || std::fs::read_dir(&tmp).expect("a directory").count();
    wait_until("no file is left", SOON, || files() == 0);
}

/// One that stands, and what it has printed. Dropped, it ends.
struct Standing {
    child: Child,
    said: String,
}

impl Standing {
    #[track_caller]
    fn new(lab: &Lab) -> Standing {
        let file = lab.path("said");
        let out = File::create(&file).expect("a file");
        let mut command = dev(lab, &[]);
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let mut standing = Standing {
            child,
            said: String::new(),
        };
        wait_until("it says what to type next", SOON, || {
            standing.said = std::fs::read_to_string(&file).unwrap_or_default();
            standing.said.contains("remove-self\n")
        });
        standing
    }

    /// What it tells the user to type, from the `export` on.
    fn to_type(&self) -> &str {
        let at = self
            .said
            .find("export ARCTIC_CONFIG=")
            .expect("an export line");
        &self.said[at..]
    }

    #[track_caller]
    fn ends_on(&mut self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id is not 0");
        kill_process(pid, signal).expect("a running child takes a signal");
        wait_until("it ends", SOON, || {
            self.child.try_wait().is_ok_and(|s| s.is_some())
        });
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_prints_a_page_and_tears_down() {
    let lab = Lab::new();
    let done = run(&mut dev(&lab, &["--exit"]));
    let lines: Vec<&str> = done.ok().lines().collect();
    assert!((5..=15).contains(&lines.len()), "{done}");
    for word in [
        "ID",
        "LOCAL",
        "alice",
        "bob",
        "carol",
        "export ARCTIC_CONFIG=",
    ] {
        assert!(done.stdout.contains(word), "no {word:?} in {done}");
    }
    assert_eq!(
        lines
            .iter()
            .filter(|l| l.starts_with("peer_") && l.ends_with("alive"))
            .count(),
        3
    );
    nothing_is_left(&lab);
    assert!(
        !lab.path(".config").exists(),
        "it touched the user's contexts"
    );
    let many = run(&mut dev(&lab, &["--agents", "5", "--exit"]));
    assert_eq!(
        many.ok().lines().filter(|l| l.starts_with("peer_")).count(),
        5,
        "{many}"
    );
    run(&mut dev(&lab, &["--agents", "0"])).fails(2, &["agents"]);
    nothing_is_left(&lab);
}

#[test]
fn what_it_says_can_be_typed() {
    let lab = Lab::new();
    let mut standing = Standing::new(&lab);
    let script = format!(
        "set -e\n{}",
        standing
            .to_type()
            .replace("remove-self", "remove-self --yes")
    );
    let done = run(&mut lab.command("sh", &["-c", &script]));
    done.says(&["CONTEXT", "alice", "svc_"]);
    assert_eq!(standing.to_type().lines().count(), 4, "{}", standing.said);
    standing.ends_on(Signal::INT);
    nothing_is_left(&lab);
}

#[test]
fn nothing_survives_its_end() {
    for signal in [Signal::TERM, Signal::HUP, Signal::KILL] {
        let lab = Lab::new();
        let mut standing = Standing::new(&lab);
        assert!(processes_in(&lab.path("tmp")) >= 3);
        standing.ends_on(signal);
        nothing_is_left(&lab);
    }
}

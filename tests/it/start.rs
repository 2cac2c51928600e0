//! How an agent starts, refuses to start, and stops.

use crate::harness::*;
use rusqlite::Connection as Database;
use rustix::process::Signal;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Starts an agent that must refuse: one line that says why, exit 1, at once.
#[track_caller]
pub fn refuses(agent: &Agent, words: &[&str]) {
    let done = run(&mut agent.command());
    let said = &done.stderr;
    assert_eq!(done.code, 1, "{done}\n{said}");
    let errors: Vec<&str> = said
        .lines()
        .filter(|l| l.contains("Error") || l.contains("Hint"))
        .collect();
    let lines = errors.iter().filter(|l| l.contains("Error")).count();
    assert_eq!(lines, 1, "not one line of error:\n{said}");
    for word in words {
        assert!(
            errors.iter().any(|l| l.contains(word)),
            "no {word:?} in\n{said}"
        );
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// Every file below a directory with its bytes, to see that nothing was touched.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("a directory")
        .flatten()
        .filter(|e| e.file_name() != "lock")
        .map(|e| (e.path(), std::fs::read(e.path()).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

#[test]
fn one_data_directory_one_agent() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let before = std::fs::read(alice.data().join("peer.key")).expect("a key");
    refuses(&alice, &[&alice.pid().to_string()]);
    assert_eq!(
        std::fs::read(alice.data().join("peer.key")).expect("a key"),
        before
    );
    assert_eq!(alice.peers().len(), 1, "the first one goes on");
}

#[test]
fn a_port_in_use_is_said() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    refuses(
        &lab.stopped("alice").listening(Some(&address)),
        &[&address, "in use"],
    );
    refuses(
        &lab.stopped("bob").listening(Some("nonsense")),
        &["nonsense"],
    );
    refuses(
        &lab.stopped("carol").listening(Some("192.0.2.1:8080")),
        &["192.0.2.1:8080"],
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_said() {
    let lab = Lab::new();
    let alice = lab.stopped("alice");
    // A file stands where the directory should be: no right helps, not even root's.
    std::fs::write(alice.data(), "in the way").expect("a file");
    refuses(&alice, &[&alice.data().display().to_string()]);
    assert_eq!(
        std::fs::read_to_string(alice.data()).expect("a file"),
        "in the way"
    );
    std::fs::write(lab.path("issuers"), "nonsense\n").expect("a file");
    refuses(&lab.stopped("bob"), &["issuers", "line 1"]);
}

#[test]
fn databases_of_others_and_of_later_versions_are_left_alone() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    alice.terminate();
    let file = alice.data().join("arctic.db");
    let original = contents(&alice.data());
    let spoil = |spoil: &dyn Fn()| {
        for (path, bytes) in &original {
            std::fs::write(path, bytes).expect("a file");
        }
        spoil();
        contents(&alice.data())
    };
    let pragma = |sql: &str| {
        let database = Database::open(&file).expect("a database");
        database.execute_batch(sql).expect("a statement");
        database.close().expect("it closes");
    };
    type Spoiling<'a> = (&'a dyn Fn(), &'a str);
    let cases: [Spoiling; 5] = [
        (&|| pragma("PRAGMA application_id = 7"), "arctic.db"),
        (&|| pragma("PRAGMA user_version = 999"), "newer"),
        (
            &|| {
                std::fs::write(&file, "not a database at all, but a text of some length")
                    .expect("a file")
            },
            "arctic.db",
        ),
        (&|| std::fs::write(&file, "").expect("a file"), "arctic.db"),
        (&|| flip_a_page(&file), "arctic.db"),
    ];
    for (spoiling, word) in cases {
        let before = spoil(spoiling);
        refuses(&alice, &[word]);
        let after = contents(&alice.data());
        let same = |name: &str| {
            let of =
                |all: &[(PathBuf, Vec<u8>)]| all.iter().find(|(p, _)| p.ends_with(name)).cloned();
            of(&before) == of(&after)
        };
        assert!(
            same("arctic.db") && same("peer.key"),
            "{word}: files were touched"
        );
    }
    spoil(&|| ());
    alice.restart();
    assert_eq!(alice.peers().len(), 1);
}

/// Breaks the insides of a table's page; the header stays whole.
fn flip_a_page(file: &Path) {
    let mut bytes = std::fs::read(file).expect("a database");
    let from = 4096.min(bytes.len() / 2);
    for byte in bytes.iter_mut().skip(from).take(4096) {
        *byte ^= 0x5a;
    }
    std::fs::write(file, bytes).expect("a file");
}

#[test]
fn a_key_of_somebody_else_is_noticed() {
    let lab = Lab::new();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| lab.member(name));
    alice.terminate();
    bob.terminate();
    std::fs::copy(bob.data().join("peer.key"), alice.data().join("peer.key")).expect("a file");
    refuses(&alice, &["peer.key"]);
    std::fs::write(alice.data().join("peer.key"), "nonsense").expect("a file");
    refuses(&alice, &["peer.key"]);
    std::fs::remove_file(alice.data().join("peer.key")).expect("a file");
    // An identity is never made anew beside a database that has one.
    refuses(&alice, &["peer.key"]);
    assert!(!alice.data().join("peer.key").exists());
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    let alice = lab.member("alice");
    let mode = |path: PathBuf| {
        std::fs::metadata(path)
            .expect("it exists")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(alice.data()), 0o700);
    for entry in std::fs::read_dir(alice.data())
        .expect("a directory")
        .flatten()
    {
        assert_eq!(mode(entry.path()) & 0o077, 0, "{:?}", entry.path());
    }
    assert_eq!(mode(alice.data().join("peer.key")), 0o600);
    let log = alice.log();
    assert!(!log.contains("sec_") && !log.contains("signature"), "{log}");
}

#[test]
fn a_stop_is_quick_and_clean() {
    let lab = Lab::new();
    let [mut alice, mut bob] = lab.cluster(["alice", "bob"]);
    let (status, took) = alice.terminate();
    // Two seconds by contract; measured generously.
    assert!(
        status.success() && took < Duration::from_secs(4),
        "{status} after {took:?}"
    );
    wait_until("bob notices", SOON, || bob.sees(&alice) != "alive");
    alice.restart();
    bob.waits_to_see(&alice, "alive", SOON);
    bob.signal(Signal::INT);
    let (status, _) = bob.terminate();
    assert!(status.success(), "{status}");
}

#[test]
fn settings_come_from_flags_before_the_environment() {
    let lab = Lab::new();
    let alice = lab.stopped("alice").with_args(&["--log-level", "nonsense"]);
    let done = run(&mut alice.command());
    assert!(done.code == 2 || done.code == 1, "{done}");
    assert!(done.stderr.contains("nonsense"), "{done}");
    let bob = lab.stopped("bob").listening(None);
    let mut command = bob.command();
    command.env("ARCTIC_LISTEN", "no-port-here");
    let done = run(&mut command);
    assert!(
        done.code != 0 && done.stderr.contains("no-port-here"),
        "{done}"
    );
}

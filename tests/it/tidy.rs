//! The source rules of the house, as a table. A rule that nobody checks is a wish.

use crate::source::{Source, sources, text_files};
use std::path::Path;

/// Words that may stand only in some places.
struct Rule {
    words: &'static [&'static str],
    /// Beginnings of paths below `src/`.
    allowed: &'static [&'static str],
    why: &'static str,
}

/// Looked for in the code without its comments, its strings and its tests.
const RULES: &[Rule] = &[
    Rule {
        words: &["rusqlite"],
        allowed: &["store/"],
        why: "SQL is spoken in one place, so that every write is one transaction with its rule inside",
    },
    Rule {
        words: &[
            "thread::spawn",
            "thread::Builder",
            "thread::scope",
            "spawn_scoped",
        ],
        allowed: &["agent/"],
        why: "threads are bounded, named and joined by the agent, which lends them to the server",
    },
    Rule {
        words: &[
            "SystemTime",
            "getrandom",
            "thread_rng",
            "now_utc",
            "now_local",
        ],
        allowed: &["agent/"],
        why: "the clock and entropy are inputs: what reads them itself cannot be simulated",
    },
    Rule {
        words: &["Instant"],
        allowed: &["agent/", "transport/", "cli/"],
        why: "the same; sockets need deadlines, and the command line waits",
    },
    Rule {
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ureq",
            "httparse",
            "tiny_http",
            "ToSocketAddrs",
        ],
        allowed: &["transport/"],
        why: "what faces the network is bounded in one place",
    },
    Rule {
        words: &["UnixStream", "UnixListener", "UnixDatagram"],
        allowed: &["transport/", "agent/"],
        why: "the same; systemd is told by the agent",
    },
    Rule {
        words: &[
            "println!",
            "print!",
            "eprintln!",
            "eprint!",
            "dbg!",
            "stdout()",
            "stderr()",
        ],
        allowed: &["cli/", "main.rs", "agent/logging"],
        why: "the command line owns the streams; everything else logs, in one place",
    },
    Rule {
        words: &["process::exit", "ExitCode"],
        allowed: &["cli/", "main.rs"],
        why: "only the top decides how the program ends",
    },
    Rule {
        words: &["process::abort"],
        allowed: &["agent/run"],
        why: "only an agent that has lost a thread ends without ceremony",
    },
    Rule {
        words: &["unsafe"],
        allowed: &["lib.rs"],
        why: "forbidden; lib.rs names the word in its attribute",
    },
    Rule {
        words: &["todo!", "unimplemented!", "unreachable_unchecked"],
        allowed: &[],
        why: "what is not done does not exist",
    },
];

/// SQL as a string, wherever it hides.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO",
    "DELETE FROM",
    "PRAGMA ",
    "CREATE TABLE",
    "BEGIN IMMEDIATE",
];

/// Each room, its floor, and what it may use beside what lies lower. Transport carries bytes: it may
/// know words and shapes, and no state.
const FLOORS: &[(&str, u8)] = &[
    ("domain", 0),
    ("wire", 1),
    ("core", 1),
    ("store", 2),
    ("node", 3),
    ("transport", 4),
    ("agent", 5),
    ("api", 6),
    ("cli", 7),
];
/// Arrows between rooms that the floors alone do not settle.
const FORBIDDEN: &[(&str, &str)] = &[
    ("wire", "core"),
    ("transport", "core"),
    ("transport", "store"),
    ("transport", "node"),
];

#[test]
fn words_stand_where_they_may() {
    let mut found = Vec::new();
    for source in sources("src") {
        for rule in RULES {
            if rule.allowed.iter().any(|dir| source.path.starts_with(dir)) {
                continue;
            }
            for (line, word) in source.words(rule.words) {
                found.push(format!(
                    "src/{}:{line}: `{word}`: {}",
                    source.path, rule.why
                ));
            }
        }
        if !source.path.starts_with("store/") {
            for (line, word) in source.strings_with(SQL) {
                found.push(format!(
                    "src/{}:{line}: {word:?}: SQL outside src/store",
                    source.path
                ));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn arrows_go_down() {
    let floor = |room: &str| {
        FLOORS
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, n)| *n)
    };
    let mut found = Vec::new();
    for source in sources("src") {
        let Some((room, _)) = source.path.split_once('/') else {
            continue;
        };
        let here =
            floor(room).unwrap_or_else(|| panic!("src/{room} has no floor: add it to the table"));
        for (line, used) in source.rooms_used() {
            let Some(there) = floor(&used) else { continue };
            let up = there > here || FORBIDDEN.contains(&(room, used.as_str()));
            if up && used != room {
                found.push(format!("src/{}:{line}: {room} uses {used}", source.path));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn whatever_cannot_fail_says_why() {
    let mut found = Vec::new();
    for source in sources("src") {
        for (line, word) in source.words(&[".unwrap()", ".expect(", ".unwrap_err(", ".expect_err("])
        {
            if !source.has_comment_at(line) {
                found.push(format!(
                    "src/{}:{line}: `{word}` without a sentence",
                    source.path
                ));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn unsafe_code_is_forbidden() {
    let lib = include_str!("../../src/lib.rs");
    assert!(lib.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn files_stay_short() {
    let all: Vec<Source> = ["src", "tests"]
        .iter()
        .flat_map(|dir| sources(dir))
        .collect();
    let long: Vec<&Source> = all.iter().filter(|s| s.lines() > 400).collect();
    for source in &long {
        println!("over 400 lines: {} {}", source.path, source.lines());
    }
    let longest = all
        .iter()
        .max_by_key(|s| s.lines())
        .expect("there is source");
    assert!(
        longest.lines() <= 500,
        "{} has {} lines",
        longest.path,
        longest.lines()
    );
}

#[test]
fn every_room_says_what_it_is() {
    for (room, _) in FLOORS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(room)
            .join("mod.rs");
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        assert!(
            text.starts_with("//! "),
            "{room}/mod.rs does not open with what it knows"
        );
    }
}

#[test]
fn no_path_of_this_machine_is_in_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = std::env::var("HOME").unwrap_or_default();
    let parent = root
        .parent()
        .map(|p| p.display().to_string())
        .unwrap_or_default();
    let common = [
        "", "/", "/tmp", "/var", "/var/tmp", "/usr", "/etc", "/opt", "/home", "/srv", "/run",
    ];
    let own: Vec<String> = [home, parent, root.display().to_string()]
        .into_iter()
        .filter(|path| !common.contains(&path.as_str()))
        .map(|path| format!("{path}/"))
        .collect();
    for (path, text) in text_files(root) {
        for prefix in &own {
            assert!(
                !text.contains(prefix),
                "{} mentions {prefix}",
                path.display()
            );
        }
    }
}

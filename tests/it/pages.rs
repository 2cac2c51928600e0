//! The man pages and README are held to the programs: every path, variable and file that they name. Commands and
//! flags are held by a test of the command line itself.

use crate::harness::*;
use crate::source::text_files;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGES: [&str; 3] = [
    include_str!("../../man/arctic.1"),
    include_str!("../../man/arctic-agent.8"),
    include_str!("../../README.md"),
];

/// Between the program and its tests, or its own child processes, or its build: no operator sets them here.
const INTERNAL: &[&str] = &[
    "ARCTIC_AGENT_AGAIN",
    "ARCTIC_BUILTIN_ISSUERS",
    "ARCTIC_DEV_DIR",
    "ARCTIC_PORT_FILE",
];

/// What follows each of these marks, to the end of the word.
fn named(marks: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (page, mark) in PAGES.iter().flat_map(|p| marks.iter().map(move |m| (p, m))) {
        for (at, _) in page.match_indices(mark) {
            let rest = &page[at + mark.len()..];
            let word = rest.split([' ', '\n', '`', ')', '"']).next().unwrap_or("");
            found.insert(word.to_string());
        }
    }
    found
}

/// The paths of the API: what stands alone, and what URLs have behind the port.
fn paths() -> BTreeSet<String> {
    let urls = named(&["http://"]).into_iter();
    let of_urls = urls.filter_map(|url| Some(format!("/{}", url.split_once('/')?.1)));
    let alone = named(&[".Li /", "`/"]);
    of_urls
        .chain(alone.into_iter().map(|path| format!("/{path}")))
        .collect()
}

#[test]
fn every_path_that_a_page_names_answers() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let paths = paths();
    assert!(
        paths.contains("/livez") && paths.contains("/v1/peers"),
        "{paths:?}"
    );
    for path in paths {
        let answer = alice.call("GET", &path, None);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[test]
fn every_variable_that_a_page_names_is_read_and_the_other_way_round() {
    let told: BTreeSet<String> = variables(&PAGES.concat());
    let sources = text_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let read: BTreeSet<String> = sources
        .iter()
        .flat_map(|(_, text)| variables(text))
        .filter(|name| !INTERNAL.contains(&name.as_str()))
        .collect();
    assert!(told.len() > 8, "{told:?}");
    assert_eq!(told, read);
}

fn variables(text: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_uppercase() || c == '_';
    text.match_indices("ARCTIC_")
        .map(|(at, _)| text[at..].chars().take_while(|c| part(*c)).collect())
        .filter(|name| name != "ARCTIC_")
        .collect()
}

/// The files that pages name, to be crossed out.
struct Files(BTreeSet<String>);

impl Files {
    fn named() -> Files {
        Files(named(&[".Pa ", " Pa "]))
    }

    #[track_caller]
    fn is_there(&mut self, name: &str, at: impl AsRef<Path>) {
        let at = at.as_ref();
        assert!(at.exists(), "{name}: {} does not exist", at.display());
        assert!(self.0.remove(name), "no page names {name}");
    }
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let lab = Lab::new();
    let mut files = Files::named();
    let Some(mut alice) = with_defaults(&lab) else {
        return;
    };
    alice.bootstrap(&lab.path("license.json"));
    // As that agent sees them.
    let root = PathBuf::from(format!("/proc/{}/root", alice.pid()));
    let data = root.join("var/lib/arctic");
    files.is_there("/var/lib/arctic", &data);
    for name in [
        "/var/lib/arctic/peer.key",
        "/var/lib/arctic/arctic.db",
        "/etc/arctic/issuers",
    ] {
        files.is_there(name, root.join(&name[1..]));
    }
    for name in ["peer.key", "arctic.db-wal"] {
        files.is_there(name, data.join(name));
    }

    // The contexts, where no variable of ours says where.
    let (home, xdg) = (lab.path("home"), lab.path("xdg"));
    for (variable, place, file) in [
        ("HOME", &home, ".config/arctic/config.json"),
        ("XDG_CONFIG_HOME", &xdg, "arctic/config.json"),
    ] {
        std::fs::write(lab.path("secret"), &alice.credentials.client_secret).expect("a file");
        let (url, id) = (alice.url(), alice.credentials.client_id.clone());
        let save = ["config", "add-peer", "--url", &url, "--client-id", &id];
        let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), &save);
        command.args(["--client-secret-file", "secret"]);
        run(command.env_remove("ARCTIC_CONFIG").env(variable, place)).ok();
        let name = match variable {
            "HOME" => format!("~/{file}"),
            _ => format!("$XDG_CONFIG_HOME/{file}"),
        };
        files.is_there(&name, place.join(file));
    }
    files.is_there("config.json.lock", xdg.join("arctic/config.json.lock"));

    let unit = include_str!("../../packaging/arctic.service");
    assert!(unit.contains("EnvironmentFile=-/etc/default/arctic"));
    files.0.remove("/etc/default/arctic");
    assert!(
        files.0.is_empty(),
        "nothing shows that these exist: {:?}",
        files.0
    );
}

/// An agent without a setting but its port, whose `/var/lib` and `/etc` are its own. `None` where this
/// is not possible: it takes root.
fn with_defaults(lab: &Lab) -> Option<Agent> {
    if !have("unshare") {
        return None;
    }
    let tried = run(Command::new("unshare").args(["--mount", "true"]));
    if tried.code != 0 {
        skip(&format!(
            "no mount namespaces here: {}",
            tried.stderr.trim()
        ));
        return None;
    }
    let script = format!(
        "mount -t tmpfs none /var/lib && mount -t tmpfs none /etc && mkdir /etc/arctic && cp {} /etc/arctic/issuers &&
         exec \"$1\" agent run --listen 127.0.0.1:0",
        lab.path("issuers").display()
    );
    let enter = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    Some(lab.stopped("alice").wrapped(&enter).start())
}

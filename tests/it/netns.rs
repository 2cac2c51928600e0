//! Two hosts: network namespaces joined by a veth pair, agents with their default settings.

use crate::harness::*;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Each pair of hosts of this run has a number.
static PAIRS: AtomicU32 = AtomicU32::new(0);

const ADDRESSES: [&str; 2] = ["10.213.77.1", "10.213.77.2"];

/// Two namespaces; removed when dropped, with everything in them.
struct Hosts {
    names: [String; 2],
}

impl Hosts {
    /// `None` where this is not possible: it takes root and iproute2.
    fn new() -> Option<Hosts> {
        if !have("ip") {
            return None;
        }
        remove_leftovers();
        let (pid, pair) = (std::process::id(), PAIRS.fetch_add(1, Ordering::Relaxed));
        let hosts = Hosts {
            names: ["a", "b"].map(|side| format!("arctic-it-{pid}-{pair}{side}")),
        };
        for name in &hosts.names {
            let made = run(Command::new("ip").args(["netns", "add", name]));
            if made.code != 0 {
                skip(&format!(
                    "no network namespaces here: {}",
                    made.stderr.trim()
                ));
                return None;
            }
        }
        hosts.join();
        Some(hosts)
    }

    fn join(&self) {
        let [a, b] = &self.names;
        let link = [
            "link", "add", "up0", "netns", a, "type", "veth", "peer", "name", "up0", "netns", b,
        ];
        run(Command::new("ip").args(link)).ok();
        for (name, address) in self.names.iter().zip(ADDRESSES) {
            for set in [
                &["addr", "add", &format!("{address}/24"), "dev", "up0"][..],
                &["link", "set", "lo", "up"],
                &["link", "set", "up0", "up"],
            ] {
                run(Command::new("ip").args(["-n", name]).args(set)).ok();
            }
        }
    }

    /// `arctic ARGS` on one of the hosts.
    #[track_caller]
    fn arctic(&self, side: usize, lab: &Lab, args: &[&str]) -> Done {
        let enter = [
            "netns",
            "exec",
            &self.names[side],
            env!("CARGO_BIN_EXE_arctic"),
        ];
        run(&mut lab.command("ip", &[&enter[..], args].concat()))
    }

    fn agent(&self, side: usize, lab: &Lab, name: &str, args: &[&str]) -> Agent {
        let enter = ["ip", "netns", "exec", &self.names[side]];
        lab.stopped(name)
            .wrapped(&enter)
            .listening(None)
            .with_args(args)
            .start()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// Namespaces of test runs that were killed before they could clean up.
fn remove_leftovers() {
    let listed = run(Command::new("ip").args(["netns", "list"]));
    for name in listed
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let Some(pid) = name
            .strip_prefix("arctic-it-")
            .and_then(|n| n.split('-').next())
        else {
            continue;
        };
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// Bootstraps both, adds the second from the first, and holds what each calls the other.
fn joined_across_hosts(advertise: bool, loopback_first: bool) {
    let Some(hosts) = Hosts::new() else { return };
    let lab = Lab::new();
    let names = ["alice", "bob"];
    let own = ADDRESSES.map(|ip| format!("{ip}:8080"));
    let _agents = [0, 1].map(|side| {
        let args = ["--advertise", own[side].as_str()];
        hosts.agent(side, &lab, names[side], if advertise { &args } else { &[] })
    });
    for side in [0, 1] {
        // An operator on the machine itself, or one elsewhere.
        let url = if loopback_first {
            "http://127.0.0.1:8080".into()
        } else {
            format!("http://{}", own[side])
        };
        let name = names[side];
        let context = format!("{name}.json");
        let bootstrap = [
            "bootstrap",
            "--url",
            &url,
            "--license-file",
            "license.json",
            "--name",
            name,
        ];
        hosts
            .arctic(
                side,
                &lab,
                &[&bootstrap[..], &["--config", &context]].concat(),
            )
            .ok();
    }
    hosts
        .arctic(
            0,
            &lab,
            &["peers", "add", &own[1], "--config", "alice.json"],
        )
        .ok();
    for side in [0, 1] {
        let context = format!("{}.json", names[side]);
        let list = || {
            hosts
                .arctic(side, &lab, &["peers", "list", "-j", "--config", &context])
                .json()
        };
        let what = format!("{} lists both at their own addresses, alive", names[side]);
        wait_until(&what, LATER, || {
            let peers = list();
            let of = |name: &str| {
                peers
                    .as_array()
                    .and_then(|all| all.iter().find(|p| p["name"] == name).cloned())
            };
            names.iter().zip(&own).all(|(name, address)| {
                of(name).is_some_and(|p| p["address"] == address.as_str() && p["status"] == "alive")
            })
        });
    }
}

#[test]
fn addresses_settle_without_being_told() {
    joined_across_hosts(false, false);
}

#[test]
fn addresses_settle_when_bootstrapped_over_loopback() {
    joined_across_hosts(false, true);
}

#[test]
fn advertised_addresses_are_taken() {
    joined_across_hosts(true, false);
}

#[test]
fn an_agent_that_moved_is_added_again_at_its_new_address() {
    let Some(hosts) = Hosts::new() else { return };
    let lab = Lab::new();
    let names = ["alice", "bob"];
    let _agents = [0, 1].map(|side| hosts.agent(side, &lab, names[side], &[]));
    for (side, name) in names.iter().enumerate() {
        let url = format!("http://{}:8080", ADDRESSES[side]);
        let config = format!("{name}.json");
        let given = ["--url", &url, "--config", &config, "--name", name];
        let bootstrap = ["bootstrap", "--license-file", "license.json"];
        hosts
            .arctic(side, &lab, &[&bootstrap[..], &given].concat())
            .ok();
    }
    let add = |host: &str| {
        let to = format!("{host}:8080");
        hosts.arctic(0, &lab, &["peers", "add", &to, "--config", "alice.json"])
    };
    add(ADDRESSES[1]).ok();
    let moved = "10.213.77.12";
    let also = ["addr", "add", &format!("{moved}/24"), "dev", "up0"];
    run(Command::new("ip").args(["-n", &hosts.names[1]]).args(also)).ok();
    add(moved).ok();
    let list = ["peers", "list", "--remote", "-j", "--config", "alice.json"];
    let peers = hosts.arctic(0, &lab, &list).json();
    assert_eq!(peers[0]["address"], format!("{moved}:8080"), "{peers}");
    // It is there now, and nobody else's word counts.
    add(moved).fails(1, &["already exists"]);
}

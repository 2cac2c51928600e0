//! Which addresses an agent dials.

use crate::harness::{LATER, Lab, Puppet, Target, skip, wait_until};
use arctic::domain::Address;
use arctic::wire::peer::Body;
use std::net::IpAddr;

#[test]
fn an_agent_that_others_reach_over_a_network_dials_no_loopback_that_it_was_told() {
    let lab = Lab::new();
    let args = ["--advertise", "192.0.2.1:8080"];
    let mut alice = lab.stopped("alice").with_args(&args).start();
    alice.bootstrap(&lab.path("license.json"));
    let (sybil, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (status, answer) = sybil.tell(&Target::of(&alice), Body::Beat { items: Vec::new() });
    assert!(status == 200 && answer.is_some(), "{status}");
    let id = sybil.id.to_string();
    wait_until("alice gives it up", LATER, || {
        alice
            .peer(&id)
            .is_some_and(|p| p["status"] == "unreachable")
    });
    assert!(stage.heard().is_empty());
    // Nor is whoever wants to join called back there.
    let (_, answer) = sybil.join(&Target::of(&alice).address);
    let answer = format!("{answer:?}");
    assert!(answer.contains("means another host"), "{answer}");
    assert!(stage.heard().is_empty());
}

/// A name of this machine's own that does not look like one.
fn name_of_this_host() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names = hosts.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let (ip, names) = line.trim().split_once(char::is_whitespace)?;
        let ip: IpAddr = ip.parse().ok()?;
        let mut names = names
            .split_whitespace()
            .filter(|n| !n.ends_with("localhost"));
        ip.is_loopback().then(|| names.next().map(str::to_string))?
    });
    names.next_back()
}

#[test]
fn nor_a_name_that_leads_there() {
    let Some(name) = name_of_this_host() else {
        skip("no name of this host but localhost");
        return;
    };
    let lab = Lab::new();
    let args = ["--advertise", "192.0.2.1:8080"];
    let mut alice = lab.stopped("alice").with_args(&args).start();
    alice.bootstrap(&lab.path("license.json"));
    let (mut rogue, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let address = stage.address().replace("127.0.0.1", &name);
    rogue.address = Address::parse(&address).expect("a name and a port");
    let target = Target::of(&alice);
    let (_, answer) = rogue.join(&target.address);
    let answer = format!("{answer:?}");
    assert!(answer.contains("leads to this host"), "{name}: {answer}");
    // Both come as members; when the second is given up the first was dialled long ago.
    let second = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    for sybil in [&rogue, &second] {
        let (status, _) = sybil.tell(&target, Body::Beat { items: Vec::new() });
        assert_eq!(status, 200);
    }
    wait_until("the second is given up", LATER, || {
        let peer = alice.peer(&second.id.to_string());
        peer.is_some_and(|p| p["status"] == "unreachable")
    });
    assert!(stage.heard().is_empty(), "{:?}", stage.heard());
}

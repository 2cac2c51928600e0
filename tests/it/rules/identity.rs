//! What an agent says of itself, and how it finds out that somebody else says it too.

use crate::harness::{Lab, Puppet, Target};
use arctic::domain::Version;
use serde_json::json;

#[test]
fn a_record_says_which_version_its_agent_runs() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let own = env!("CARGO_PKG_VERSION");
    let (mut puppet, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    puppet.version = Version::parse("9.8.7+later").expect("a version");
    puppet.join(&Target::of(&alice).address);
    let version = |id: &str| alice.get(&format!("/v1/peers/{id}"))["version"].clone();
    assert_eq!(version(&alice.peer_id), json!(own));
    assert_eq!(version(&puppet.id.to_string()), json!("9.8.7+later"));
    lab.save(&alice);
    for (id, version) in [
        (alice.peer_id.clone(), own),
        (puppet.id.to_string(), "9.8.7+later"),
    ] {
        let shown = lab.ok(&["peers", "get", &id]);
        let line = format!("\nVersion: {version}\n");
        assert!(shown.contains(&line), "{shown}");
    }
    alice.call("DELETE", "/v1/peers/self", None).is(200);
    assert_eq!(version(&alice.peer_id), json!(own), "also once it has left");
}

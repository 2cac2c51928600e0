//! Two running agents with one key: the disk of a member was copied.

use crate::harness::{Agent, Lab, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const A_MINUTE_AND_MORE: Duration = Duration::from_secs(100);

/// A second agent on a copy of this one's files, which is stopped meanwhile.
fn copied(lab: &Lab, original: &mut Agent) -> Agent {
    original.terminate();
    let copy = lab.stopped("copy");
    std::fs::create_dir(copy.data()).unwrap();
    for file in std::fs::read_dir(original.data()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.data().join(file.file_name())).unwrap();
    }
    original.restart();
    let mut copy = copy.start();
    copy.peer_id.clone_from(&original.peer_id);
    copy.credentials.clone_from(&original.credentials);
    copy
}

fn double(agent: &Agent) -> Value {
    agent.get("/v1/cluster/status")["duplicate"].clone()
}

#[test]
fn doubles_say_where_the_other_is_and_do_not_remove_themselves() {
    let lab = Lab::new();
    let [mut alice, bob] = lab.cluster(["alice", "bob"]);
    let copy = copied(&lab, &mut alice);
    for (here, there) in [(&alice, &copy), (&copy, &alice)] {
        wait_until("a double is noticed", SOON, || {
            double(here) == json!(there.address)
        });
        let refused = here.call("DELETE", "/v1/peers/self", None);
        refused.refused(409, "DUPLICATE_IDENTITY", &[&there.address]);
        assert_eq!(here.get("/readyz")["reason"], "duplicate_identity");
        let log = here.log();
        let said = log.lines().find(|l| l.contains("uses this agent's key"));
        assert!(said.is_some_and(|l| l.contains(&there.address)), "{log}");
    }
    lab.save(&alice);
    lab.arctic(&["peers", "remove-self", "--yes"])
        .fails(1, &[&copy.address, "--force"]);
    let status = lab.ok(&["cluster", "status"]);
    assert!(status.contains(&copy.address), "{status}");
    let add = json!({"address": copy.address});
    alice
        .call("POST", "/v1/peers", Some(add))
        .refused(409, "DUPLICATE_IDENTITY", &[&copy.address]);
    // By force it ends, and with it everything under that key.
    lab.ok(&["peers", "remove-self", "--force", "--yes"]);
    assert_eq!(bob.sees(&alice), "");
}

#[test]
fn the_copy_is_reset_by_force_and_the_original_is_well() {
    let lab = Lab::new();
    let [mut alice, bob] = lab.cluster(["alice", "bob"]);
    let mut copy = copied(&lab, &mut alice);
    wait_until("a double is noticed", SOON, || double(&copy) != Value::Null);
    copy.terminate();
    let data = copy.data();
    let data = data.to_str().unwrap();
    lab.arctic(&["agent", "reset", "--data-dir", data, "--yes"])
        .fails(1, &["--force here, do not remove-self"]);
    lab.ok(&["agent", "reset", "--data-dir", data, "--yes", "--force"]);
    // Where the copy's record was the last, the original says where it is once the copy has not
    // answered for a minute.
    for (here, there) in [(&alice, &bob), (&bob, &alice)] {
        here.waits_to_see(there, "alive", A_MINUTE_AND_MORE);
    }
}

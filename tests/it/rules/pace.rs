//! How fast one member may change what everybody stores.

use crate::harness::*;
use arctic::domain::Signed;
use arctic::wire::peer::Body;
use std::time::Instant;

const RAISES: u64 = 1000;

/// 1,471 records in 5 seconds were 12 MB on the disk of whoever got them, and 2 MB on everybody else's.
#[test]
fn a_member_that_raises_its_record_all_the_time_is_stored_once_a_second() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let carol = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let to = Target::of(&alice);
    let stored = |at: &Agent| {
        let status = at.get("/v1/cluster/status");
        status["gossip"]["records_merged"]
            .as_u64()
            .expect("a count")
    };
    let shown = |at: &Agent| Some(at.peer(&carol.id.to_string())?["incarnation"].clone());
    carol.tell(&to, Body::Beat { items: Vec::new() });
    wait_until("carol is a member", SOON, || {
        shown(&alice).is_some() && shown(&bob).is_some()
    });
    let (began, before) = (Instant::now(), [stored(&alice), stored(&bob)]);
    let raised = |incarnation| {
        let mut carol = carol.clone();
        carol.incarnation = incarnation;
        carol.record()
    };
    let raises: Vec<Signed> = (2..RAISES + 2).map(raised).collect();
    for some in raises.chunks(50) {
        let items = some.to_vec();
        let (status, answer) = carol.tell(&to, Body::Beat { items });
        assert!(answer.is_some(), "what waits is acknowledged: {status}");
    }
    wait_until("the newest is there", SOON, || {
        [&alice, &bob]
            .map(shown)
            .iter()
            .flatten()
            .all(|n| *n == RAISES + 1)
    });
    let most = 8 + began.elapsed().as_secs() + 3;
    for (at, before) in [&alice, &bob].into_iter().zip(before) {
        let changes = stored(at) - before;
        assert!(changes <= most, "{} stored {changes}", at.name);
    }
}

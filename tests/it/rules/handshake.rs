//! The handshake: who becomes a member, and who does not.

use crate::harness::{Lab, Puppet, Target};
use arctic::wire::peer::{Body, HandshakeAnswer};

#[test]
fn an_honest_puppet_gets_in_either_way() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (initiator, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (status, answer) = initiator.join(&target.address);
    assert!(
        matches!((status, &answer), (200, Some(HandshakeAnswer::Welcome(_)))),
        "{status} {answer:?}"
    );
    assert_eq!(stage.calls_back(), 1);
    let (status, answer) = initiator.tell(&target, Body::Beat { items: Vec::new() });
    assert!(status == 200 && answer.is_some(), "{status} {answer:?}");
    let own_end = Body::Beat {
        items: vec![initiator.deactivation()],
    };
    let (_, answer) = initiator.tell(&target, own_end);
    assert_eq!(answer.map(|a| a.ended), Some(vec![initiator.id]));
    let (responder, stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let added = alice.call(
        "POST",
        "/v1/peers",
        Some(serde_json::json!({"address": stage.address()})),
    );
    added.is(201);
    assert!(alice.peer(&responder.id.to_string()).is_some());
}

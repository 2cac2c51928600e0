//! Who ends a membership: its own key.

use crate::harness::*;
use arctic::domain::{Signed, SignedKind};
use arctic::wire::peer::Body;
use serde_json::json;

/// One POST of a key that never joined ended a whole cluster: members could revoke each other.
#[test]
fn whoever_has_the_license_file_ends_nobody() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let erin = Puppet::at("127.0.0.1:9").licensed(&lab.path("license.json"));
    let (to, other) = (Target::of(&alice), Target::of(&bob));
    let ends = |whom: &Target| {
        let body = json!({
            "v": 1,
            "kind": "revocation",
            "license_id": erin.license_id,
            "signer": erin.id,
            "signer_key": erin.public(),
            "subject": whom.id,
            "subject_key": whom.key,
            "incarnation": 1,
        });
        Signed::seal(SignedKind::Announcement, &body, &erin.key, &erin.issues)
    };
    // The first message only lets it in; the second is a member's.
    for _ in 0..2 {
        let items = vec![ends(&other), ends(&to)];
        let (_, answer) = erin.tell(&to, Body::Beat { items });
        assert!(answer.expect("an answer").ended.is_empty());
    }
    assert!(alice.peer(&erin.id.to_string()).is_some());
    all_know_all(&[&alice, &bob]);
    assert_eq!(alice.sees(&alice), "alive");
    // Its own end it may say.
    let items = vec![erin.deactivation()];
    let (_, answer) = erin.tell(&to, Body::Beat { items });
    assert_eq!(answer.expect("an answer").ended, [erin.id]);
    assert!(alice.peer(&erin.id.to_string()).is_none());
}

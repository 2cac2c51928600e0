//! What a quiet cluster sends, and how much a message may hold.

use super::*;

#[test]
fn a_quiet_cluster_only_beats() {
    let mut world = World::cluster(3);
    world.pass(20_000);
    let gossip = |w: &World| {
        let each = w
            .members
            .iter()
            .map(|m| m.node.status(w.now).unwrap().gossip);
        each.map(|g| g.exchanges + g.records_merged).sum::<u64>()
    };
    let (before, calls) = (gossip(&world), world.calls);
    world.pass(20_000);
    assert_eq!(gossip(&world), before);
    assert!(world.calls - calls <= 3 * 22);
}

#[test]
fn the_fullest_messages_are_not_too_long() {
    use crate::domain::signed::{Bytes, MAX_RECORD};
    use crate::domain::{Signature, Signed, SignedKind};
    let key = SecretKey::from_seed(&[1; 32]);
    let issue = crate::domain::IssueKey::of(&license(0, 1));
    let tag = issue.tag(crate::domain::keys::Context::PeerRecord, b"");
    let one = |bytes: usize| Signed {
        kind: SignedKind::Announcement,
        key: key.public(),
        payload: Bytes(vec![0; bytes]),
        signature: Signature([0; 64]),
        tags: vec![tag.clone(); crate::domain::signed::MAX_TAGS],
    };
    let message = |body: peer::Body| {
        let frame = peer::Frame {
            key: key.public(),
            macs: vec![tag.clone(); peer::MAX_MACS],
            payload: Bytes(peer::to_bytes(&body)),
            signature: Signature([0; 64]),
            record: Some(one(MAX_RECORD)),
        };
        // A kilobyte for what stands around the body.
        peer::to_bytes(&frame).len() + 1024
    };
    for bytes in [300, 700, MAX_RECORD] {
        let items = |room: usize| vec![one(bytes); room / (bytes + 512)];
        let want = crate::node::outcome::MAX_WANT * crate::core::register::KEY_BYTES;
        let delta = peer::Body::Delta {
            items: items(peer::MAX_ITEMS_BYTES),
            want: Bytes(vec![0; want]),
            more: true,
        };
        let first = peer::Body::Beat {
            items: items(peer::FIRST_ITEMS_BYTES),
        };
        for (body, most) in [
            (delta, peer::MAX_MESSAGE),
            (first, peer::MAX_STRANGERS_MESSAGE),
        ] {
            let length = message(body);
            assert!(length <= most, "{length} with items of {bytes}");
        }
    }
}

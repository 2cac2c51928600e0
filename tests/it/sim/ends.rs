//! Who ends whom: a membership is ended by its own key, whoever else holds the license and whoever
//! carries the word.

use super::plan::{Step, member_of};
use super::rogue::{numbered, said};
use super::services::pair;
use super::story::{both_ways, cluster, until};
use super::world::{Path, World};
use arctic::domain::announcement::AnnouncementFields;
use arctic::domain::{
    Announcement, IssueKey, LicenseId, PeerId, PeerRecord, SecretKey, Signed, SignedKind,
};
use arctic::wire::peer::{self, Frame};
use serde_json::json;

/// Somebody who was never in the cluster and has the license file.
pub struct Outsider {
    pub key: SecretKey,
    pub id: PeerId,
    pub record: Signed,
}

pub fn outsider(world: &mut World) -> Outsider {
    let key = SecretKey::from_seed(&[99; 32]);
    let id = PeerId::derive(&key.public(), 1);
    let record = record_of(world, &key, 1);
    Outsider { key, id, record }
}

/// What this key says of itself.
pub fn record_of(world: &mut World, key: &SecretKey, incarnation: u64) -> Signed {
    let fields = arctic::domain::peer::PeerFields {
        v: 1,
        id: PeerId::derive(&key.public(), 1),
        key: key.public(),
        address: None,
        name: arctic::domain::Name::none(),
        incarnation,
        start: 1,
        version: arctic::domain::Version::own(),
    };
    let record = PeerRecord::seal(fields, key, &[issue(world)]);
    world.oracle.licensed(&record);
    record.signed
}

pub fn issue(world: &World) -> IssueKey {
    IssueKey::of(&world.hosts[0].license)
}

pub fn license_id(world: &World) -> LicenseId {
    world.hosts[0].license.terms.license_id
}

/// The word of one key that another is out, as members could once sign it and with everything that
/// the word of a subject needs today.
fn revocation(world: &World, by: (&SecretKey, PeerId), of: usize) -> Signed {
    let subject = &world.hosts[of];
    let body = json!({
        "v": 1,
        "kind": "revocation",
        "license_id": subject.license.terms.license_id.to_string(),
        "signer": by.1,
        "signer_key": by.0.public(),
        "subject": subject.id,
        "subject_key": subject.key.public(),
        "incarnation": 1,
    });
    Signed::seal(SignedKind::Announcement, &body, by.0, &[issue(world)])
}

fn deactivation(world: &World, of: (&SecretKey, PeerId), license_id: LicenseId) -> Signed {
    end_at(world, of, license_id, 1)
}

/// The same, for what it says of the incarnation.
pub fn end_at(
    world: &World,
    of: (&SecretKey, PeerId),
    license_id: LicenseId,
    incarnation: u64,
) -> Signed {
    let fields = AnnouncementFields {
        v: 1,
        subject: of.1,
        subject_key: of.0.public(),
        license_id,
        incarnation,
    };
    Announcement::seal(fields, of.0, &[issue(world)]).signed
}

/// Brings a message of this key to a host, from a place that nothing is cut off from.
fn bring(
    world: &mut World,
    key: &SecretKey,
    to: usize,
    items: Vec<Signed>,
    record: Option<Signed>,
) {
    let frame = Frame {
        record,
        ..said(world, key, to, items)
    };
    let (place, body) = (world.hosts.len() - 1, peer::to_bytes(&frame));
    world.send(place, to, Path::Message, body.into(), None);
    let soon = world.now_ms + 2000;
    until(world, soon);
}

fn all_are_members(world: &World, hosts: usize) {
    for (a, b) in (0..hosts).flat_map(|a| (0..hosts).map(move |b| (a, b))) {
        assert!(member_of(world, a, b), "host {a} has lost host {b}");
    }
}

/// One POST of a key that never joined ended a whole cluster.
#[test]
fn whoever_holds_the_license_ends_nobody() {
    let mut world = cluster(21, 3, 1);
    let outsider = outsider(&mut world);
    // The license lets it in; whatever it says in the same message and later ends nobody.
    for host in 0..3 {
        let word = revocation(&world, (&outsider.key, outsider.id), (host + 1) % 3);
        let record = Some(outsider.record.clone());
        bring(&mut world, &outsider.key, host, vec![word], record);
        let node = world.hosts[host].node.as_ref().unwrap();
        assert!(
            node.register()
                .unwrap()
                .member(outsider.id.hash())
                .is_some()
        );
    }
    for (victim, subject) in (0..3).flat_map(|v| (0..3).map(move |s| (v, s))) {
        let word = revocation(&world, (&outsider.key, outsider.id), subject);
        let record = Some(outsider.record.clone());
        bring(&mut world, &outsider.key, victim, vec![word], record);
    }
    all_are_members(&world, 3);
}

/// Nor does a member.
#[test]
fn a_member_ends_no_other_member() {
    let mut world = cluster(22, 3, 1);
    let (key, id) = (world.hosts[1].key.clone(), world.hosts[1].id);
    for subject in [0, 2] {
        let word = revocation(&world, (&key, id), subject);
        bring(&mut world, &key, 0, vec![word], None);
    }
    all_are_members(&world, 3);
}

/// What ended a host, as another holds it.
fn end_of(world: &World, host: usize, at: usize) -> Signed {
    let register = world.hosts[at].node.as_ref().unwrap().register().unwrap();
    let end = register.ended(world.hosts[host].hash());
    end.expect("it has left").signed.clone()
}

/// Host 2 has left, which host 0 has not heard and the others have.
fn unheard_end(seed: u64) -> (World, Signed) {
    let mut world = cluster(seed, 4, 1);
    world.at(15_100, Step::Cut(both_ways(0, &[1, 2, 3])));
    world.at(15_200, Step::Depart(2));
    until(&mut world, 18_000);
    let end = end_of(&world, 2, 1);
    assert!(member_of(&world, 0, 2));
    (world, end)
}

#[test]
fn a_peer_that_is_deleted_here_brings_its_own_end_and_no_other() {
    let (mut world, end) = unheard_end(23);
    let [one, three] = [1, 3].map(|h: usize| world.hosts[h].key.clone());
    let id = world.hosts[1].id;
    let hidden = world.command(0, "hide", |node, now| node.delete_peer(id, now));
    assert!(hidden.unwrap().is_some());
    world.oracle.hid(0, id);
    bring(&mut world, &one, 0, vec![end.clone()], None);
    assert!(member_of(&world, 0, 2));
    bring(&mut world, &three, 0, vec![end], None);
    assert!(!member_of(&world, 0, 2), "any other member's word is heard");
    let now_ms = world.now_ms;
    world.at(now_ms, Step::Depart(1));
    until(&mut world, now_ms + 1000);
    let own = end_of(&world, 1, 1);
    bring(&mut world, &one, 0, vec![own], None);
    assert!(!member_of(&world, 0, 1));
}

/// Known to nobody here, and leaving.
#[test]
fn an_unknown_leaver_brings_its_own_end_and_no_other() {
    let (mut world, end) = unheard_end(24);
    let outsider = outsider(&mut world);
    let own = deactivation(&world, (&outsider.key, outsider.id), license_id(&world));
    world.oracle.departs(outsider.id.hash());
    let items = vec![end, own.clone()];
    bring(&mut world, &outsider.key, 0, items, Some(own));
    assert!(member_of(&world, 0, 2));
    let register = world.hosts[0].node.as_ref().unwrap().register().unwrap();
    assert!(register.ended(outsider.id.hash()).is_some());
}

#[test]
fn an_agent_that_has_left_still_takes_the_ends_of_others() {
    let (mut world, end) = unheard_end(25);
    let three = world.hosts[3].key.clone();
    world.at(18_000, Step::Depart(0));
    until(&mut world, 18_500);
    bring(&mut world, &three, 0, vec![end], None);
    let register = world.hosts[0].node.as_ref().unwrap().register().unwrap();
    assert!(register.ended(world.hosts[2].hash()).is_some());
}

/// A key that left another cluster has not left this one.
#[test]
fn an_end_counts_under_its_own_license_only() {
    let mut world = cluster(26, 3, 1);
    let (key, id) = (world.hosts[1].key.clone(), world.hosts[1].id);
    let other = LicenseId::from_parts(1, [2; 10]);
    let abroad = deactivation(&world, (&key, id), other);
    bring(&mut world, &key, 0, vec![abroad], None);
    all_are_members(&world, 3);
    world.oracle.departs(id.hash());
    let here = deactivation(&world, (&key, id), license_id(&world));
    bring(&mut world, &key, 0, vec![here], None);
    assert!(!member_of(&world, 0, 1) && !member_of(&world, 2, 1));
}

/// Whoever has the license makes identities and ends them again, and each leaves a tombstone for
/// ever: there is an end to it, and the members stay what they are.
#[test]
fn identities_that_come_and_go_fill_no_disk() {
    let mut world = pair(27);
    let by = outsider(&mut world);
    let record = by.record.clone();
    bring(&mut world, &by.key, 1, Vec::new(), Some(record));
    for batch in 0..430u64 {
        let mut items = Vec::new();
        for n in 0..10 {
            let mut seed = [98; 32];
            seed[..8].copy_from_slice(&(batch * 10 + n).to_be_bytes());
            let key = SecretKey::from_seed(&seed);
            let id = PeerId::derive(&key.public(), 1);
            world.oracle.departs(id.hash());
            items.push(record_of(&mut world, &key, 1));
            items.push(end_at(&world, (&key, id), license_id(&world), 1));
        }
        let frame = numbered(&mut world, &by.key, 1, items, 1000 + batch);
        world.send(0, 1, Path::Message, peer::to_bytes(&frame).into(), None);
        let soon = world.now_ms + 40;
        until(&mut world, soon);
    }
    let register = world.hosts[1].node.as_ref().unwrap().register().unwrap();
    assert_eq!(register.ended_count(), 4096);
    all_are_members(&world, 2);
    // A handshake lets in nobody more, either.
    for (a, b) in [(1, 2), (2, 1)] {
        world.add(a, b).unwrap();
        let soon = world.now_ms + 5000;
        until(&mut world, soon);
        assert!(!member_of(&world, 1, 2) && !member_of(&world, 2, 1));
    }
}

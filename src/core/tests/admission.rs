use super::{id, issue, record, secret};
use crate::core::admission::{Outside, heard, room_for, room_for_member, union_count};
use crate::core::register::{Change, Item, Register};
use crate::domain::announcement::AnnouncementFields;
use crate::domain::license::Terms;
use crate::domain::{Announcement, Customer, KeyHash, LicenseId, PeerId, PeerRecord, Timestamp};

fn terms(max_nodes: u32) -> Terms {
    Terms {
        license_id: LicenseId::from_parts(1, [1; 10]),
        customer_id: Customer::parse("cust_acme").unwrap(),
        issued_at: Timestamp(0),
        expires_at: Timestamp(1000),
        max_nodes,
        max_services: 10,
    }
}

/// Many identities at no cost: admission looks at ids, and its callers at keys and signatures.
fn identity(number: u32) -> PeerId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn member(number: u32, base: &PeerRecord) -> Item {
    let mut record = base.clone();
    record.fields.id = identity(number);
    Item::Peer(record)
}

fn end(number: u32, base: &Announcement) -> Item {
    let mut end = base.clone();
    end.fields.subject = identity(number);
    Item::Announcement(end)
}

fn announcement() -> Announcement {
    let key = secret(1);
    let fields = AnnouncementFields {
        v: 1,
        subject: id(&key),
        subject_key: key.public(),
        license_id: LicenseId::from_parts(1, [1; 10]),
        incarnation: 1,
    };
    Announcement::seal(fields, &key, &[])
}

fn holding(items: impl Iterator<Item = Item>) -> Register {
    let mut register = Register::default();
    items.for_each(|item| register.apply(&Change::Put(item)));
    register
}

#[test]
fn there_is_room_for_four_times_the_license_and_for_64_at_least() {
    let base = record(&secret(1), 0, &[]);
    for (max_nodes, members) in [(1, 64), (16, 64), (17, 68), (100, 400)] {
        let terms = terms(max_nodes);
        let mut register = holding((1..members).map(|n| member(n, &base)));
        let last = member(members, &base);
        assert_eq!(room_for(&register, &last, &terms), Ok(()), "{members}");
        register.apply(&Change::Put(last.clone()));
        let more = member(members + 1, &base);
        assert_eq!(room_for(&register, &more, &terms), Err(Outside::Full));
        assert_eq!(room_for(&register, &last, &terms), Ok(()), "it is there");
        let hash = identity(members + 1).hash();
        assert_eq!(
            room_for_member(&register, hash, max_nodes),
            Err(Outside::Full)
        );
    }
}

#[test]
fn a_member_s_end_always_has_room_and_another_s_64_for_each_member() {
    let (base, terms) = (announcement(), terms(1));
    let ends = 64 * 64;
    let mut register = holding((1..ends).map(|n| end(n, &base)));
    let last = end(ends, &base);
    assert_eq!(room_for(&register, &last, &terms), Ok(()));
    register.apply(&Change::Put(last.clone()));
    let more = end(ends + 1, &base);
    assert_eq!(room_for(&register, &more, &terms), Err(Outside::Full));
    assert_eq!(room_for(&register, &last, &terms), Ok(()), "it is there");
    let of_a_member = member(ends + 1, &record(&secret(1), 0, &[]));
    register.apply(&Change::Put(of_a_member));
    assert_eq!(room_for(&register, &more, &terms), Ok(()));
}

#[test]
fn a_stranger_is_heard_with_a_tag_of_a_held_issue_and_a_stored_key_without() {
    let key = secret(1);
    let signed = |issues: &[_]| record(&key, 1, issues).signed;
    let nobody = Register::default();
    let member = holding([Item::Peer(record(&key, 0, &[]))].into_iter());
    let other = holding([Item::Peer(record(&secret(2), 0, &[]))].into_iter());
    let held = [issue(1)];
    for (register, tags, is_heard) in [
        (&nobody, [].as_slice(), false),
        (&nobody, &[issue(2)], false),
        (&nobody, &[issue(1)], true),
        (&other, &[issue(2)], false),
        (&member, &[], true),
        (&member, &[issue(2)], true),
    ] {
        let wanted = is_heard.then_some(()).ok_or(Outside::Unproved);
        assert_eq!(heard(register, &signed(tags), &held), wanted);
    }
}

#[test]
fn two_sides_count_together_each_identity_once_and_the_departed_never() {
    let base = record(&secret(1), 0, &[]);
    let mut register = holding([1, 2].into_iter().map(|n| member(n, &base)));
    register.apply(&Change::Put(end(9, &announcement())));
    let hashes =
        |numbers: &[u32]| -> Vec<KeyHash> { numbers.iter().map(|n| identity(*n).hash()).collect() };
    for (reserved, others, count) in [
        ([].as_slice(), [].as_slice(), 2),
        (&[3], &[], 3),
        (&[2], &[], 2),
        (&[], &[3, 4], 4),
        (&[3], &[1, 3, 4], 4),
        (&[], &[9], 2),
    ] {
        let union = union_count(
            &register,
            hashes(reserved).into_iter(),
            hashes(others).into_iter(),
        );
        assert_eq!(union, count, "{reserved:?} {others:?}");
    }
}

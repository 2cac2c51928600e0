//! The merge rule: whatever order claims come in, and however often, the register is the same.

use super::{cases, id, issue, secret};
use arctic::core::register::{Change, Item, Register};
use arctic::domain::announcement::AnnouncementFields;
use arctic::domain::peer::PeerFields;
use arctic::domain::service::ServiceFields;
use arctic::domain::{
    Announcement, IssueKey, LicenseId, Name, PeerRecord, ServiceId, ServiceRecord, Timestamp,
    Transport,
};
use proptest::prelude::*;
use std::sync::OnceLock;

const SUBJECTS: u8 = 4;

/// Valid claims about few subjects, so that most of them meet.
fn pool() -> &'static [Item] {
    static POOL: OnceLock<Vec<Item>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut pool = Vec::new();
        for issues in [vec![issue(1)], vec![issue(2)], vec![issue(1), issue(2)]] {
            for subject in 0..SUBJECTS {
                pool.extend(records(subject, &issues));
                pool.extend(ends(subject, &issues));
            }
            for service in 0..3 {
                pool.extend(edits(service, &issues));
            }
        }
        pool
    })
}

/// Several incarnations, two records of one incarnation, and two ids of one key.
fn records(subject: u8, issues: &[IssueKey]) -> Vec<Item> {
    let key = secret(subject);
    let mut items = Vec::new();
    for (time_ms, incarnation, start) in [(5, 0, 1), (5, 1, 1), (5, 1, 2), (5, 7, 1), (4, 0, 1)] {
        let fields = PeerFields {
            v: 1,
            id: id(&key, time_ms),
            key: key.public(),
            address: None,
            name: Name::none(),
            incarnation,
            start,
            version: arctic::domain::Version::own(),
        };
        items.push(Item::Peer(PeerRecord::seal(fields, &key, issues)));
    }
    items
}

/// Its deactivations: of one incarnation and another, under one id and another.
fn ends(subject: u8, issues: &[IssueKey]) -> Vec<Item> {
    let key = secret(subject);
    let of = |(time_ms, incarnation)| {
        let fields = AnnouncementFields {
            v: 1,
            subject: id(&key, time_ms),
            subject_key: key.public(),
            license_id: LicenseId::from_parts(1, [1; 10]),
            incarnation,
        };
        Item::Announcement(Announcement::seal(fields, &key, issues))
    };
    [(5, 3), (5, 4), (4, 3)].map(of).to_vec()
}

fn edits(service: u8, issues: &[IssueKey]) -> Vec<Item> {
    let mut items = Vec::new();
    for editor in 0..2 {
        let key = secret(editor);
        let edits = [
            (1, None),
            (2, None),
            (2, Some(5)),
            (2, Some(6)),
            (3, None),
            (3, Some(5)),
        ];
        for (version, deleted) in edits {
            let fields = ServiceFields {
                v: 1,
                id: ServiceId::from_parts(1, [service; 10]),
                source: id(&secret(0), 5),
                target: id(&secret(1), 5),
                transport: Transport::Tcp,
                name: Name::none(),
                created_at: Timestamp(0),
                version,
                deleted_at: deleted.map(|s: i64| Timestamp(s * 1000)),
                editor: id(&key, 5),
                editor_key: key.public(),
            };
            items.push(Item::Service(ServiceRecord::seal(fields, &key, issues)));
        }
    }
    items
}

fn absorb(register: &mut Register, items: &[Item]) {
    for item in items {
        if let Some(change) = register.consider(item) {
            register.apply(&change);
            assert!(
                register.consider(item).is_none(),
                "a claim that stands changes nothing"
            );
        }
    }
}

fn merged(items: &[Item]) -> Register {
    let mut register = Register::default();
    absorb(&mut register, items);
    register
}

fn contents(register: &Register) -> Vec<Item> {
    register
        .keys()
        .filter_map(|key| register.get(key))
        .collect()
}

fn same(a: &Register, b: &Register) {
    assert_eq!(contents(a), contents(b));
    assert_eq!((a.hash(), a.digest()), (b.hash(), b.digest()));
    assert_eq!(a.deletions(), b.deletions());
    assert_eq!(a.cluster_id(), b.cluster_id());
}

fn claims() -> impl Strategy<Value = Vec<Item>> {
    let one = (0..pool().len()).prop_map(|i| pool()[i].clone());
    proptest::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_order_and_any_repetition_give_the_same_register(
        (items, shuffled) in claims().prop_flat_map(|items| {
            let doubled = [items.clone(), items.clone()].concat();
            (Just(items), Just(doubled).prop_shuffle())
        })
    ) {
        same(&merged(&items), &merged(&shuffled));
    }

    #[test]
    fn two_registers_that_take_each_other_s_entries_are_equal(a in claims(), b in claims()) {
        let (mut left, mut right) = (merged(&a), merged(&b));
        let (of_left, of_right) = (contents(&left), contents(&right));
        absorb(&mut left, &of_right);
        absorb(&mut right, &of_left);
        same(&left, &right);
        same(&left, &merged(&[a, b].concat()));
    }

    #[test]
    fn whoever_is_ended_stays_so(items in claims()) {
        let register = merged(&items);
        for item in &items {
            if let Item::Announcement(end) = item {
                assert!(register.ended(end.subject()).is_some());
                assert!(register.member(end.subject()).is_none());
                assert_eq!(register.member_count() + register.ended_count(),
                    register.keys().filter(|k| !matches!(k, arctic::core::register::EntryKey::Service(_))).count());
            }
        }
    }

    /// The hash is kept up to date with every change, and equals that of the entries alone.
    #[test]
    fn the_hash_is_of_the_entries(items in claims()) {
        let register = merged(&items);
        let mut again = Register::default();
        for item in contents(&register).into_iter().rev() {
            again.apply(&Change::Put(item));
        }
        same(&register, &again);
    }
}

use super::{A, B, at};
use crate::core::gossip::{EXCHANGES_A_SECOND, Gossip, MESSAGES_A_SECOND, relay_fanout};
use crate::core::register::EntryKey;
use crate::domain::{KeyHash, ServiceId};

const X: [u8; 32] = [1; 32];
const Y: [u8; 32] = [2; 32];
const Z: [u8; 32] = [3; 32];

fn service(number: u8) -> EntryKey {
    EntryKey::Service(ServiceId::from_parts(1, [number; 10]))
}

#[test]
fn a_relay_passes_news_to_one_where_its_author_reaches_all_and_else_to_four() {
    assert_eq!([1, 64, 65, 500].map(relay_fanout), [1, 1, 4, 4]);
}

#[test]
fn news_gathers() {
    let mut g = Gossip::default();
    g.tell(A, EntryKey::Peer(A), at(0));
    g.tell(A, EntryKey::Ended(A), at(5));
    assert!(g.due_news(at(9)).is_empty());
    assert_eq!(g.due_news(at(10)), vec![A]);
    assert_eq!(g.take_news(A).len(), 2);
}

#[test]
fn more_than_128_news_for_one_member_become_an_exchange() {
    let mut g = Gossip::default();
    for number in 0..128 {
        g.tell(A, service(number), at(0));
    }
    assert_eq!(g.next_exchange(at(0)), None);
    g.tell(B, service(1), at(0));
    g.tell(A, service(128), at(0));
    assert_eq!((g.take_news(A).len(), g.take_news(B).len()), (0, 1));
    assert_eq!(g.next_exchange(at(0)), Some(A));
}

#[test]
fn news_is_taken_once() {
    let mut g = Gossip::default();
    for number in 0..128 {
        g.tell(A, service(number), at(0));
    }
    assert_eq!((g.take_news(A).len(), g.take_news(A).len()), (128, 0));
}

#[test]
fn messages_keep_their_rate() {
    let mut g = Gossip::default();
    let sent = (0..1000)
        .flat_map(|ms| [ms; 3])
        .filter(|ms| g.may_send(at(*ms)))
        .count();
    assert_eq!(sent as u64, 2 * MESSAGES_A_SECOND - 1);
}

#[test]
fn exchanges_keep_their_rate() {
    let mut g = Gossip::default();
    for i in 0..20 {
        g.want_exchange(KeyHash([i; 10]));
    }
    let begun = (0..1000)
        .filter(|t| g.next_exchange(at(*t)).is_some())
        .count();
    assert_eq!(begun as u64, 2 * EXCHANGES_A_SECOND - 1);
}

#[test]
fn one_exchange_at_a_time_with_one_partner() {
    let mut g = Gossip::default();
    g.want_exchange(A);
    g.want_exchange(A);
    assert_eq!(
        (g.next_exchange(at(0)), g.next_exchange(at(0))),
        (Some(A), None)
    );
    g.compare(A, X, Y);
    assert_eq!(g.next_exchange(at(0)), None, "it is under way");
    g.exchanged(A, (X, Y), (X, X));
    g.compare(A, X, Y);
    assert_eq!(g.next_exchange(at(0)), Some(A));
}

#[test]
fn an_exchange_goes_on_until_the_hashes_agree() {
    let mut g = Gossip::default();
    g.want_exchange(A);
    g.next_exchange(at(0));
    g.exchanged(A, (X, Y), (Y, Z));
    assert_eq!(g.next_exchange(at(0)), Some(A), "it moved something");
    g.exchanged(A, (Y, Z), (Z, Z));
    g.compare(A, Z, Z);
    assert_eq!(g.next_exchange(at(0)), None, "they agree");
}

/// A and B exchanged, and nothing changed on either side.
fn fruitless() -> Gossip {
    let mut g = Gossip::default();
    for partner in [A, B] {
        g.compare(partner, X, Y);
        assert_eq!(g.next_exchange(at(0)), Some(partner));
        g.exchanged(partner, (X, Y), (X, Y));
    }
    g
}

#[test]
fn an_exchange_that_changed_nothing_rests_until_a_register_changes() {
    let mut g = fruitless();
    g.compare(A, X, Y);
    assert_eq!(g.next_exchange(at(1)), None);
    g.compare(A, X, Z);
    assert_eq!(g.next_exchange(at(2)), Some(A));
}

#[test]
fn an_operator_s_wish_ends_the_rest() {
    let mut g = fruitless();
    g.want_fresh_exchange(A);
    assert_eq!(g.next_exchange(at(1)), Some(A));
    g.exchange_failed(A);
    g.compare(A, X, Y);
    assert_eq!(g.next_exchange(at(2)), Some(A), "it was forgotten");
    g.compare(B, X, Y);
    assert_eq!(g.next_exchange(at(2)), None, "B's was not");
}

#[test]
fn an_exchange_that_failed_is_tried_again_when_the_difference_is_seen_again() {
    let mut g = Gossip::default();
    g.compare(A, X, Y);
    g.next_exchange(at(0));
    g.exchange_failed(A);
    assert_eq!(g.next_exchange(at(1)), None);
    g.compare(A, X, Y);
    assert_eq!(g.next_exchange(at(1)), Some(A));
}

#[test]
fn nothing_waits_for_a_member_that_is_gone() {
    let mut g = Gossip::default();
    for member in [A, B] {
        g.tell(member, EntryKey::Peer(A), at(0));
        g.want_exchange(member);
    }
    g.forget(A);
    assert_eq!(g.due_news(at(10)), vec![B]);
    assert_eq!(
        (g.next_exchange(at(0)), g.next_exchange(at(0))),
        (Some(B), None)
    );
}

#[test]
fn a_member_that_comes_back_begins_anew() {
    let mut g = fruitless();
    g.forget(A);
    g.compare(A, X, Y);
    assert_eq!(
        g.next_exchange(at(1)),
        Some(A),
        "its fruitless exchange is forgotten"
    );
    g.forget(A);
    g.want_exchange(A);
    assert_eq!(
        g.next_exchange(at(1)),
        Some(A),
        "and the one that was under way"
    );
}

#[test]
fn it_wakes_for_the_first_of_what_waits() {
    let mut g = Gossip::default();
    assert_eq!(g.next_deadline(at(0)), None);
    g.tell(A, EntryKey::Peer(A), at(20));
    g.tell(B, EntryKey::Peer(A), at(25));
    assert_eq!(g.next_deadline(at(26)), Some(30));
    g.want_exchange(A);
    assert_eq!(
        g.next_deadline(at(26)),
        Some(26),
        "an exchange may begin at once"
    );
    for _ in 0..EXCHANGES_A_SECOND {
        g.want_exchange(A);
        g.next_exchange(at(26));
        g.exchange_failed(A);
    }
    g.want_exchange(A);
    g.take_news(A);
    g.take_news(B);
    assert_eq!(
        g.next_deadline(at(26)),
        Some(26 + 1000 / EXCHANGES_A_SECOND)
    );
}

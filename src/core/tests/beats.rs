//! When the next dial is.

use super::liveness::{SEEN, member, watching};
use super::{A, at};
use crate::core::liveness::*;
use crate::domain::Timestamp;

/// The beats of a cluster that was switched on as a whole must not fall together for ever.
#[test]
fn the_next_beat_is_drawn_around_a_second_later() {
    for (drawn, ms) in [(0, 950), (50, 1000), (100, 1050)] {
        let mut l = watching();
        let mut pick = |n| if n == 101 { drawn } else { 0 };
        l.due(at(5000), &mut pick);
        l.answered(A, at(5000));
        assert_eq!(l.next_deadline(at(5000)), 5000 + ms);
        assert!(l.due(at(5000 + ms - 1), &mut pick).is_empty());
        assert_eq!(l.due(at(5000 + ms), &mut pick), [A]);
    }
}

#[test]
fn it_wakes_for_the_first_dial_that_is_due() {
    let mut l = Liveness::default();
    let mut first = |_| 0;
    for i in 0..11 {
        l.watch(member(i), Status::Alive, SEEN, at(0));
    }
    assert_eq!(l.due(at(0), &mut first).len(), 10);
    assert_eq!(l.next_deadline(at(0)), 50, "ten in a step, then the next");
    assert_eq!(l.due(at(50), &mut first), [member(10)]);
    assert_eq!(
        l.next_deadline(at(50)),
        950,
        "whoever is dialled is not due"
    );
    l.hurry(member(10), at(60));
    assert_eq!(l.next_deadline(at(60)), 950, "nor is it again meanwhile");
    l.missed(member(10), Miss::Unanswered, at(100));
    assert_eq!(l.next_deadline(at(100)), 500);
}

#[test]
fn whoever_has_changed_is_dialled_at_once() {
    let mut l = watching();
    let mut first = |_| 0;
    l.due(at(0), &mut first);
    l.missed(A, Miss::Refused, at(0));
    assert!(l.due(at(10), &mut first).is_empty());
    l.hurry(A, at(10));
    assert_eq!(l.due(at(10), &mut first), [A]);
}

/// When an unreachable member is dialled again of which there are so many.
fn redialled_after(away: usize, miss: Miss) -> u64 {
    let mut l = Liveness::default();
    l.watch(A, Status::Unreachable, Some(Timestamp(9)), at(0));
    for i in 2..=away {
        l.watch(member(i), Status::Unreachable, SEEN, at(0));
    }
    for i in 2..=away {
        l.missed(member(i), miss, at(0));
    }
    l.missed(A, miss, at(0));
    let mut first = |_| 0;
    (1..10_000)
        .find(|ms| l.due(at(*ms), &mut first).contains(&A))
        .unwrap()
}

#[test]
fn twenty_have_their_redial_every_two_seconds_and_more_share_ten_a_second() {
    for (away, ms) in [(1, 2000), (20, 2000), (21, 2100), (40, 4000)] {
        assert_eq!(redialled_after(away, Miss::Refused), ms, "{away}");
    }
    // The second that a probe waited for nothing counts.
    assert_eq!(redialled_after(20, Miss::Unanswered), 1000);
}

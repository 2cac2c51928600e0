//! Who is dialled when, and what an answer or its lack changes.

use super::{A, at};
use crate::core::liveness::*;
use crate::domain::{KeyHash, Timestamp};

pub(super) const SEEN: Option<Timestamp> = Some(Timestamp(1));

pub(super) fn watching() -> Liveness {
    let mut l = Liveness::default();
    l.watch(A, Status::Alive, SEEN, at(0));
    l
}

#[test]
fn two_refusals_or_four_silences_and_one_answer() {
    let mut l = watching();
    assert!(!l.missed(A, Miss::Refused, at(0)));
    assert!(l.missed(A, Miss::Refused, at(1600)));
    assert_eq!(l.status(A).unwrap().0, Status::Unreachable);
    assert!(l.answered(A, at(5000)) && !l.answered(A, at(5001)));
    let verdicts: Vec<bool> = (0..5)
        .map(|_| l.missed(A, Miss::Unanswered, at(0)))
        .collect();
    assert_eq!(verdicts, [false, false, false, true, false]);
}

#[test]
fn an_answer_between_starts_the_count_again() {
    let mut l = watching();
    for _ in 0..10 {
        assert!(!l.missed(A, Miss::Refused, at(0)));
        l.answered(A, at(0));
    }
}

#[test]
fn whoever_refuses_our_license_is_suspect_and_asked_again() {
    let mut l = watching();
    let mut first = |_| 0;
    let mut asked = 0;
    for step in 0..120u64 {
        let now = at(step * 100);
        for member in l.due(now, &mut first) {
            asked += 1;
            assert_eq!(l.turned_away(member, now), asked == 1);
            assert_eq!(l.status(A).unwrap().0, Status::Suspect);
        }
    }
    assert!((4..=5).contains(&asked), "asked {asked} times in 12 s");
    // Earlier silences do not add up with later ones across an answer of any kind.
    for _ in 0..10 {
        l.missed(A, Miss::Refused, at(20_000));
        l.turned_away(A, at(20_000));
    }
    assert_eq!(l.status(A).unwrap().0, Status::Suspect);
    l.missed(A, Miss::Refused, at(20_000));
    assert!(l.missed(A, Miss::Refused, at(22_000)));
    assert!(l.turned_away(A, at(24_000)) && l.answered(A, at(25_000)));
}

#[test]
fn a_planned_restart_of_five_seconds_is_no_verdict() {
    let mut l = watching();
    l.answered(A, at(0));
    assert!(l.parted(A, at(0)));
    assert_eq!(l.status(A).unwrap().0, Status::Suspect);
    let mut first = |_| 0;
    let mut verdict_ms = None;
    for step in 0..100u64 {
        let now = at(step * 100);
        for member in l.due(now, &mut first) {
            if l.missed(member, Miss::Refused, now) {
                verdict_ms = Some(now.mono_ms);
            }
        }
    }
    assert!(verdict_ms.is_some_and(|ms| ms > 5000), "{verdict_ms:?}");
}

#[test]
fn a_missing_member_is_dialled_every_two_seconds() {
    let mut l = watching();
    let mut first = |_| 0;
    let mut dials = 0;
    for step in 0..200u64 {
        let now = at(step * 100);
        for member in l.due(now, &mut first) {
            dials += 1;
            l.missed(member, Miss::Refused, now);
        }
    }
    assert!((9..=12).contains(&dials), "{dials} dials in 20 s");
}

#[test]
fn one_member_a_beat_and_everyone_in_a_round() {
    let mut l = Liveness::default();
    let mut first = |_| 0;
    for i in 0..5 {
        l.watch(KeyHash([i; 10]), Status::Suspect, SEEN, at(0));
    }
    for member in l.due(at(0), &mut first) {
        l.answered(member, at(0));
    }
    let mut seen = Vec::new();
    for beat in 1..=5u64 {
        let due = l.due(at(beat * 1100), &mut first);
        assert_eq!(due.len(), 1);
        l.answered(due[0], at(beat * 1100));
        seen.extend(due);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

/// Drives so many members for so long, in steps of 10 ms. Each dial ends after the time that `ends`
/// gives for it, or never answers before its second is over. Gives the dials: when, whom.
struct Drive {
    liveness: Liveness,
    at_ms: u64,
    open: Vec<(u64, KeyHash)>,
    dials: Vec<(u64, KeyHash)>,
    most_open: usize,
}

impl Drive {
    fn new() -> Drive {
        Drive {
            liveness: Liveness::default(),
            at_ms: 0,
            open: Vec::new(),
            dials: Vec::new(),
            most_open: 0,
        }
    }

    /// Members that answer do so at once, the others are silent.
    fn pass(&mut self, ms: u64, answers: impl Fn(KeyHash) -> bool) {
        let end = self.at_ms + ms;
        let mut turn = 0;
        let mut pick = |n: usize| {
            turn += 1;
            turn % n
        };
        while self.at_ms < end {
            let now = at(self.at_ms);
            let over = |(begun, _): &(u64, KeyHash)| begun + PROBE_TIMEOUT_MS <= now.mono_ms;
            for (_, member) in self.open.iter().filter(|o| over(o)) {
                self.liveness.missed(*member, Miss::Unanswered, now);
            }
            self.open.retain(|o| !over(o));
            for member in self.liveness.due(now, &mut pick) {
                self.dials.push((now.mono_ms, member));
                match answers(member) {
                    true => drop(self.liveness.answered(member, now)),
                    false => self.open.push((now.mono_ms, member)),
                }
            }
            self.most_open = self.most_open.max(self.open.len());
            let next = self.liveness.next_deadline(now);
            assert!(next > now.mono_ms, "it would never sleep");
            self.at_ms += 10;
        }
    }

    fn of(&self, member: KeyHash) -> Vec<u64> {
        let own = self.dials.iter().filter(|(_, m)| *m == member);
        own.map(|(at_ms, _)| *at_ms).collect()
    }
}

pub(super) fn member(number: usize) -> KeyHash {
    KeyHash([number as u8; 10])
}

#[test]
fn twenty_silent_members_are_dialled_every_two_seconds_and_leave_room_for_others() {
    let mut drive = Drive::new();
    for i in 0..20 {
        let unreachable = Status::Unreachable;
        drive.liveness.watch(member(i), unreachable, SEEN, at(0));
    }
    drive
        .liveness
        .watch(member(200), Status::Alive, SEEN, at(0));
    drive.pass(30_000, |m| m == member(200));
    assert!(drive.most_open <= 12, "{} at once", drive.most_open);
    for i in 0..20 {
        let dials = drive.of(member(i));
        let gaps: Vec<u64> = dials.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.iter().all(|gap| *gap <= 2200), "{gaps:?}");
    }
    let living = drive.of(member(200));
    assert!(living[0] == 0 && living.len() >= 28, "{living:?}");
}

#[test]
fn whoever_was_seen_last_is_dialled_first() {
    let mut l = Liveness::default();
    let mut first = |_| 0;
    for (i, status, seen) in [
        (0, Status::Unreachable, None),
        (1, Status::Unreachable, Some(5)),
        (2, Status::Unreachable, Some(9)),
        (3, Status::Suspect, None),
        (4, Status::Suspect, Some(3)),
        (5, Status::Alive, Some(1)),
        (6, Status::Alive, Some(2)),
    ] {
        l.watch(member(i), status, seen.map(Timestamp), at(0));
    }
    let order: Vec<KeyHash> = [6, 5, 4, 3, 2, 1, 0].map(member).to_vec();
    assert_eq!(l.due(at(0), &mut first), order);
}

#[test]
fn an_identity_that_never_answered_is_dialled_hourly_in_the_end() {
    const HOUR_MS: u64 = 3_600_000;
    let mut l = Liveness::default();
    l.watch(A, Status::Suspect, None, at(0));
    let mut first = |_| 0;
    let mut dials = Vec::new();
    let mut now = at(0);
    while now.mono_ms < 12 * HOUR_MS {
        for member in l.due(now, &mut first) {
            dials.push(now.mono_ms);
            l.missed(member, Miss::Unanswered, now);
        }
        now.mono_ms = l.next_deadline(now).max(now.mono_ms + 1);
    }
    assert!(dials.iter().filter(|at| **at < HOUR_MS).count() <= 16);
    let last: Vec<u64> = dials.windows(2).map(|w| w[1] - w[0]).collect();
    let hourly = last.iter().rev().take(5);
    for gap in hourly {
        assert!((HOUR_MS..HOUR_MS + 2000).contains(gap), "{gap}");
    }
    // A sign of life makes one dial, at once.
    l.heard(A, now);
    assert_eq!(l.due(now, &mut first), [A]);
    l.missed(A, Miss::Refused, now);
    l.heard(A, now);
    l.hurry(A, now);
    let soon = at(now.mono_ms + 999);
    assert!(
        !l.due(soon, &mut first).contains(&A),
        "one a second at most"
    );
    let later = at(now.mono_ms + 1000);
    assert!(l.due(later, &mut first).contains(&A));
    // Refusing our license is no answer either.
    l.turned_away(A, later);
    let wait = at(later.mono_ms + HOUR_MS - 1);
    assert!(!l.due(wait, &mut first).contains(&A));
    // Nor is what cannot be sent, to a name that does not resolve for instance.
    let also = at(later.mono_ms + HOUR_MS);
    l.not_sent(A, also);
    let wait = at(also.mono_ms + HOUR_MS - 1);
    assert!(!l.due(wait, &mut first).contains(&A));
    // One answer, and it is a member like any other.
    l.answered(A, wait);
    for _ in 0..4 {
        l.missed(A, Miss::Unanswered, wait);
    }
    assert!(l.due(at(wait.mono_ms + 2000), &mut first).contains(&A));
}

#[test]
fn made_up_identities_do_not_slow_down_the_redials_of_others() {
    let mut drive = Drive::new();
    for i in 0..60 {
        drive
            .liveness
            .watch(member(i), Status::Suspect, None, at(0));
    }
    drive
        .liveness
        .watch(member(200), Status::Alive, SEEN, at(0));
    drive.pass(60_000, |_| false);
    let settled: Vec<u64> = drive.of(member(200));
    let gaps = settled.windows(2).map(|w| w[1] - w[0]).skip(5);
    for gap in gaps {
        assert!(gap <= 2600, "{settled:?}");
    }
}

#[test]
fn a_dial_that_was_never_sent_convicts_nobody() {
    let mut l = watching();
    l.answered(A, at(0));
    let mut first = |_| 0;
    let mut now = at(1100);
    let mut changes = 0;
    for _ in 0..100 {
        if l.due(now, &mut first).contains(&A) {
            changes += usize::from(l.not_sent(A, now));
        }
        now.mono_ms = l.next_deadline(now).max(now.mono_ms + 1);
    }
    assert_eq!((changes, l.status(A).unwrap().0), (1, Status::Suspect));
    assert!(!l.hears(A), "nobody knows");
    assert!(l.answered(A, now));
    // Misses before and after do not add up with them.
    l.missed(A, Miss::Refused, now);
    l.not_sent(A, now);
    assert!(!l.hears(A), "it is in doubt");
    assert!(l.missed(A, Miss::Refused, now));
}

#[test]
fn a_status_reads_as_it_is_written() {
    for (status, word) in [
        (Status::Alive, "alive"),
        (Status::Suspect, "suspect"),
        (Status::Unreachable, "unreachable"),
    ] {
        assert_eq!((status.as_str(), Status::parse(word)), (word, Some(status)));
    }
    assert_eq!(Status::parse("dead"), None);
}

#[test]
fn whoever_is_gone_is_neither_counted_nor_dialled() {
    let mut l = watching();
    for (i, status) in [(2, Status::Alive), (3, Status::Suspect)] {
        l.watch(member(i), status, SEEN, at(0));
    }
    let counts = |l: &Liveness| {
        [Status::Alive, Status::Suspect, Status::Unreachable].map(|status| l.count(status))
    };
    assert_eq!(counts(&l), [2, 1, 0]);
    l.forget(A);
    assert_eq!(counts(&l), [1, 1, 0]);
    assert_eq!(l.status(A), None);
    assert_eq!(l.due(at(0), &mut |_| 0), [member(2), member(3)]);
}

//! Who answers: one member is probed a beat, in a shuffled round-robin (SWIM section 4.3), and whoever
//! missed a probe is asked again out of turn.
//!
//! The rule: two refused or four unanswered probes in a row make a member unreachable; one signed
//! answer makes it alive. Silence never deletes a member.

use crate::domain::{KeyHash, Timestamp};
use std::collections::BTreeMap;

use super::schedule::Now;

pub const BEAT_MS: u64 = 1000;
/// How long a probe waits for its answer.
pub const PROBE_TIMEOUT_MS: u64 = 1000;
/// After a refused probe. Two refusals are thus further apart than a quick restart takes.
const AFTER_REFUSED_MS: u64 = 1600;
const AFTER_UNANSWERED_MS: u64 = 400;
/// After a goodbye: the four refusals that follow take longer than the 5 s of a planned restart.
const AFTER_GOODBYE_MS: u64 = 1000;
/// A member that answers without knowing us is asked again this often: its license or ours may change.
const AFTER_LICENSE_MS: u64 = 3000;
/// An unreachable member is dialled this often while there are few of them.
const REDIAL_MS: u64 = 2000;
/// Beyond this many, ten dials a second are shared.
const FEW: u64 = 20;
const SHARED_DIAL_MS: u64 = 100;
/// Dials to new or missing members in one step: a restart does not send to everyone at once.
const DIALS_A_STEP: usize = 10;
const STEP_MS: u64 = 50;
/// A miss weighs by what it proves; at this weight a member is unreachable.
const VERDICT: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Alive,
    /// Known, but not yet proved to be there.
    Suspect,
    Unreachable,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Alive => "alive",
            Status::Suspect => "suspect",
            Status::Unreachable => "unreachable",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        [Status::Alive, Status::Suspect, Status::Unreachable]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// How a probe failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// The host answered that nothing listens.
    Refused,
    /// Nothing valid came back in time.
    Unanswered,
}

impl Miss {
    fn weight(self) -> u32 {
        match self {
            Miss::Refused => VERDICT / 2,
            Miss::Unanswered => 1,
        }
    }
}

#[derive(Debug, Clone)]
struct Watch {
    status: Status,
    last_seen: Option<Timestamp>,
    /// The weight of the misses since the last answer.
    missed: u32,
    /// When to dial out of turn; none while the round-robin will do.
    due_ms: Option<u64>,
    in_flight: bool,
    /// It said goodbye: until it answers again, a refusal proves no more than silence does.
    parted: bool,
}

/// The observations of one agent: nothing here is ever taken from others.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    watched: BTreeMap<KeyHash, Watch>,
    /// What is left of the current round.
    round: Vec<KeyHash>,
    beat_at_ms: u64,
}

impl Liveness {
    /// Begins to watch a member; it is dialled at once.
    pub fn watch(&mut self, member: KeyHash, status: Status, seen: Option<Timestamp>, now: Now) {
        let fresh = Watch {
            status,
            last_seen: seen,
            missed: 0,
            due_ms: Some(now.mono_ms),
            in_flight: false,
            parted: false,
        };
        self.watched.entry(member).or_insert(fresh);
    }

    pub fn forget(&mut self, member: KeyHash) {
        self.watched.remove(&member);
    }

    pub fn status(&self, member: KeyHash) -> Option<(Status, Option<Timestamp>)> {
        self.watched.get(&member).map(|w| (w.status, w.last_seen))
    }

    pub fn count(&self, status: Status) -> u64 {
        self.watched.values().filter(|w| w.status == status).count() as u64
    }

    /// A member that is known to have changed is dialled out of turn.
    pub fn hurry(&mut self, member: KeyHash, now: Now) {
        if let Some(watch) = self.watched.get_mut(&member) {
            watch.due_ms = Some(watch.due_ms.unwrap_or(now.mono_ms).min(now.mono_ms));
        }
    }

    /// A signed answer to our own nonce. Returns whether the status changed.
    pub fn answered(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        let changed = watch.status != Status::Alive;
        *watch = Watch {
            status: Status::Alive,
            last_seen: Some(now.wall),
            missed: 0,
            due_ms: None,
            in_flight: false,
            parted: false,
        };
        changed
    }

    /// A probe that failed. Returns whether the status changed.
    pub fn missed(&mut self, member: KeyHash, miss: Miss, now: Now) -> bool {
        let away = self.count(Status::Unreachable);
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        watch.in_flight = false;
        let weight = if watch.parted {
            Miss::Unanswered.weight()
        } else {
            miss.weight()
        };
        watch.missed = watch.missed.saturating_add(weight);
        let changed = watch.missed >= VERDICT && watch.status != Status::Unreachable;
        if changed {
            watch.status = Status::Unreachable;
        }
        watch.due_ms = Some(now.mono_ms + redial_after(watch.status, miss, away));
        changed
    }

    /// A signed goodbye: the agent stops, perhaps to start again in a moment. Returns whether the
    /// status changed.
    pub fn parted(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        let changed = watch.status == Status::Alive;
        if changed {
            watch.status = Status::Suspect;
        }
        watch.parted = true;
        watch.due_ms = Some(now.mono_ms + AFTER_GOODBYE_MS);
        changed
    }

    /// It answers, but refuses our license: no silence, and no proof of who answers either. Returns
    /// whether the status changed.
    pub fn refused_license(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        let changed = watch.status != Status::Suspect;
        watch.status = Status::Suspect;
        watch.missed = 0;
        watch.in_flight = false;
        watch.due_ms = Some(now.mono_ms + AFTER_LICENSE_MS);
        changed
    }

    /// A probe that this agent could not even send: no verdict on anybody.
    pub fn not_sent(&mut self, member: KeyHash, now: Now) {
        if let Some(watch) = self.watched.get_mut(&member) {
            watch.in_flight = false;
            watch.due_ms = Some(now.mono_ms + AFTER_UNANSWERED_MS);
        }
    }

    /// The members to dial now. `pick(n)` draws a number below n.
    pub fn due(&mut self, now: Now, pick: &mut dyn FnMut(usize) -> usize) -> Vec<KeyHash> {
        let mut due: Vec<KeyHash> = self
            .watched
            .iter()
            .filter(|(_, w)| !w.in_flight && w.due_ms.is_some_and(|at| at <= now.mono_ms))
            .map(|(hash, _)| *hash)
            .take(DIALS_A_STEP)
            .collect();
        if self.beat_at_ms <= now.mono_ms {
            self.beat_at_ms = now.mono_ms + BEAT_MS - 50 + pick(101) as u64;
            // Whoever is due out of turn is not in the round, so nobody is chosen twice.
            due.extend(self.next_in_round(pick));
        }
        for member in &due {
            if let Some(watch) = self.watched.get_mut(member) {
                watch.in_flight = true;
                watch.due_ms = None;
            }
        }
        due
    }

    /// One member of the round that is neither being dialled nor waiting for its own time.
    fn next_in_round(&mut self, pick: &mut dyn FnMut(usize) -> usize) -> Option<KeyHash> {
        let in_turn = |w: &Watch| !w.in_flight && w.due_ms.is_none();
        self.round
            .retain(|hash| self.watched.get(hash).is_some_and(in_turn));
        if self.round.is_empty() {
            let all = self.watched.iter().filter(|(_, w)| in_turn(w));
            self.round = all.map(|(hash, _)| *hash).collect();
        }
        match self.round.len() {
            0 => None,
            n => Some(self.round.swap_remove(pick(n))),
        }
    }

    /// When `due` has something to say again.
    pub fn next_deadline(&self, now: Now) -> u64 {
        let out_of_turn = self
            .watched
            .values()
            .filter(|w| !w.in_flight)
            .filter_map(|w| w.due_ms)
            .min()
            // What did not fit into this step follows in the next one.
            .map(|at| at.max(now.mono_ms + STEP_MS));
        out_of_turn.map_or(self.beat_at_ms, |at| at.min(self.beat_at_ms))
    }
}

fn redial_after(status: Status, miss: Miss, away: u64) -> u64 {
    match (status, miss) {
        (Status::Unreachable, _) if away > FEW => away * SHARED_DIAL_MS,
        (Status::Unreachable, Miss::Refused) => REDIAL_MS,
        // The second that the probe waited counts.
        (Status::Unreachable, Miss::Unanswered) => REDIAL_MS - PROBE_TIMEOUT_MS,
        (_, Miss::Refused) => AFTER_REFUSED_MS,
        (_, Miss::Unanswered) => AFTER_UNANSWERED_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: KeyHash = KeyHash([1; 10]);

    fn at(mono_ms: u64) -> Now {
        Now {
            mono_ms,
            wall: Timestamp(1),
        }
    }

    fn watching() -> Liveness {
        let mut l = Liveness::default();
        l.watch(A, Status::Alive, None, at(0));
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
                assert_eq!(l.refused_license(member, now), asked == 1);
                assert_eq!(l.status(A).unwrap().0, Status::Suspect);
            }
        }
        assert!((4..=5).contains(&asked), "asked {asked} times in 12 s");
        // Earlier silences do not add up with later ones across an answer of any kind.
        for _ in 0..10 {
            l.missed(A, Miss::Refused, at(20_000));
            l.refused_license(A, at(20_000));
        }
        assert_eq!(l.status(A).unwrap().0, Status::Suspect);
        l.missed(A, Miss::Refused, at(20_000));
        assert!(l.missed(A, Miss::Refused, at(22_000)));
        assert!(l.refused_license(A, at(24_000)) && l.answered(A, at(25_000)));
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
            l.watch(KeyHash([i; 10]), Status::Suspect, None, at(0));
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
}

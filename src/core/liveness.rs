//! Who answers: one member is probed a beat, in a shuffled round-robin (SWIM section 4.3), and whoever
//! missed a probe is asked again out of turn.
//!
//! The rule: two refused or four unanswered probes in a row make a member unreachable; one signed
//! answer makes it alive. Silence never deletes a member.
//!
//! Whoever is likely to answer is dialled first, and the others never hold all couriers: an agent that
//! starts among many dead members finds the living at once. An identity that never answered here is
//! dialled less and less often: anybody with the license can make such identities up.

use crate::domain::{KeyHash, Timestamp};
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::schedule::Now;

pub const BEAT_MS: u64 = 1000;
/// How long a probe waits for its answer.
pub const PROBE_TIMEOUT_MS: u64 = 1000;
/// After a refused probe. Two refusals are thus further apart than a quick restart takes.
const AFTER_REFUSED_MS: u64 = 1600;
const AFTER_UNANSWERED_MS: u64 = 400;
/// After a dial that never left this agent, and for each such one before it: so many times at most.
const AFTER_UNSENT_MS: u64 = 400;
const UNSENT_STEPS: u32 = 5;
/// After so many of them in a row nobody can say any more that the member is alive.
const UNSENT_DOUBT: u32 = 5;
/// After a goodbye: the four refusals that follow take longer than the 5 s of a planned restart.
const AFTER_GOODBYE_MS: u64 = 1000;
/// A member that turns us away is asked again this often: its license or ours may change.
const AFTER_REFUSAL_MS: u64 = 3000;
/// An unreachable member is dialled this often while there are few of them.
const REDIAL_MS: u64 = 2000;
/// Beyond this many, ten dials a second are shared.
const FEW: u64 = 20;
const SHARED_DIAL_MS: u64 = 100;
/// An identity that never answered is dialled after `REDIAL_MS`, then after twice as long each time.
const BACKOFF_MOST_MS: u64 = 3_600_000;
/// A sign of life of such an identity makes one dial at once, but not more often than this.
const HEARD_MS: u64 = 1000;
/// Dials to members in doubt at once: 20 silent ones, each every 2 s for 1 s, take 10, and the others of
/// the 16 couriers are for those that answer.
const DOUBTFUL_AT_ONCE: usize = 12;
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
    /// None: it never answered here.
    last_seen: Option<Timestamp>,
    /// It answered since this agent started.
    proved: bool,
    /// The weight of the misses since the last answer.
    missed: u32,
    /// Dials in a row that never left this agent.
    unsent: u32,
    /// When to dial out of turn; none while the round-robin will do.
    due_ms: Option<u64>,
    dialled_ms: Option<u64>,
    in_flight: bool,
    /// It said goodbye: until it answers again, a refusal proves no more than silence does.
    parted: bool,
    /// How long the next failure keeps it from being dialled, while it never answered.
    backoff_ms: u64,
}

impl Watch {
    fn new(status: Status, last_seen: Option<Timestamp>, now: Now) -> Watch {
        Watch {
            status,
            last_seen,
            proved: false,
            missed: 0,
            unsent: 0,
            due_ms: Some(now.mono_ms),
            dialled_ms: None,
            in_flight: false,
            parted: false,
            backoff_ms: REDIAL_MS,
        }
    }

    /// Whether a dial may well end in silence.
    fn doubtful(&self) -> bool {
        !self.proved || self.missed > 0 || self.status != Status::Alive
    }

    fn due(&self, now: Now) -> bool {
        !self.in_flight && self.due_ms.is_some_and(|at| at <= now.mono_ms)
    }

    /// The likelier an answer, the earlier.
    fn order(&self) -> impl Ord + use<> {
        let away = self.status == Status::Unreachable;
        let never = self.last_seen.is_none();
        (away, never, self.status, Reverse(self.last_seen))
    }

    fn dial_by(&mut self, at_ms: u64) {
        self.due_ms = Some(self.due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }

    /// When it was left alone for long enough.
    fn rested_ms(&self, now: Now) -> u64 {
        let rested = self.dialled_ms.map_or(0, |at| at + HEARD_MS);
        rested.max(now.mono_ms)
    }

    /// The next wait of an identity that never answered.
    fn back_off(&mut self) -> u64 {
        let wait_ms = self.backoff_ms;
        self.backoff_ms = (wait_ms * 2).min(BACKOFF_MOST_MS);
        wait_ms
    }
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
        let fresh = Watch::new(status, seen, now);
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

    /// Whether news is worth a letter: others get it by the exchange that follows their next answer.
    pub fn hears(&self, member: KeyHash) -> bool {
        let watch = self.watched.get(&member);
        watch.is_some_and(|w| !w.doubtful())
    }

    /// A member that is known to have changed is dialled out of turn.
    pub fn hurry(&mut self, member: KeyHash, now: Now) {
        if let Some(watch) = self.watched.get_mut(&member) {
            watch.dial_by(match watch.last_seen {
                Some(_) => now.mono_ms,
                None => watch.rested_ms(now),
            });
        }
    }

    /// A verified message of its own: no evidence of life, which is an answer to one of ours, but a
    /// reason to look at once.
    pub fn heard(&mut self, member: KeyHash, now: Now) {
        if let Some(watch) = self.watched.get_mut(&member) {
            if watch.status != Status::Alive {
                watch.dial_by(watch.rested_ms(now));
            }
        }
    }

    /// A signed answer to our own nonce. Returns whether the status changed.
    pub fn answered(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        let changed = watch.status != Status::Alive;
        *watch = Watch {
            proved: true,
            due_ms: None,
            dialled_ms: watch.dialled_ms,
            ..Watch::new(Status::Alive, Some(now.wall), now)
        };
        changed
    }

    /// A probe that failed. Returns whether the status changed.
    pub fn missed(&mut self, member: KeyHash, miss: Miss, now: Now) -> bool {
        let away = self.away();
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        watch.in_flight = false;
        watch.unsent = 0;
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
        let wait_ms = match (watch.status, watch.last_seen) {
            (Status::Unreachable, None) => watch.back_off(),
            (status, _) => redial_after(status, miss, away),
        };
        watch.due_ms = Some(now.mono_ms + wait_ms);
        changed
    }

    /// Members that answered once and no longer do: they share the redials.
    fn away(&self) -> u64 {
        let away = |w: &&Watch| w.status == Status::Unreachable && w.last_seen.is_some();
        self.watched.values().filter(away).count() as u64
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

    /// It answers, but refuses our license or has no time: no silence, and no proof of who answers either.
    /// Returns whether the status changed.
    pub fn turned_away(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        let changed = watch.status != Status::Suspect;
        watch.status = Status::Suspect;
        watch.missed = 0;
        watch.in_flight = false;
        let wait_ms = match watch.last_seen {
            // Nobody signed it: perhaps an address that others were told to dial.
            None => watch.back_off(),
            Some(_) => AFTER_REFUSAL_MS,
        };
        watch.due_ms = Some(now.mono_ms + wait_ms);
        changed
    }

    /// A probe that never left this agent: no verdict on anybody, but when that goes on nobody is known
    /// to be alive either. Returns whether the status changed.
    pub fn not_sent(&mut self, member: KeyHash, now: Now) -> bool {
        let Some(watch) = self.watched.get_mut(&member) else {
            return false;
        };
        watch.in_flight = false;
        watch.unsent = watch.unsent.saturating_add(1);
        let wait_ms = match watch.last_seen {
            // Perhaps a name that somebody made up, and that never resolves.
            None => watch.back_off(),
            Some(_) => AFTER_UNSENT_MS * u64::from(watch.unsent.min(UNSENT_STEPS)),
        };
        watch.due_ms = Some(now.mono_ms + wait_ms);
        let changed = watch.unsent >= UNSENT_DOUBT && watch.status == Status::Alive;
        if changed {
            watch.status = Status::Suspect;
        }
        changed
    }

    /// The members to dial now. `pick(n)` draws a number below n.
    pub fn due(&mut self, now: Now, pick: &mut dyn FnMut(usize) -> usize) -> Vec<KeyHash> {
        let mut due = self.due_out_of_turn(now);
        if self.beat_at_ms <= now.mono_ms {
            self.beat_at_ms = now.mono_ms + BEAT_MS - 50 + pick(101) as u64;
            // Whoever is due out of turn is not in the round, so nobody is chosen twice.
            due.extend(self.next_in_round(pick));
        }
        for member in &due {
            if let Some(watch) = self.watched.get_mut(member) {
                watch.in_flight = true;
                watch.due_ms = None;
                watch.dialled_ms = Some(now.mono_ms);
            }
        }
        due
    }

    fn due_out_of_turn(&self, now: Now) -> Vec<KeyHash> {
        let mut due: Vec<(&KeyHash, &Watch)> =
            self.watched.iter().filter(|(_, w)| w.due(now)).collect();
        due.sort_by_key(|(_, w)| w.order());
        let mut room = self.room_for_doubtful();
        due.retain(|(_, w)| {
            let fits = !w.doubtful() || room > 0;
            room -= usize::from(fits && w.doubtful());
            fits
        });
        due.truncate(DIALS_A_STEP);
        due.into_iter().map(|(hash, _)| *hash).collect()
    }

    /// How many more members in doubt may be dialled now.
    fn room_for_doubtful(&self) -> usize {
        let busy = self
            .watched
            .values()
            .filter(|w| w.in_flight && w.doubtful());
        DOUBTFUL_AT_ONCE.saturating_sub(busy.count())
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
        // Without room the end of a dial comes first, and with it the next look at the deadline.
        let room = self.room_for_doubtful() > 0;
        let out_of_turn = self
            .watched
            .values()
            .filter(|w| !w.in_flight && (room || !w.doubtful()))
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

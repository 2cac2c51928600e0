//! How long an agent was without its cluster: whoever was away for longer than a deletion is
//! remembered cannot know which of its services are gone.

use super::schedule::Now;
use crate::domain::Timestamp;
use crate::domain::service::REMEMBERED_DAYS;
use crate::domain::time::DAY_MS;
use crate::wire::peer::Touch;

/// So long an agent that was away looks for one that was not before it counts as one that was not
/// itself: a cluster that was switched off as a whole has nobody else.
const SETTLED_MS: u64 = 10 * 60_000;
/// An answer within this time is contact now.
const RECENT_MS: u64 = 60_000;
/// The date of the last contact is written at most so often: flash wears out.
const WRITTEN_MS: u64 = DAY_MS as u64;
const AWAY_MS: u64 = REMEMBERED_DAYS as u64 * DAY_MS as u64;

/// What is known of this agent's contact with members. Within one start the monotonic clock judges,
/// so that a wall clock that jumps makes nobody a stranger.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// As stored, by the wall clock.
    last: Option<Timestamp>,
    /// The last answer of any member in this start.
    heard_ms: Option<u64>,
    /// The last one that came while the contact was kept.
    kept_ms: Option<u64>,
    /// Since when members have answered one that was away.
    company_ms: u64,
}

impl Contact {
    /// What an earlier start has stored.
    pub fn resumed(last: Option<Timestamp>) -> Contact {
        Contact {
            last,
            ..Contact::default()
        }
    }

    pub fn touch(&self, now: Now) -> Touch {
        let away = match (self.kept_ms, self.last) {
            (Some(kept_ms), _) => now.mono_ms.saturating_sub(kept_ms) > AWAY_MS,
            (None, Some(last)) => last.plus_days(REMEMBERED_DAYS) <= now.wall,
            (None, None) => return Touch::New,
        };
        if away { Touch::Lost } else { Touch::Kept }
    }

    /// A member has answered.
    pub fn heard(&mut self, now: Now) {
        if self.touch(now) == Touch::Kept {
            self.kept_ms = Some(now.mono_ms);
        } else if !self.heard_within(SETTLED_MS, now) {
            self.company_ms = now.mono_ms;
        }
        self.heard_ms = Some(now.mono_ms);
    }

    /// Whether somebody answers these days.
    pub fn is_recent(&self, now: Now) -> bool {
        self.heard_within(RECENT_MS, now)
    }

    /// Whether the date of the last contact is to be stored now, and then `settle`.
    pub fn is_due(&self, now: Now) -> bool {
        let settled = match self.touch(now) {
            Touch::Kept => self
                .last
                .is_none_or(|last| last.0.abs_diff(now.wall.0) >= WRITTEN_MS),
            Touch::New | Touch::Lost => now.mono_ms.saturating_sub(self.company_ms) >= SETTLED_MS,
        };
        settled && self.is_recent(now)
    }

    /// The contact is there, and stored.
    pub fn settle(&mut self, now: Now) {
        self.last = Some(now.wall);
        self.kept_ms = Some(now.mono_ms);
    }

    fn heard_within(&self, ms: u64, now: Now) -> bool {
        self.heard_ms
            .is_some_and(|heard_ms| now.mono_ms.saturating_sub(heard_ms) <= ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn at(mono_ms: u64, wall_days: i64) -> Now {
        Now {
            mono_ms,
            wall: Timestamp(wall_days * DAY_MS),
        }
    }

    fn heard(contact: &mut Contact, minutes: std::ops::Range<u64>, wall_days: i64) -> Vec<u64> {
        let mut stored = Vec::new();
        for minute in minutes {
            let now = at(minute * MINUTE_MS, wall_days);
            contact.heard(now);
            if contact.is_due(now) {
                contact.settle(now);
                stored.push(minute);
            }
        }
        stored
    }

    #[test]
    fn a_new_agent_is_at_home_after_a_while_in_company() {
        let mut contact = Contact::default();
        assert_eq!(contact.touch(at(0, 100)), Touch::New);
        assert_eq!(heard(&mut contact, 0..30, 100), [10]);
        assert_eq!(contact.touch(at(30 * MINUTE_MS, 100)), Touch::Kept);
    }

    #[test]
    fn the_date_is_stored_once_a_day() {
        let mut contact = Contact::resumed(Some(Timestamp(100 * DAY_MS)));
        assert!(heard(&mut contact, 0..100, 100).is_empty());
        assert_eq!(heard(&mut contact, 100..200, 101), [100]);
        assert_eq!(
            heard(&mut contact, 200..300, 99),
            [200],
            "and when it jumps back"
        );
    }

    #[test]
    fn whoever_was_away_is_so_until_it_has_looked_around() {
        let mut contact = Contact::resumed(Some(Timestamp(100 * DAY_MS)));
        assert_eq!(contact.touch(at(0, 189)), Touch::Kept);
        assert_eq!(contact.touch(at(0, 190)), Touch::Lost);
        assert!(heard(&mut contact, 0..9, 190).is_empty());
        // It was alone again in between.
        assert_eq!(heard(&mut contact, 30..60, 190), [40]);
        assert_eq!(contact.touch(at(60 * MINUTE_MS, 190)), Touch::Kept);
    }

    #[test]
    fn a_wall_clock_that_jumps_takes_nobody_away() {
        let mut contact = Contact::resumed(Some(Timestamp(100 * DAY_MS)));
        contact.heard(at(0, 100));
        assert_eq!(contact.touch(at(MINUTE_MS, 4000)), Touch::Kept);
        assert_eq!(contact.touch(at(AWAY_MS, 4000)), Touch::Kept);
        assert_eq!(contact.touch(at(AWAY_MS + 1, 101)), Touch::Lost);
    }

    #[test]
    fn nobody_who_does_not_answer_is_contact() {
        let mut contact = Contact::default();
        contact.heard(at(0, 100));
        assert!(contact.is_recent(at(MINUTE_MS, 100)));
        assert!(!contact.is_recent(at(MINUTE_MS + 1, 100)));
        assert!(!contact.is_due(at(11 * MINUTE_MS, 100)));
    }
}

//! One kind of log line, at most one in ten seconds: an attack must not fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(10);

/// The gate before one kind of line.
#[derive(Default)]
pub(super) struct Throttle(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    held: u64,
}

impl Throttle {
    /// Logs a warning unless one of this kind was logged just now; says how many were held back.
    pub(super) fn warn(&self, line: impl FnOnce() -> String) {
        match self.pass(Instant::now()) {
            Some(0) => log::warn!("{}", line()),
            Some(held) => log::warn!("{} ({held} more like this)", line()),
            None => {}
        }
    }

    fn pass(&self, now: Instant) -> Option<u64> {
        // Two plain fields cannot be left inconsistent by a panic of another holder.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now < last + PAUSE) {
            state.held += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held))
    }
}

/// A value that a client chose, fit for one line of a log: no control characters, not endless.
pub(super) fn escaped(value: &str) -> String {
    const LONGEST: usize = 200;
    value
        .chars()
        .take(LONGEST)
        .fold(String::new(), |mut line, c| {
            match c {
                // Harmless in a line, and part of sentences that people read.
                '\'' | '"' => line.push(c),
                _ => line.extend(c.escape_debug()),
            }
            line
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_then_silence_then_the_count() {
        let gate = Throttle::default();
        let start = Instant::now();
        assert_eq!(gate.pass(start), Some(0));
        assert_eq!(gate.pass(start), None);
        assert_eq!(gate.pass(start + PAUSE / 2), None);
        assert_eq!(gate.pass(start + PAUSE), Some(2));
        assert_eq!(gate.pass(start + PAUSE * 2), Some(0));
    }

    #[test]
    fn a_logged_value_stays_on_its_line() {
        assert_eq!(escaped("a\r\nforged\x1b"), "a\\r\\nforged\\u{1b}");
        assert_eq!(escaped(&"x".repeat(10_000)).len(), 200);
    }
}

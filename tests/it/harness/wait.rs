//! Waiting: for a condition, under a deadline, and in no other way.

use std::time::{Duration, Instant};

/// Enough for anything that a healthy cluster on a busy machine does at once.
pub const SOON: Duration = Duration::from_secs(20);
/// Enough for silence to be noticed, and for what waits on it.
pub const LATER: Duration = Duration::from_secs(45);

const POLL: Duration = Duration::from_millis(15);

/// Waits until `condition` holds; fails the test, saying what it waited for, when it does not.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, deadline, || condition().then_some(()));
}

/// Waits until `attempt` gives something, and returns that.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    match wait_at_most(deadline, &mut attempt) {
        Some(value) => value,
        None => panic!("waited {deadline:?} in vain: {what}"),
    }
}

/// The same without failing: `None` when the deadline has passed.
pub fn wait_at_most<T>(deadline: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

//! The two clocks as the node takes them.

use super::os;
use crate::core::schedule::Now;
use std::time::{Duration, Instant};

/// Monotonic milliseconds count from here.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock {
            began: Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        Now {
            mono_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall: os::now(),
        }
    }

    /// How long until that instant; at least a millisecond, so that no loop spins.
    pub fn until(&self, mono_ms: u64) -> Duration {
        Duration::from_millis(mono_ms.saturating_sub(self.now().mono_ms).max(1))
    }
}

//! Time as the node sees it, and rates.

use crate::domain::Timestamp;

/// One instant: `mono_ms` never goes back and drives every timer; `wall` is only written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub mono_ms: u64,
    pub wall: Timestamp,
}

/// A rate limit: so many at once, so many a second.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    burst: u64,
    per_second: u64,
    /// In thousandths of a token.
    level: u64,
    filled_at_ms: u64,
}

impl TokenBucket {
    pub fn new(burst: u64, per_second: u64) -> TokenBucket {
        TokenBucket {
            burst,
            per_second,
            level: burst * 1000,
            filled_at_ms: 0,
        }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        if self.level < 1000 {
            return false;
        }
        self.level -= 1000;
        true
    }

    /// When the next one will be there.
    pub fn ready_at(&mut self, now_ms: u64) -> u64 {
        self.fill(now_ms);
        let lacking = 1000u64.saturating_sub(self.level);
        now_ms + lacking.div_ceil(self.per_second.max(1))
    }

    /// Whether nothing was taken for so long that a new bucket would be the same.
    pub fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.level >= self.burst * 1000
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_at_ms);
        let gained = passed.saturating_mul(self.per_second);
        self.level = self.level.saturating_add(gained).min(self.burst * 1000);
        self.filled_at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let mut bucket = TokenBucket::new(2, 4);
        assert!(bucket.take(0) && bucket.take(0) && !bucket.take(0));
        assert_eq!(bucket.ready_at(0), 250);
        assert!(!bucket.take(249) && bucket.take(250) && !bucket.take(250));
        assert!(bucket.take(10_000) && bucket.take(10_000) && !bucket.take(10_000));
    }
}

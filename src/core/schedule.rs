//! Time as the node sees it, and rates.

use crate::domain::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

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

/// How many addresses one set of buckets remembers.
const ADDRESSES: usize = 1024;

/// A bucket for each address that has taken something lately; of IPv6 for each /64, which one host
/// usually owns. Bounded: when there is no room for another address, it gets nothing.
#[derive(Debug, Clone)]
pub struct AddressBuckets {
    fresh: TokenBucket,
    taken: BTreeMap<IpAddr, TokenBucket>,
}

impl AddressBuckets {
    pub fn new(burst: u64, per_second: u64) -> AddressBuckets {
        AddressBuckets {
            fresh: TokenBucket::new(burst, per_second),
            taken: BTreeMap::new(),
        }
    }

    /// Takes one for this address, if there is one.
    pub fn take(&mut self, from: IpAddr, now_ms: u64) -> bool {
        let from = origin(from);
        if !self.has_room(from, now_ms) {
            return false;
        }
        let fresh = &self.fresh;
        let bucket = self.taken.entry(from).or_insert_with(|| fresh.clone());
        bucket.take(now_ms)
    }

    /// Whether there is one for this address; takes nothing.
    pub fn has(&mut self, from: IpAddr, now_ms: u64) -> bool {
        let from = origin(from);
        match self.taken.get_mut(&from) {
            Some(bucket) => bucket.ready_at(now_ms) <= now_ms,
            None => self.has_room(from, now_ms),
        }
    }

    fn has_room(&mut self, from: IpAddr, now_ms: u64) -> bool {
        if self.taken.len() >= ADDRESSES && !self.taken.contains_key(&from) {
            self.taken.retain(|_, bucket| !bucket.is_full(now_ms));
        }
        self.taken.len() < ADDRESSES || self.taken.contains_key(&from)
    }
}

fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        v4 => v4,
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

    #[test]
    fn addresses_have_a_bucket_each_and_there_are_so_many() {
        let mut buckets = AddressBuckets::new(1, 1);
        let of = |text: &str| -> IpAddr { text.parse().unwrap() };
        assert!(buckets.take(of("10.0.0.1"), 0) && !buckets.take(of("10.0.0.1"), 0));
        assert!(!buckets.take(of("::ffff:10.0.0.1"), 0));
        assert!(buckets.take(of("2001:db8::1"), 0) && !buckets.take(of("2001:db8::2"), 0));
        assert!(buckets.has(of("2001:db8:0:1::1"), 0) && !buckets.has(of("2001:db8::3"), 0));
        for i in 0..2000u32 {
            buckets.take(IpAddr::from((0x0a01_0000 + i).to_be_bytes()), 0);
        }
        assert_eq!(buckets.taken.len(), ADDRESSES);
        assert!(!buckets.take(of("10.9.0.1"), 0) && !buckets.has(of("10.9.0.1"), 0));
        assert!(
            buckets.take(of("10.9.0.1"), 1000),
            "the full ones are forgotten"
        );
    }
}

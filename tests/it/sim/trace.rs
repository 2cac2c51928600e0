//! What happened: the last lines for a failure's report, and a hash over all of them.

use std::collections::VecDeque;

/// Lines kept for a report, unless `ARCTIC_SIM_TRACE` says otherwise.
const KEPT: usize = 400;

#[derive(Clone, Copy)]
struct Line {
    at_ms: u64,
    what: &'static str,
    a: usize,
    b: usize,
    n: u64,
}

/// FNV-1a over every line: two runs of one seed must end with the same value.
pub struct Trace {
    last: VecDeque<Line>,
    kept: usize,
    hash: u64,
    count: u64,
}

impl Trace {
    pub fn new() -> Trace {
        Trace {
            last: VecDeque::new(),
            kept: super::number("ARCTIC_SIM_TRACE").map_or(KEPT, |n| n as usize),
            hash: 0xcbf2_9ce4_8422_2325,
            count: 0,
        }
    }

    /// One event between hosts `a` and `b`; `n` says more.
    pub fn note(&mut self, at_ms: u64, what: &'static str, a: usize, b: usize, n: u64) {
        self.count += 1;
        self.mix(what.as_bytes());
        for word in [at_ms, a as u64, b as u64, n] {
            self.mix(&word.to_be_bytes());
        }
        if self.last.len() >= self.kept {
            self.last.pop_front();
        }
        self.last.push_back(Line {
            at_ms,
            what,
            a,
            b,
            n,
        });
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Lines noted so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last lines, those about one host if it is given.
    pub fn report(&self, host: Option<usize>) -> String {
        let about = |l: &&Line| host.is_none_or(|h| l.a == h || l.b == h);
        let mut text = String::new();
        for l in self.last.iter().filter(about) {
            let line = format!(
                "{:>8} ms  {:<12} {:>3} {:>3}  {:x}\n",
                l.at_ms, l.what, l.a, l.b, l.n
            );
            text.push_str(&line);
        }
        text
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.hash = fnv(self.hash, bytes);
    }
}

/// A hash of a message, for its line.
pub fn digest(bytes: &[u8]) -> u64 {
    fnv(0xcbf2_9ce4_8422_2325, bytes)
}

fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

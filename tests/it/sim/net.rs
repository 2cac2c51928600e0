//! The network: what gets through, and when.

use super::rng::Rng;

/// Who cannot reach whom, what is lost, how long the rest takes.
pub struct Net {
    blocked: Vec<Vec<u32>>,
    /// Of a thousand messages.
    pub loss: u64,
    pub duplicates: u64,
    slow: u64,
    base_ms: u64,
}

impl Net {
    pub fn new(hosts: usize, rng: &mut Rng) -> Net {
        Net {
            blocked: vec![vec![0; hosts]; hosts],
            loss: rng.between(0, 80),
            duplicates: rng.between(0, 40),
            slow: rng.between(0, 40),
            base_ms: rng.between(1, 30),
        }
    }

    /// Every cut counts: two partitions may overlap.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.blocked[from][to] += 1;
    }

    pub fn mend(&mut self, from: usize, to: usize) {
        self.blocked[from][to] = self.blocked[from][to].saturating_sub(1);
    }

    /// No loss and no cuts from now on; delay stays.
    pub fn heal(&mut self) {
        for row in &mut self.blocked {
            row.fill(0);
        }
        (self.loss, self.duplicates, self.slow) = (0, 0, 0);
    }

    /// When a message arrives, if it does. Delays differ, so messages overtake each other.
    pub fn carry(&self, from: usize, to: usize, now_ms: u64, rng: &mut Rng) -> Option<u64> {
        if self.blocked[from][to] > 0 || rng.chance(self.loss) {
            return None;
        }
        let tail = match rng.chance(self.slow) {
            true => rng.between(100, 900),
            false => 0,
        };
        Some(now_ms + rng.between(1, self.base_ms) + tail)
    }
}

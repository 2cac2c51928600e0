//! Properties: what holds of every input, tried on drawn ones.

mod bytes;
mod merge;
mod node;
mod words;

use arctic::domain::{IssueKey, PeerId, SecretKey};
use proptest::test_runner::Config;

/// So many cases; failures are reproduced by their seed, not by a file.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn id(key: &SecretKey, time_ms: u64) -> PeerId {
    PeerId::derive(&key.public(), time_ms)
}

/// One issue of the license for each number.
fn issue(number: u8) -> IssueKey {
    IssueKey::of(&super::host::license(&secret(200), number, 10))
}

//! The wall clock and entropy, read nowhere else.

use crate::domain::{Error, Result, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by this machine's clock. A clock before 1970 reads as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::Internal(format!("no entropy: {e}")))?;
    Ok(bytes)
}

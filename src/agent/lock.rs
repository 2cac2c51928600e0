//! One data directory, one agent: a lock on the directory itself, which the kernel drops with us.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Held as long as the agent runs.
pub struct Lock {
    _dir: File,
}

/// Takes the lock, or says who holds it.
pub fn take(dir: &Path) -> Result<Lock, String> {
    let shown = dir.display();
    let file = File::open(dir).map_err(|e| format!("{shown}: {e}"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock { _dir: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(match holder(&file) {
            Some(pid) => format!("{shown} is in use by another arctic agent, process {pid}"),
            None => format!("{shown} is in use by another arctic agent"),
        }),
        Err(e) => Err(format!("{shown}: {e}")),
    }
}

/// The kernel lists who holds which lock: `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`.
fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours =
            words.get(1) == Some(&"FLOCK") && words.get(5)?.rsplit(':').next() == Some(&inode);
        ours.then(|| words.get(4)?.parse().ok()).flatten()
    })
}

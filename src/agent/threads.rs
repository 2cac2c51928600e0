//! Starting threads: the only place that does.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread. Names have at most 15 bytes, which is what the kernel keeps.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // Recursion is bounded everywhere; the stacks are only touched as far as they are used.
    Builder::new()
        .name(name.to_string())
        .stack_size(512 * 1024)
        .spawn(work)
}

//! How many heaps the threads of an agent share. glibc makes up to eight for each core, and each keeps
//! what it once needed: on a machine with 32 cores an agent grew to twice of what it ever held at one
//! time. glibc is told through the environment, and reads that only when a program starts; other C
//! libraries take no notice.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Two were enough to be as fast, and kept as little as one.
const HEAPS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");
/// Set beside it: a system that withholds the other one from a privileged program must not make this
/// one start over and over.
const AGAIN: &str = "ARCTIC_AGENT_AGAIN";

/// Starts this program again, as the same process, unless somebody has set the number already.
pub fn bound() {
    if !cfg!(target_env = "gnu") || [HEAPS.0, AGAIN].iter().any(|name| is_set(name)) {
        return;
    }
    let mut arguments = std::env::args_os();
    let Some(name) = arguments.next() else { return };
    let failed = std::env::current_exe().map(|program| {
        Command::new(program)
            .arg0(name)
            .args(arguments)
            .env(HEAPS.0, HEAPS.1)
            .env(AGAIN, "1")
            .exec()
    });
    let (Ok(error) | Err(error)) = failed;
    log::warn!(
        "the agent may need more memory than its page says: it cannot start itself: {error}"
    );
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

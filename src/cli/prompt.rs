//! Questions before what cannot be taken back.

use super::fail::{Fail, Outcome};
use super::output::clean;
use super::session::Session;
use std::io::{BufRead, IsTerminal, Read, Write};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024;

/// Refuses now what could not be asked later: before anything is looked up.
pub fn check_can_ask(session: &Session) -> Outcome<()> {
    if session.globals.yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(
        Fail::usage("this asks for confirmation, and standard input is not a terminal")
            .hint("run it again with --yes"),
    )
}

/// Asks `[y/N]` on standard error; anything but a yes is a no.
pub fn confirm(session: &Session, question: &str) -> Outcome<()> {
    if session.globals.yes {
        return Ok(());
    }
    check_can_ask(session)?;
    let mut error = std::io::stderr().lock();
    // A question that cannot be shown is answered by nobody: reading then finds no yes.
    let _ = write!(error, "{} [y/N] ", clean(question)).and_then(|()| error.flush());
    let mut answer = String::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_ANSWER)
        .read_line(&mut answer);
    match read.is_ok() && is_yes(&answer) {
        true => Ok(()),
        false => Err(Fail::failed("cancelled; nothing was changed")),
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(is_yes("y\n") && is_yes("Yes"));
        for no in ["", "\n", "n", "yess", "no", "ye"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}

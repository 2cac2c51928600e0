//! Why a command ended badly: the sentence, the hint, the exit code.

use crate::domain::Code;
use crate::domain::error::Row;
use std::fmt;

/// What the shell learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// Refused, or failed.
    Failed = 1,
    Usage = 2,
    /// The file of saved agents, or its absence.
    Config = 3,
    /// The agent that this command talks to was not reached.
    Unreached = 4,
    /// Credentials, or what they may do.
    Auth = 5,
    /// Some of several failed.
    Partly = 6,
}

/// The result of every command.
pub type Outcome<T> = Result<T, Fail>;

/// A failure as a person and a shell see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    pub exit: Exit,
    pub sentence: String,
    pub hint: Option<String>,
    /// The agent's code, where an agent answered.
    pub code: Option<Code>,
}

impl Fail {
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Fail {
        Fail {
            exit,
            sentence: sentence.into(),
            hint: None,
            code: None,
        }
    }

    pub fn failed(sentence: impl Into<String>) -> Fail {
        Fail::new(Exit::Failed, sentence)
    }

    pub fn usage(sentence: impl Into<String>) -> Fail {
        Fail::new(Exit::Usage, sentence)
    }

    pub fn config(sentence: impl Into<String>) -> Fail {
        Fail::new(Exit::Config, sentence)
    }

    /// A file that could not be read or written.
    pub fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Fail {
        Fail::failed(format!("cannot {what} {}: {error}", path.display()))
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Fail {
        self.hint = Some(hint.into());
        self
    }

    /// What an agent answered with: its sentence, and the row of its code.
    pub fn answered(row: &Row, sentence: impl Into<String>) -> Fail {
        let hint = (!row.hint.is_empty()).then(|| row.hint.to_string());
        Fail {
            exit: Exit::of(row.exit),
            sentence: sentence.into(),
            hint,
            code: Some(row.code),
        }
    }
}

impl Exit {
    fn of(number: u8) -> Exit {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Config,
            Exit::Unreached,
            Exit::Auth,
            Exit::Partly,
        ];
        all.get(usize::from(number))
            .copied()
            .unwrap_or(Exit::Failed)
    }
}

/// A rule of the domain that this side checked itself reads like the agent's own answer.
impl From<crate::domain::Error> for Fail {
    fn from(error: crate::domain::Error) -> Fail {
        let sentence = match error.cause() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let mut fail = Fail::answered(error.code().row(), sentence);
        // The hint of these rows speaks of an agent's log; here the cause is in the sentence.
        if error.cause().is_some() {
            fail.hint = None;
        }
        fail
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_has_an_exit_code_of_ours() {
        for row in crate::domain::error::TABLE {
            assert_eq!(
                Fail::answered(row, "x").exit as u8,
                row.exit,
                "{}",
                row.name
            );
        }
    }
}

//! Commands: run to their end under a deadline, their output kept.

use super::wait::wait_at_most;
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// No command of these tests takes longer, in seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A command that ended.
#[derive(Debug)]
pub struct Done {
    /// How it was called, for the message of a failing test.
    pub call: String,
    /// -1 when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Holds that it succeeded; returns its standard output.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self}");
        &self.stdout
    }

    /// Holds that it failed with this exit code and these words on standard error.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in\n{self}");
        }
        self
    }

    /// Holds that it succeeded and printed these words on standard output.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        self.ok();
        for word in words {
            assert!(self.stdout.contains(word), "no {word:?} in\n{self}");
        }
        self
    }

    /// Its standard output as JSON, whatever its exit code.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON ({e}): {self}"))
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ {}\nexit {}\nstdout: {}\nstderr: {}",
            self.call, self.code, self.stdout, self.stderr
        )
    }
}

/// Runs a command without a terminal and without input.
#[track_caller]
pub fn run(command: &mut Command) -> Done {
    run_with_input(command, "")
}

/// Runs a command that reads `input` from a pipe.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str) -> Done {
    let call = format!("{command:?}");
    command
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|e| panic!("{call} does not start: {e}"));
    if let Some(mut pipe) = child.stdin.take() {
        // A command that refuses its arguments ends without reading: a broken pipe is no failure.
        let _ = pipe.write_all(input.as_bytes());
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let code = code_of(&mut child, &call);
    Done {
        call,
        code,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    }
}

/// Waits for the end of a child; kills it and fails the test at the deadline.
#[track_caller]
pub fn code_of(child: &mut Child, call: &str) -> i32 {
    let ended = wait_at_most(DEADLINE, || {
        child.try_wait().expect("a child can be waited for")
    });
    match ended {
        Some(status) => status.code().unwrap_or(-1),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{call} did not end within {DEADLINE:?}");
        }
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether a program is on the PATH. Where `ARCTIC_TESTS_SKIP_NOTHING` is set, as in CI, a missing
/// one fails the test instead.
#[track_caller]
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    found || skip(&format!("{program} is not installed"))
}

/// Says that a test is skipped, and returns false; fails it where nothing may be skipped.
#[track_caller]
pub fn skip(why: &str) -> bool {
    assert!(
        std::env::var_os("ARCTIC_TESTS_SKIP_NOTHING").is_none(),
        "may not be skipped here: {why}"
    );
    eprintln!("skipped: {why}");
    false
}

//! A command on a pseudo-terminal: what a person sees, and what a person types.

use super::shell::code_of;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug)]
pub struct Seen {
    pub code: i32,
    /// Everything that the terminal showed, both streams and the echo of what was typed.
    pub screen: String,
}

/// Runs a command whose three streams are one terminal. Types `answer` and Enter once the screen
/// shows `question`.
#[track_caller]
pub fn on_terminal(command: &mut Command, question: &str, answer: &str) -> Seen {
    let call = format!("{command:?}");
    let (mut master, slave) = open();
    let shown = watch(master.try_clone().expect("a descriptor can be doubled"));
    command
        .stdin(Stdio::from(
            slave.try_clone().expect("a descriptor can be doubled"),
        ))
        .stdout(Stdio::from(
            slave.try_clone().expect("a descriptor can be doubled"),
        ))
        .stderr(Stdio::from(slave));
    let mut child = command
        .spawn()
        .unwrap_or_else(|e| panic!("{call} does not start: {e}"));
    // The command holds the terminal's other end until it is given new streams.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut screen = String::new();
    let asked = read_until(&shown, &mut screen, |s| s.contains(question));
    if asked {
        writeln!(master, "{answer}").expect("the terminal takes a line");
    }
    let code = code_of(&mut child, &call);
    read_until(&shown, &mut screen, |_| false);
    assert!(
        asked,
        "{call} never showed {question:?}, exit {code}:\n{screen}"
    );
    Seen { code, screen }
}

fn open() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .expect("a pseudo-terminal can be opened");
    grantpt(&master).expect("it can be granted");
    unlockpt(&master).expect("it can be unlocked");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let name = name.into_string().expect("its name is plain text");
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .expect("its other end can be opened");
    (File::from(master), slave)
}

/// Reads until the other end is closed by all that held it, which the system reports as an error.
fn watch(mut master: File) -> Receiver<Vec<u8>> {
    let (tx, rx) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 4096];
        while let Ok(n @ 1..) = master.read(&mut buffer) {
            if tx.send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    rx
}

/// Takes in what is shown until `enough`, the end, or the deadline; says whether it was enough.
fn read_until(
    shown: &Receiver<Vec<u8>>,
    screen: &mut String,
    enough: impl Fn(&str) -> bool,
) -> bool {
    let end = Instant::now() + DEADLINE;
    while !enough(screen) {
        let left = end.saturating_duration_since(Instant::now());
        match shown.recv_timeout(left) {
            Ok(bytes) => screen.push_str(&String::from_utf8_lossy(&bytes)),
            Err(_) => return false,
        }
    }
    true
}

//! Where a puppet is reached: a loopback port whose answers are a script of the test's.

use super::puppet::Puppet;
use arctic::wire::peer::{
    self, CallBack, Frame, HANDSHAKE_PATH, Handshake, HandshakeAnswer, MESSAGE_PATH, Message,
    Refused,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one connection may keep the stage, and how large a request is taken, in bytes.
const PATIENCE: Duration = Duration::from_secs(3);
const MOST_BODY: usize = 512 * 1024;
/// How many requests are remembered.
const MOST_HEARD: usize = 4096;

/// One request that came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub path: String,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn handshake(&self) -> Option<Handshake> {
        let ours = self.path == HANDSHAKE_PATH;
        ours.then(|| peer::read(&self.body).ok()).flatten()
    }

    pub fn call_back(&self) -> Option<CallBack> {
        match self.handshake()? {
            Handshake::CallBack(call) => Some(call),
            _ => None,
        }
    }

    /// The message inside the frame, as a reader that trusts everybody takes it.
    pub fn message(&self) -> Option<Message> {
        if self.path != MESSAGE_PATH {
            return None;
        }
        let frame: Frame = peer::read(&self.body).ok()?;
        peer::read_signed(&frame.payload.0).ok()
    }
}

/// What a script says: a status and a body, or nothing at all, and the connection is closed.
#[derive(Debug, Clone)]
pub struct Line(Option<(u16, Vec<u8>)>);

impl Line {
    pub fn of(shape: &impl serde::Serialize) -> Line {
        Line::with(200, peer::to_bytes(shape))
    }

    pub fn with(status: u16, body: impl Into<Vec<u8>>) -> Line {
        Line(Some((status, body.into())))
    }

    pub fn nothing() -> Line {
        Line(None)
    }
}

/// A port that is taken and where nobody answers yet.
pub struct Booked(TcpListener);

impl Booked {
    pub fn address(&self) -> String {
        // A socket that listens knows where.
        self.0.local_addr().expect("it listens").to_string()
    }

    /// Answers whatever comes, one request after the other, until the stage is dropped.
    pub fn play(self, script: impl FnMut(&Heard) -> Line + Send + 'static) -> Stage {
        let at = self.0.local_addr().expect("it listens");
        let (heard, over): (Arc<Mutex<Vec<Heard>>>, Arc<AtomicBool>) = Default::default();
        let (list, stop) = (heard.clone(), over.clone());
        let thread = std::thread::spawn(move || perform(&self.0, &stop, &list, script));
        Stage {
            at,
            heard,
            over,
            thread: Some(thread),
        }
    }
}

/// The script under way. Dropped, its thread ends and its port is closed.
pub struct Stage {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Takes a port on loopback.
    pub fn book() -> Booked {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has ports");
        Booked(listener)
    }

    pub fn address(&self) -> String {
        self.at.to_string()
    }

    /// Everything that came so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("the script is sound").clone()
    }

    /// How often it was called back.
    pub fn calls_back(&self) -> usize {
        let heard = self.heard();
        heard.iter().filter(|h| h.call_back().is_some()).count()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Whoever waits in accept has to be told.
        let _ = TcpStream::connect_timeout(&self.at, PATIENCE);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the script of a stage failed"
            );
        }
    }
}

fn perform(
    listener: &TcpListener,
    over: &AtomicBool,
    heard: &Mutex<Vec<Heard>>,
    mut script: impl FnMut(&Heard) -> Line,
) {
    while let Ok((stream, _)) = listener.accept() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let Some((request, mut stream)) = read(stream) else {
            continue;
        };
        {
            let mut list = heard.lock().expect("nobody panics holding it");
            if list.len() < MOST_HEARD {
                list.push(request.clone());
            }
        }
        if let Line(Some((status, body))) = script(&request) {
            let head = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.into_bytes(), body].concat());
        }
    }
}

fn read(stream: TcpStream) -> Option<(Heard, TcpStream)> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_string();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; Some(length).filter(|n| *n <= MOST_BODY)?];
    reader.read_exact(&mut body).ok()?;
    Some((Heard { path, body }, reader.into_inner()))
}

impl Puppet {
    /// What an honest agent answers: the script to begin with.
    pub fn honest(&self, heard: &Heard) -> Line {
        match heard.handshake() {
            Some(Handshake::Hello(hello)) => {
                Line::of(&HandshakeAnswer::Challenge(self.challenge(&hello)))
            }
            Some(Handshake::Proof(proof)) => {
                Line::of(&HandshakeAnswer::Welcome(Box::new(self.welcome(&proof))))
            }
            Some(Handshake::CallBack(call)) => match self.called_back(&call) {
                Some(answer) => Line::of(&HandshakeAnswer::CalledBack(answer)),
                None => Line::of(&HandshakeAnswer::Refused {
                    why: Refused::BadProof,
                }),
            },
            None => match heard.message() {
                Some(message) => Line::of(&self.seal_answer(&self.answer(&message))),
                None => Line::nothing(),
            },
        }
    }

    /// A licensed puppet with a stage of its own on which it is honest.
    #[track_caller]
    pub fn honest_at_work(license: &std::path::Path) -> (Puppet, Stage) {
        let booked = Stage::book();
        let puppet = Puppet::at(&booked.address()).licensed(license);
        let own = puppet.clone();
        (puppet, booked.play(move |heard| own.honest(heard)))
    }
}

//! The server and the client over loopback. Times are short, and nothing waits for a time to pass
//! where it can wait for a condition.

mod attacks;
mod calls;
mod intake;
mod requests;
mod stopping;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::server::{Limits, Running, Server, Spawn};
use super::{Allowance, Call, Handler, Reply};
use crate::domain::Error;

/// Longer than anything here takes; reaching it is a failure.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
pub(super) const BODY_LIMIT: usize = 1000;

/// Answers with what it saw. Paths: `/panic`, `/big` (100 kB), `/huge` (8 MB), `/hold` (says so, then
/// waits to be released).
pub(super) struct Echo {
    pub(super) calls: AtomicUsize,
    holding: Sender<()>,
    release: Receiver<()>,
}

impl Handler for Echo {
    fn body_limit(&self, _: &str, path: &str) -> usize {
        if path == "/tiny" { 4 } else { BODY_LIMIT }
    }

    /// A body that begins with `!` is one of somebody known; `/less` takes 200 bytes.
    fn allowance(&self, path: &str, _: IpAddr, beginning: &[u8]) -> Allowance {
        Allowance {
            limit: if path == "/less" { 200 } else { BODY_LIMIT },
            stranger: !beginning.starts_with(b"!"),
        }
    }

    fn answer(&self, call: Call) -> Reply {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = match call.path.as_str() {
            "/panic" => panic!("asked to\npanic"),
            "/big" => vec![b'x'; 100_000],
            "/huge" => vec![b'x'; 8_000_000],
            "/hold" => {
                self.holding.send(()).unwrap();
                let _ = self.release.recv_timeout(PATIENCE);
                b"held".to_vec()
            }
            _ => {
                let body = String::from_utf8_lossy(&call.body);
                format!("{} {} {} [{body}]", call.method, call.path, call.query).into_bytes()
            }
        };
        Reply {
            status: 200,
            headers: vec![("Content-Type", "text/plain".into())],
            body,
        }
    }

    fn refuse(&self, error: &Error) -> Reply {
        Reply {
            status: error.code().row().http_status,
            headers: vec![("Content-Type", "application/json".into())],
            body: format!("{{\"code\":\"{}\"}}", error.code().row().name).into_bytes(),
        }
    }
}

/// A running server with an `Echo` behind it; stopped when dropped.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) echo: Arc<Echo>,
    pub(super) running: Option<Running>,
    pub(super) held: Receiver<()>,
    pub(super) release: Sender<()>,
}

pub(super) fn short() -> Limits {
    Limits {
        per_address: 64,
        idle: Duration::from_millis(600),
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        write: Duration::from_millis(400),
        linger: Duration::from_millis(200),
        tick: Duration::from_millis(25),
        ..Limits::for_connections(64)
    }
}

pub(super) fn real_threads() -> Spawn {
    Arc::new(|name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.into()).spawn(work)
    })
}

pub(super) fn house(limits: Limits) -> House {
    house_with(limits, real_threads())
}

pub(super) fn house_with(limits: Limits, spawn: Spawn) -> House {
    let (holding, held) = unbounded();
    let (release, released) = unbounded();
    let echo = Arc::new(Echo {
        calls: AtomicUsize::new(0),
        holding,
        release: released,
    });
    let server = Server::bind("127.0.0.1:0", limits).unwrap();
    let address = server.local_addr().unwrap();
    let running = server.start(echo.clone(), spawn).unwrap();
    House {
        address,
        echo,
        running: Some(running),
        held,
        release,
    }
}

impl House {
    pub(super) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(super) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(super) fn stop(&mut self, deadline: Duration) -> bool {
        self.running.take().unwrap().stop(deadline)
    }

    /// One honest request on a connection of its own is answered.
    pub(super) fn check_alive(&self) {
        let answer = self.connect().ask("GET /alive HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, "GET /alive  []");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let ended = running.stop(PATIENCE);
            assert!(ended || std::thread::panicking(), "threads were left");
        }
    }
}

/// The raw end of a connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Client {
    pub(super) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).unwrap();
    }

    pub(super) fn ask(&mut self, text: impl AsRef<[u8]>) -> Answer {
        self.send(text);
        self.answer().expect("an answer")
    }

    /// The next answer with its body; `None` when the connection ends instead.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let length = length_of(&head);
        while self.buffer.len() < length {
            self.fill()?;
        }
        let body = self.buffer.drain(..length).collect();
        Some(Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: String::from_utf8(body).unwrap(),
            head,
        })
    }

    /// The next head, its empty line included.
    pub(super) fn head(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.buffer.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            self.fill()?;
        }
    }

    /// Whether the server ends the connection now, without another byte.
    pub(super) fn ends(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().is_none() && self.buffer.is_empty()
    }

    fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => None,
            Ok(n) => {
                self.buffer.extend_from_slice(&piece[..n]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer in time: {error}"),
        }
    }
}

fn length_of(head: &str) -> usize {
    let field = head
        .lines()
        .find_map(|l| l.strip_prefix("Content-Length: "));
    field.map_or(0, |digits| digits.parse().unwrap())
}

/// Waits until it is so.
pub(super) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

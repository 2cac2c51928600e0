//! The server: accepts connections and hands them to a bounded pool of threads.
//!
//! It starts no thread itself: whoever starts it gives it a `Spawn`, so that all threads of a
//! process are made, named and counted in one place.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Handler;
use super::answer::{Shape, print};
use super::book::{Book, Guest, Seat};
use super::connection::{Service, refusal_of, serve};
use super::intake::Accounts;
pub use super::limits::Limits;
use super::throttle::Throttle;
use crate::domain::Error;

/// Starts a thread with this name.
pub type Spawn =
    Arc<dyn Fn(&str, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> + Send + Sync>;

/// Connections that the system keeps for the accept loop.
const BACKLOG: i32 = 1024;
/// The pause after a failed accept. Without descriptors the next one would fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection waits for a thread when there are as many as there may be.
const HAND_WAIT: Duration = Duration::from_secs(1);
/// How long to wait in one go, so that a thread that ended meanwhile is replaced.
const HAND_STEP: Duration = Duration::from_millis(50);

/// A bound address that nobody serves yet.
pub struct Server {
    listener: TcpListener,
    limits: Limits,
}

/// A server at work. Dropping it leaves the threads at work; `stop` ends them.
pub struct Running {
    listener: Arc<TcpListener>,
    book: Arc<Book>,
    threads: Arc<Threads>,
}

impl Server {
    /// Listens; the error is the system's, for instance that the address is in use.
    pub fn bind(listen: impl ToSocketAddrs, limits: Limits) -> io::Result<Server> {
        let listener = TcpListener::bind(listen)?;
        // std asks for 128: a burst of more would wait for a second try of the clients' systems.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Server { listener, limits })
    }

    /// Where it listens; the port is the real one, also when 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves. The threads are named `accept` and `conn-N`; the error is that of the first one.
    pub fn start(self, handler: Arc<dyn Handler>, spawn: Spawn) -> io::Result<Running> {
        let listener = Arc::new(self.listener);
        let book = Book::new(&self.limits);
        let threads = Arc::new(Threads::default());
        let (hand, take) = bounded(0);
        let accept = Accept {
            listener: listener.clone(),
            book: book.clone(),
            service: Arc::new(Service {
                accounts: Accounts::new(&self.limits),
                limits: self.limits,
                handler,
                panics: Throttle::default(),
            }),
            threads: threads.clone(),
            spawn: spawn.clone(),
            hand,
            take,
            started: 0,
            faults: Throttle::default(),
            refusals: Throttle::default(),
        };
        let seat = book.seat();
        threads.keep(spawn("accept", Box::new(move || accept.run(seat)))?);
        Ok(Running {
            listener,
            book,
            threads,
        })
    }
}

impl Running {
    /// Accepts no more, closes idle connections, lets the requests that are being answered finish,
    /// and joins the threads. What is not done at the deadline loses its connection; `false` when
    /// even then a thread did not end, which is left behind.
    pub fn stop(self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        self.book.stop();
        if let Err(error) = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Read) {
            log::warn!("the listener could not be shut down: {error}");
        }
        let drained = self.book.drained(deadline - deadline / 8) || {
            self.book.close_all();
            self.book
                .drained(until.saturating_duration_since(Instant::now()))
        };
        self.threads.join(drained);
        drained
    }

    /// How many connections are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.book.open()
    }

    /// How many threads run, the accept loop included.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.book.threads()
    }
}

/// The handles of the threads that were started.
#[derive(Default)]
struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    /// Keeps one more, and forgets those that have ended.
    fn keep(&self, handle: JoinHandle<()>) {
        // A list of handles is whole after every step, so a poisoned one is too.
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|h| !h.is_finished());
        handles.push(handle);
    }

    /// Joins all of them when all are known to have ended, else those that have.
    fn join(&self, ended: bool) {
        let handles = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles {
            if ended || handle.is_finished() {
                // A panic was the spawner's to report.
                let _ = handle.join();
            }
        }
    }
}

/// The accept loop and what it hands connections to.
struct Accept {
    listener: Arc<TcpListener>,
    book: Arc<Book>,
    service: Arc<Service>,
    threads: Arc<Threads>,
    spawn: Spawn,
    /// Without capacity: a send succeeds only when a thread really waits.
    hand: Sender<Guest>,
    take: Receiver<Guest>,
    started: u64,
    faults: Throttle,
    refusals: Throttle,
}

impl Accept {
    /// Runs until the server stops; no error ends it. Dropping it wakes the parked threads.
    fn run(mut self, _seat: Option<Seat>) {
        loop {
            let accepted = self.listener.accept();
            if self.book.stopped().is_some() {
                return;
            }
            match accepted {
                Ok((stream, from)) => self.welcome(stream, from),
                Err(error) => self.recover(&error),
            }
        }
    }

    /// Out of descriptors, most likely: make room, breathe, go on.
    fn recover(&self, error: &io::Error) {
        self.faults
            .warn(|| format!("a connection could not be accepted: {error}"));
        self.book.evict_oldest();
        self.book.pause(ACCEPT_PAUSE);
    }

    fn welcome(&mut self, stream: TcpStream, from: SocketAddr) {
        if prepare(&stream, self.service.limits.tick).is_err() {
            return; // The client has gone already.
        }
        let stream = Arc::new(stream);
        let guest = self.book.admit(&stream, from.ip().to_canonical());
        let served = guest.is_some_and(|guest| self.hand_over(guest));
        if !served {
            self.turn_away(&stream);
        }
    }

    /// To a parked thread, else to a new one, else to the next that is free; `false` if there is
    /// none in time.
    fn hand_over(&mut self, mut guest: Guest) -> bool {
        let until = Instant::now() + HAND_WAIT;
        loop {
            guest = match self.hand.try_send(guest) {
                Ok(()) => return true,
                Err(back) => back.into_inner(),
            };
            if let Some(seat) = self.book.seat() {
                return self.start_thread(seat, guest);
            }
            guest = match self.hand.send_timeout(guest, HAND_STEP) {
                Ok(()) => return true,
                Err(back) => back.into_inner(),
            };
            if Instant::now() >= until {
                return false;
            }
        }
    }

    fn start_thread(&mut self, seat: Seat, guest: Guest) -> bool {
        self.started += 1;
        let name = format!("conn-{}", self.started);
        let (take, service) = (self.take.clone(), self.service.clone());
        let work = Box::new(move || work(seat, guest, &take, &service));
        match (self.spawn)(&name, work) {
            Ok(handle) => {
                self.threads.keep(handle);
                true
            }
            Err(error) => {
                self.faults
                    .warn(|| format!("a thread could not be started: {error}"));
                false
            }
        }
    }

    /// Says 503 without waiting for anything: this thread has others to accept.
    fn turn_away(&self, stream: &TcpStream) {
        self.refusals
            .warn(|| "a connection was turned away: all are busy".into());
        let reply = refusal_of(&self.service, &Error::Overloaded);
        let shape = Shape {
            last: true,
            ..Shape::default()
        };
        // Best effort: a client that is not ready for it sees the connection close.
        let _ = stream.set_nonblocking(true);
        let _ = (&*stream).write(&print(reply, shape));
        let _ = stream.shutdown(Shutdown::Write);
        // Unread bytes would turn the close into a reset that overtakes the answer.
        let _ = (&*stream).read(&mut [0; 4096]);
    }
}

/// TCP_NODELAY: an answer is one write, so Nagle's algorithm could only delay it.
fn prepare(stream: &TcpStream, tick: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(tick))?;
    stream.set_write_timeout(Some(tick))
}

/// A connection thread: serves what it is handed, and ends when nothing comes for a while.
fn work(_seat: Seat, first: Guest, take: &Receiver<Guest>, service: &Service) {
    let mut next = Some(first);
    while let Some(guest) = next {
        serve(&guest, service);
        drop(guest);
        next = take.recv_timeout(service.limits.park).ok();
    }
}

//! The book of open connections: who may come in, who has to go, who is still here.
//!
//! It is the one thing that the threads of a server share, so it has a lock; nothing waits on a
//! socket while holding it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::limits::Limits;

/// How long a newcomer waits for the place of a connection that was told to go. Its thread is
/// blocked on the socket that was just shut down, so it wakes at once.
const HANDOVER: Duration = Duration::from_secs(1);

/// What a connection is doing, as far as its right to stay depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests: may be closed for a newcomer, and at once when the server stops.
    Idle,
    /// Waits for its client in the middle of a request or an answer: may be closed for a newcomer.
    Waiting,
    /// Its request is being answered: left alone.
    Working,
}

/// All open connections and the number of threads.
pub(super) struct Book {
    cap: usize,
    per_address: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
    stopped: OnceLock<Instant>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<u64, Entry>,
    /// Counts entries and changes of phase: the smaller, the longer ago.
    turn: u64,
    threads: usize,
}

struct Entry {
    stream: Arc<TcpStream>,
    origin: Origin,
    phase: Phase,
    since: u64,
    evicted: bool,
}

/// Whose connection it is: an IPv4 address, or the /64 that one IPv6 host usually owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin(IpAddr);

/// One open connection. Dropping it takes it out of the book.
pub(super) struct Guest {
    book: Arc<Book>,
    id: u64,
    pub(super) stream: Arc<TcpStream>,
    pub(super) remote: IpAddr,
}

/// One running thread. Dropping it takes it off the count.
pub(super) struct Seat(Arc<Book>);

impl Book {
    pub(super) fn new(limits: &Limits) -> Arc<Book> {
        Arc::new(Book {
            cap: limits.connections,
            per_address: limits.per_address,
            inner: Mutex::default(),
            changed: Condvar::new(),
            stopped: OnceLock::new(),
        })
    }

    /// Enters a connection, closing an older one where there are too many; `None` when every other
    /// one is being answered, or the server stops.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        remote: IpAddr,
    ) -> Option<Guest> {
        let origin = Origin::of(remote);
        let mut inner = self.lock();
        if inner.live(|e| e.origin == origin) >= self.per_address {
            inner.evict_oldest(|e| e.origin == origin);
        }
        if inner.live(|_| true) >= self.cap {
            inner.evict_oldest(|_| true);
        }
        if inner.live(|_| true) >= self.cap {
            return None;
        }
        let mut inner = self.wait_while(inner, HANDOVER, |i| i.entries.len() >= self.cap);
        if inner.entries.len() >= self.cap || self.stopped().is_some() {
            return None;
        }
        let id = inner.enter(stream.clone(), origin);
        Some(Guest {
            book: self.clone(),
            id,
            stream: stream.clone(),
            remote,
        })
    }

    /// Closes the connection that has waited for its client the longest, if one does.
    pub(super) fn evict_oldest(&self) {
        self.lock().evict_oldest(|_| true);
    }

    /// Takes a seat for one more thread: one for each connection, and one for the accept loop.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut inner = self.lock();
        if inner.threads > self.cap {
            return None;
        }
        inner.threads += 1;
        Some(Seat(self.clone()))
    }

    /// Closes the idle connections and lets no other become idle.
    pub(super) fn stop(&self) {
        let mut inner = self.lock();
        self.stopped.get_or_init(Instant::now);
        inner.evict_all(|e| e.phase == Phase::Idle);
        self.changed.notify_all();
    }

    /// When the server was told to stop, if it was.
    pub(super) fn stopped(&self) -> Option<Instant> {
        self.stopped.get().copied()
    }

    /// Closes every connection, whatever it is doing.
    pub(super) fn close_all(&self) {
        self.lock().evict_all(|_| true);
    }

    /// Waits until every thread has ended; `false` if some have not after this time.
    pub(super) fn drained(&self, patience: Duration) -> bool {
        let inner = self.lock();
        self.wait_while(inner, patience, |i| i.threads > 0).threads == 0
    }

    /// Waits a moment, less when a connection ends.
    pub(super) fn pause(&self, moment: Duration) {
        let inner = self.lock();
        let open = inner.entries.len();
        drop(self.wait_while(inner, moment, |i| {
            i.entries.len() >= open && self.stopped().is_none()
        }));
    }

    /// How many connections are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.lock().entries.len()
    }

    /// How many threads run.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.lock().threads
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change below is complete before anything can panic: a poisoned book is still true.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        patience: Duration,
        condition: impl Fn(&Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        self.changed
            .wait_timeout_while(inner, patience, |i| condition(i))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

impl Inner {
    fn enter(&mut self, stream: Arc<TcpStream>, origin: Origin) -> u64 {
        self.turn += 1;
        let entry = Entry {
            stream,
            origin,
            phase: Phase::Idle,
            since: self.turn,
            evicted: false,
        };
        self.entries.insert(self.turn, entry);
        self.turn
    }

    fn live(&self, of: impl Fn(&Entry) -> bool) -> usize {
        self.entries
            .values()
            .filter(|e| !e.evicted && of(e))
            .count()
    }

    fn evict_oldest(&mut self, of: impl Fn(&Entry) -> bool) {
        let oldest = self
            .entries
            .values_mut()
            .filter(|e| !e.evicted && e.phase != Phase::Working && of(e))
            .min_by_key(|e| e.since);
        if let Some(entry) = oldest {
            entry.evict();
        }
    }

    fn evict_all(&mut self, of: impl Fn(&Entry) -> bool) {
        for entry in self.entries.values_mut().filter(|e| of(e)) {
            entry.evict();
        }
    }
}

impl Entry {
    /// Its thread wakes with the end of the stream and takes the entry out.
    fn evict(&mut self) {
        self.evicted = true;
        // An error means that the client has closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Origin {
    fn of(address: IpAddr) -> Origin {
        match address.to_canonical() {
            IpAddr::V6(v6) => Origin(Ipv6Addr::from(u128::from(v6) >> 64 << 64).into()),
            v4 => Origin(v4),
        }
    }
}

impl Guest {
    /// Says what the connection does now; `false` if it has to go instead.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        let mut inner = self.book.lock();
        inner.turn += 1;
        let turn = inner.turn;
        let stopping = self.book.stopped().is_some();
        let Some(entry) = inner.entries.get_mut(&self.id) else {
            return false;
        };
        if entry.evicted || (stopping && phase == Phase::Idle) {
            return false;
        }
        if entry.phase != phase {
            entry.phase = phase;
            entry.since = turn;
        }
        true
    }

    /// When the server was told to stop, if it was.
    pub(super) fn stopped(&self) -> Option<Instant> {
        self.book.stopped()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.book.lock().entries.remove(&self.id);
        self.book.changed.notify_all();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_origin() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn the_one_that_waits_the_longest_goes_first() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let book = Book::new(&Limits::for_connections(4));
        let come = || {
            let stream = Arc::new(TcpStream::connect(to).unwrap());
            book.admit(&stream, to.ip()).unwrap()
        };
        let (first, second) = (come(), come());
        // Still idle, so still the first; an answered request would begin its waiting anew.
        assert!(first.enter(Phase::Idle));
        book.evict_oldest();
        assert!(!first.enter(Phase::Waiting) && second.enter(Phase::Waiting));
        let third = come();
        assert!(second.enter(Phase::Working) && second.enter(Phase::Idle));
        book.evict_oldest();
        assert!(!third.enter(Phase::Waiting) && second.enter(Phase::Working));
        book.evict_oldest();
        assert!(
            second.enter(Phase::Idle),
            "one that is being answered stays"
        );
        drop(first);
        assert_eq!(book.open(), 2);
    }
}

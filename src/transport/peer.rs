//! One socket read and written under deadlines, with what was read and not used yet.
//!
//! The socket's own timeouts are ticks: the thread wakes each tick and looks at its deadline and at
//! whether the server stops.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::book::{Guest, Phase};
use super::head::Refusal;
use super::limits::Limits;

/// What one call to the system reads at most.
pub(super) const PIECE: usize = 4 * 1024;

/// Why there is nothing more to read, or nowhere to write.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// The client, or the book, closed the connection.
    Gone,
    /// The deadline passed.
    Late,
    /// The server stops.
    Stopping,
    /// What came is not to be answered by the handler.
    Refused(Refusal),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}

/// The client at the other end.
pub(super) struct Peer<'a> {
    guest: &'a Guest,
    limits: &'a Limits,
    /// Received and not used yet.
    pub(super) buffer: Vec<u8>,
}

impl<'a> Peer<'a> {
    pub(super) fn new(guest: &'a Guest, limits: &'a Limits) -> Peer<'a> {
        Peer {
            guest,
            limits,
            buffer: Vec::new(),
        }
    }

    /// Tells the book; an error when the connection has to go.
    pub(super) fn enter(&self, phase: Phase) -> Result<(), Fault> {
        match self.guest.enter(phase) {
            true => Ok(()),
            false => Err(Fault::Gone),
        }
    }

    /// Waits for the first byte of the next request.
    pub(super) fn await_request(&mut self) -> Result<(), Fault> {
        if !self.buffer.is_empty() {
            return self.enter(Phase::Waiting);
        }
        self.buffer.shrink_to(PIECE);
        self.enter(Phase::Idle)?;
        self.fill(deadline(self.limits.idle))?;
        self.enter(Phase::Waiting)
    }

    /// Reads at least one more byte.
    pub(super) fn fill(&mut self, deadline: Instant) -> Result<(), Fault> {
        // Out of `self`, so that the rest of it can be asked meanwhile.
        let mut buffer = std::mem::take(&mut self.buffer);
        let have = buffer.len();
        if buffer.capacity() < have + PIECE {
            // Doubling would hold twice of what is there.
            buffer.reserve_exact(PIECE.max(have / 8));
        }
        buffer.resize(have + PIECE, 0);
        let read = self.read(&mut buffer[have..], deadline);
        buffer.truncate(have + read.as_ref().unwrap_or(&0));
        self.buffer = buffer;
        read.map(drop)
    }

    /// Writes all of it. Meanwhile the connection may be closed for another one: a client that does
    /// not take its answer has no better right to stay than one that does not finish its request.
    pub(super) fn send(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), Fault> {
        self.enter(Phase::Waiting)?;
        loop {
            match (&*self.guest.stream).write(bytes) {
                Ok(n) if n == bytes.len() => return Ok(()),
                Ok(0) => return Err(Fault::Gone),
                Ok(n) => bytes = &bytes[n..],
                Err(error) if is_tick(&error) => {}
                Err(_) => return Err(Fault::Gone),
            }
            // Also after a write that took something: a byte in each tick is no progress.
            if Instant::now() >= deadline {
                return Err(Fault::Late);
            }
        }
    }

    /// Ends the connection so that the last answer arrives: closing a socket with unread bytes makes
    /// the system reset it, and a reset overtakes what was written (RFC 9112 section 9.6).
    pub(super) fn linger(&mut self) {
        if self.guest.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        if self.enter(Phase::Waiting).is_err() {
            return;
        }
        let until = deadline(self.limits.linger);
        let mut waste = [0; PIECE];
        while self.read(&mut waste, until).is_ok() {}
    }

    fn read(&self, piece: &mut [u8], deadline: Instant) -> Result<usize, Fault> {
        loop {
            let now = Instant::now();
            if self.stops(now) {
                return Err(Fault::Stopping);
            }
            if now >= deadline {
                return Err(Fault::Late);
            }
            match (&*self.guest.stream).read(piece) {
                Ok(0) => return Err(Fault::Gone),
                Ok(n) => return Ok(n),
                Err(error) if is_tick(&error) => {}
                Err(_) => return Err(Fault::Gone),
            }
        }
    }

    /// A request that is on its way when the server stops has one tick to arrive.
    fn stops(&self, now: Instant) -> bool {
        let stopped = self.guest.stopped();
        stopped.is_some_and(|at| now >= at + self.limits.tick)
    }
}

/// The deadline of something that may take this long from now on.
pub(super) fn deadline(patience: Duration) -> Instant {
    Instant::now() + patience
}

fn is_tick(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

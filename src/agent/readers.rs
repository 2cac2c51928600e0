//! Read connections to lend out: at most so many, each to one borrower at a time. One that is open is
//! lent before another is opened: each has descriptors and a page cache of its own.

use crate::domain::{Error, Result};
use crate::store::Reader;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::path::PathBuf;
use std::time::Duration;

/// How long a request waits for a free one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every place is in one of the two channels, or lent.
#[derive(Clone)]
pub struct Readers {
    path: PathBuf,
    open: (Sender<Reader>, Receiver<Reader>),
    /// Rights to open one: an idle agent has few readers.
    unopened: (Sender<()>, Receiver<()>),
}

impl Readers {
    pub fn new(path: PathBuf, count: usize) -> Readers {
        let (open, unopened) = (bounded(count), bounded(count));
        for _ in 0..count {
            // The channel holds exactly this many.
            let _ = unopened.0.try_send(());
        }
        Readers {
            path,
            open,
            unopened,
        }
    }

    /// Borrows a connection for one piece of work.
    pub fn with<T>(&self, work: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        let mut place = self.borrow()?;
        let reader = match place.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        work(place.reader.insert(reader))
    }

    fn borrow(&self) -> Result<Place<'_>> {
        let place = |reader| Place { reader, from: self };
        if let Ok(reader) = self.open.1.try_recv() {
            return Ok(place(Some(reader)));
        }
        select! {
            recv(self.open.1) -> reader => Ok(place(reader.ok())),
            recv(self.unopened.1) -> _ => Ok(place(None)),
            default(PATIENCE) => Err(Error::Overloaded),
        }
    }
}

/// Comes back whatever happens to the borrower.
struct Place<'a> {
    reader: Option<Reader>,
    from: &'a Readers,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Each channel has room for all places.
        let _ = match self.reader.take() {
            Some(reader) => self.from.open.0.try_send(reader).is_ok(),
            None => self.from.unopened.0.try_send(()).is_ok(),
        };
    }
}

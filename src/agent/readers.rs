//! Read connections to lend out: at most so many, each to one borrower at a time.

use crate::domain::{Error, Result};
use crate::store::Reader;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::PathBuf;
use std::time::Duration;

/// How long a request waits for a free one.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Readers {
    path: PathBuf,
    /// A place is either a connection or the right to open one: an idle agent has few.
    give: Sender<Option<Reader>>,
    take: Receiver<Option<Reader>>,
}

impl Readers {
    pub fn new(path: PathBuf, count: usize) -> Readers {
        let (give, take) = bounded(count);
        for _ in 0..count {
            // The channel holds exactly this many.
            let _ = give.try_send(None);
        }
        Readers { path, give, take }
    }

    /// Borrows a connection for one piece of work.
    pub fn with<T>(&self, work: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        let place = self.take.recv_timeout(PATIENCE);
        let mut place = Place {
            reader: place.map_err(|_| Error::Overloaded)?,
            give: &self.give,
        };
        let reader = match place.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        work(place.reader.insert(reader))
    }
}

/// Comes back whatever happens to the borrower.
struct Place<'a> {
    reader: Option<Reader>,
    give: &'a Sender<Option<Reader>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let _ = self.give.try_send(self.reader.take());
    }
}

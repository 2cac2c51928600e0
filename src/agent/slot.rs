//! A place for one answer: one thread fills it, another waits. The channel beside it carries nothing, so
//! that the code of channels is there once and not once for each kind of answer (85 kB).

use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For whoever has the answer.
pub struct Reply<T> {
    place: Arc<Mutex<Option<T>>>,
    filled: Sender<()>,
}

/// For whoever waits.
pub struct Awaited<T> {
    place: Arc<Mutex<Option<T>>>,
    filled: Receiver<()>,
}

pub fn slot<T>() -> (Reply<T>, Awaited<T>) {
    let place = Arc::new(Mutex::new(None));
    let (give, take) = bounded(1);
    let reply = Reply {
        place: place.clone(),
        filled: give,
    };
    let awaited = Awaited {
        place,
        filled: take,
    };
    (reply, awaited)
}

impl<T> Reply<T> {
    /// Whoever asked may have given up.
    pub fn give(self, answer: T) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        let _ = self.filled.try_send(());
    }
}

impl<T> Awaited<T> {
    /// None after this time, or when nobody is left who could answer.
    pub fn take(self, patience: Duration) -> Option<T> {
        self.filled.recv_timeout(patience).ok()?;
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }
}

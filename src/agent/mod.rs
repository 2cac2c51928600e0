//! Floor 5: the only threads and the only clock.
//!
//! Knows: the order of starting and stopping, which thread owns what, how long each may wait. Must
//! never know: what a route or a command line is.
//! Invariant: every thread is named, bounded in number and joined; every queue is bounded; the pulse
//! only tries to send, the usher never waits for a socket.
//!
//! The threads: the server's connections, the `pulse` (owns the node; the gossip heartbeat), the
//! `usher` (handshakes), couriers (calls to others), and the main thread, which waits for signals.

mod clock;
mod couriers;
mod handle;
mod heaps;
mod keyfile;
mod lock;
mod logging;
pub mod os;
mod pulse;
mod readers;
mod reset;
mod run;
mod settings;
mod slot;
mod threads;
mod usher;

pub use handle::Agent;
pub use reset::{ResetFacts, reset, reset_facts};
pub use run::{StartError, run};
pub use settings::{
    DEFAULT_DATA_DIR, DEFAULT_ISSUERS, DEFAULT_LISTEN, DEFAULT_LOG_LEVEL, Settings,
};

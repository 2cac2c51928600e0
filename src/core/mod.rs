//! Floor 1b: the rules of the cluster as state machines without clock, socket, SQL, thread, log or
//! random numbers of their own.
//!
//! Knows: which claim wins, who may enter, whom to probe, what to send to whom. Must never know: how
//! any of it is stored or sent.
//! Invariant: the same inputs give the same outputs; merging is commutative, associative, idempotent.

pub mod admission;
pub mod contact;
pub mod door;
pub mod gossip;
pub mod handshake;
pub mod liveness;
pub mod pace;
pub mod register;
pub mod schedule;
pub mod settle;
#[cfg(test)]
mod tests;

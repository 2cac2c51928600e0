//! Floor 1a: the JSON shapes that leave the process.
//!
//! Knows: field names, sizes. Must never know: who may send what, SQL, sockets.
//! Invariant: a shape of the operator API changes only together with the man page.

pub mod front;
pub mod operator;
pub mod peer;

//! Arctic: peer management for clusters of appliances, in one binary, with threads.
//!
//! # The floors
//!
//! Arrows point down only: a module uses those below it and knows nothing of those above.
//!
//! | floor | module | knows | must never know |
//! |---|---|---|---|
//! | 7 | [`cli`] | arguments, contexts, tables, prompts | sockets, SQL |
//! | 6 | [`api`] | routes, scopes, tokens | sockets, SQL, threads |
//! | 5 | [`agent`] | threads, the clock, entropy, signals, files | routes |
//! | 4 | [`transport`] | TCP, HTTP/1.1, limits | routes, peers |
//! | 3 | [`node`] | register, view, what is owed to others | threads, sockets, the clock |
//! | 2 | [`store`] | tables, transactions | why anything is written |
//! | 1 | [`core`], [`wire`] | the rules; the JSON shapes | how any of it is stored or sent |
//! | 0 | [`domain`] | ids, keys, addresses, licenses, signed records | everything else |
//!
//! # How data flows
//!
//! `peers add`: a connection thread parses the call (transport), finds its route and its caller's
//! scope (api), and knocks at the usher (agent), which drives the handshake machine (node) while
//! couriers make its calls. The responder checks the proof, calls the initiator back, commits and
//! answers; the initiator commits and answers the operator. Everyone else learns by gossip: a record
//! that carries its subject's signature and a license tag is admitted whoever relays it.
//!
//! A beat: the pulse wakes for the node's next deadline, sends a signed probe with whatever news there
//! is, and merges what the signed answer brings. A register hash that differs starts an exchange by
//! digest and delta.
//!
//! # Invariants
//!
//! Held by `tests/it/tidy.rs`: only `store` speaks SQL, only `agent` spawns threads and reads the
//! clock or entropy, only `transport` opens sockets, only `cli` and `main.rs` print or exit.
//! Held by simulation, properties and review: every write is one IMMEDIATE transaction; a member
//! enters only by a handshake or by its own proved record; a tombstone beats every record; only its
//! subject raises an incarnation or ends a membership; a message is heard with a MAC of the license only, and once;
//! every signature covers a context, and bytes are verified before they are interpreted; every queue, body, list and retry has a maximum; liveness deletes nobody;
//! merging is commutative, associative and idempotent.
//!
//! # Words
//!
//! agent (the process) · peer (an agent as another stores it) · member (a peer that has not departed)
//! · register (what all share) and view (what one shows) · record (signed by its subject) · claim
//! (what a message says) · announcement (a deactivation) and the tombstone it leaves ·
//! local deletion · incarnation · license tag · issuer · outbox. One word, one meaning; `node` only
//! for the object of floor 3, and in the license's `max_nodes`.
#![forbid(unsafe_code)]

pub mod agent;
pub mod api;
pub mod cli;
pub mod core;
pub mod domain;
pub mod node;
pub mod store;
pub mod transport;
pub mod wire;

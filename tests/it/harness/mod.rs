//! The laboratory: real agents as processes, throwaway licenses, temporary directories.
//!
//! Knows: how to start, stop, ask and watch agents. Must never know: what they ought to answer.
//! Invariant: whatever a test does, no process and no file outlives it, and nothing waits without
//! a deadline.

mod agent;
mod crowd;
mod http;
mod lab;
mod process;
mod puppet;
mod shell;
mod stage;
mod terminal;
mod wait;

pub use agent::{Agent, Credentials};
pub use crowd::{Crowd, from};
pub use http::{Answer, Connection, Request};
pub use lab::{Lab, all_know_all};
pub use puppet::{Puppet, Target, post, random, say};
pub use shell::{Done, have, run, run_with_input, skip};
pub use stage::{Heard, Line, Stage};
pub use terminal::on_terminal;
pub use wait::{LATER, SOON, wait_at_most, wait_until};

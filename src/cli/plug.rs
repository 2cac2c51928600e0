//! Where the command line meets floors 5 and 6: an agent is run with the API on top.

use crate::agent;
use std::path::Path;

pub use crate::agent::{ResetFacts, Settings};

pub fn run(_settings: Settings) -> Result<(), String> {
    Err("this build has no agent".into())
}

pub fn reset_facts(dir: &Path) -> Result<ResetFacts, String> {
    agent::reset_facts(dir)
}

pub fn reset(dir: &Path) -> Result<(), String> {
    agent::reset(dir)
}

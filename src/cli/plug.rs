//! Where the command line meets floors 5 and 6: an agent is run with the API on top.

use crate::agent;
use crate::api::Api;
use crate::api::live::Live;
use std::path::Path;
use std::sync::Arc;

pub use crate::agent::{ResetFacts, Settings};

pub fn run(settings: Settings) -> Result<(), String> {
    agent::run(settings, |agent| {
        Arc::new(Api::new(Box::new(Live::new(agent))))
    })
    .map_err(|e| e.to_string())
}

pub fn reset_facts(dir: &Path) -> Result<ResetFacts, String> {
    agent::reset_facts(dir)
}

pub fn reset(dir: &Path) -> Result<(), String> {
    agent::reset(dir)
}

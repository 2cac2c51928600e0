//! What an agent is started with.

use crate::domain::{Address, Customer};
use std::path::PathBuf;

pub const DEFAULT_LISTEN: &str = "0.0.0.0:8080";
pub const DEFAULT_DATA_DIR: &str = "/var/lib/arctic";
pub const DEFAULT_ISSUERS: &str = "/etc/arctic/issuers";
pub const DEFAULT_LOG_LEVEL: log::LevelFilter = log::LevelFilter::Info;

#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: String,
    pub advertise: Option<Address>,
    pub data_dir: PathBuf,
    pub issuers: PathBuf,
    pub customer: Option<Customer>,
    pub log_level: log::LevelFilter,
    /// End when standard input does: whoever started this agent is gone.
    pub die_with_stdin: bool,
    /// Removed when standard input ends: the throwaway directory of `arctic dev`.
    pub remove_on_eof: Option<PathBuf>,
    /// Where to write the address that was bound.
    pub port_file: Option<PathBuf>,
}

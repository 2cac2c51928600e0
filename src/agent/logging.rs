//! Log lines on standard error. Under systemd the journal adds the time and reads the priority from
//! `<N>` (sd-daemon(3)).

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};
use std::io::{LineWriter, Write, stderr};

/// Only our own lines: the HTTP client would write whole requests at the finer levels.
const OURS: &str = "arctic";

/// Starts logging once for the process; a second call changes nothing.
pub fn start(level: LevelFilter) {
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        if log::set_boxed_logger(Box::new(Journal { level })).is_ok() {
            log::set_max_level(level);
        }
        return;
    }
    let config = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .add_filter_allow_str(OURS)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .build();
    // Without a LineWriter every word of a line is a write of its own.
    let _ = WriteLogger::init(level, config, LineWriter::new(stderr()));
}

struct Journal {
    level: LevelFilter,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && metadata.target().starts_with(OURS)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("<{}>{}\n", priority(record.level()), record.args());
            let _ = stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

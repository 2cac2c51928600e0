//! Floor 7: arguments, contexts, calls, tables, prompts.
//!
//! Knows: what a person types and reads, where contexts are kept, which exit code means what. Must
//! never know: sockets (all calls go through `http`), threads, SQL.
//! Invariant: results go to standard output and nothing else does; no secret is printed but where
//! that is the command's purpose; no unresolved word goes into a path.

mod agent;
mod args;
mod argv;
mod bootstrap;
mod call;
mod cluster;
mod commands;
mod config;
mod context;
mod credentials;
mod dev;
mod fail;
mod http;
mod ids;
mod issuer;
mod license;
#[cfg(test)]
mod man_tests;
mod output;
mod peers;
mod plug;
mod prompt;
mod services;
mod session;
mod target;

use args::{Command, Globals};
use argv::Asked;
use fail::{Exit, Fail, Outcome};
use session::Session;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command that the arguments name; the first argument is the program.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let exit = match run(args) {
        Ok(()) => Exit::Done,
        Err(fail) => {
            output::show_failure(&fail);
            fail.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run(args: impl Iterator<Item = OsString>) -> Outcome<()> {
    let words: Vec<String> = args
        .skip(1)
        .map(OsString::into_string)
        .collect::<Result<_, _>>()
        .map_err(|_| Fail::usage("an argument is not UTF-8"))?;
    match argv::parse(&words)? {
        Asked::Version => output::print(concat!("arctic ", env!("CARGO_PKG_VERSION"), "\n")),
        Asked::Help(text) => output::print(&text),
        Asked::Run(globals, command) => dispatch(globals, *command),
    }
}

fn dispatch(globals: Globals, command: Command) -> Outcome<()> {
    let session = &Session::new(globals)?;
    match command {
        Command::Dev(args) => dev::run(session, &args),
        Command::Agent(args) => agent::run(session, args.what),
        Command::Bootstrap(args) => bootstrap::run(session, &args),
        Command::Peers(args) => peers::run(session, args.what),
        Command::Services(args) => services::run(session, args.what),
        Command::License(args) => license::run(session, args.what),
        Command::Cluster(args) => cluster::run(session, args.what),
        Command::Health(args) => cluster::health(session, &args),
        Command::Token(_) => cluster::token(session),
        Command::Credentials(args) => credentials::run(session, args.what),
        Command::Config(args) => config::run(session, args.what),
    }
}

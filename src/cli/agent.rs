//! `arctic agent`: from flags and environment to the settings of an agent, and its end.

use super::args::{AgentReset, AgentRun, AgentWhat};
use super::fail::{Fail, Outcome};
use super::output::{self, Report, View};
use super::plug::{self, ResetFacts, Settings};
use super::prompt;
use super::session::Session;
use crate::agent::{DEFAULT_DATA_DIR, DEFAULT_ISSUERS, DEFAULT_LISTEN, DEFAULT_LOG_LEVEL};
use crate::domain::{Address, Customer};
use std::path::PathBuf;

pub fn run(session: &Session, what: AgentWhat) -> Outcome<()> {
    session.only_one()?;
    match what {
        AgentWhat::Run(args) => {
            let settings = settings(args, |name| std::env::var(name).ok())?;
            plug::run(settings).map_err(Fail::failed)
        }
        AgentWhat::Reset(args) => reset(session, &args),
    }
}

/// Each setting: the flag, then the environment, then the default. An empty variable is none, as
/// an unset line of `/etc/default/arctic` leaves it.
fn settings(args: AgentRun, env: impl Fn(&str) -> Option<String>) -> Outcome<Settings> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let path = |name: &str| env(name).map(PathBuf::from);
    let or_default = |default: &str| PathBuf::from(default);
    Ok(Settings {
        listen: args
            .listen
            .or_else(|| env("ARCTIC_LISTEN"))
            .unwrap_or_else(|| DEFAULT_LISTEN.into()),
        advertise: match args.advertise {
            Some(address) => Some(address),
            None => parsed(env("ARCTIC_ADVERTISE"), "ARCTIC_ADVERTISE", Address::parse)?,
        },
        data_dir: args
            .data_dir
            .or_else(|| path("ARCTIC_DATA_DIR"))
            .unwrap_or_else(|| or_default(DEFAULT_DATA_DIR)),
        issuers: args
            .issuers
            .or_else(|| path("ARCTIC_ISSUERS"))
            .unwrap_or_else(|| or_default(DEFAULT_ISSUERS)),
        customer: match args.customer {
            Some(customer) => Some(customer),
            None => parsed(
                env("ARCTIC_CUSTOMER"),
                "ARCTIC_CUSTOMER",
                Customer::parse_word,
            )?,
        },
        log_level: log_level(args.log_level.or_else(|| env("ARCTIC_LOG_LEVEL")))?,
        die_with_stdin: args.die_with_stdin,
        // Both are between `arctic dev` and its agents.
        remove_on_eof: path("ARCTIC_DEV_DIR").filter(|_| args.die_with_stdin),
        port_file: path("ARCTIC_PORT_FILE"),
    })
}

fn parsed<T>(
    value: Option<String>,
    name: &str,
    parse: impl Fn(&str) -> crate::domain::Result<T>,
) -> Outcome<Option<T>> {
    let fault = |e: crate::domain::Error| Fail::usage(format!("{name}: {e}"));
    value.map(|text| parse(&text).map_err(fault)).transpose()
}

fn log_level(word: Option<String>) -> Outcome<log::LevelFilter> {
    let Some(word) = word else {
        return Ok(DEFAULT_LOG_LEVEL);
    };
    word.parse().map_err(|_| {
        Fail::usage(format!(
            "log level '{}' is none of off, error, warn, info, debug, trace",
            output::clean(&word)
        ))
    })
}

fn reset(session: &Session, args: &AgentReset) -> Outcome<()> {
    prompt::check_can_ask(session)?;
    let dir = args.data_dir.display();
    if !args.data_dir.is_dir() {
        return Err(Fail::failed(format!("{dir} is not a directory")));
    }
    let facts = plug::reset_facts(&args.data_dir).map_err(Fail::failed)?;
    if facts.member && !facts.deactivated && !args.force {
        return Err(
            Fail::failed("this agent is a member of its cluster and has not removed itself").hint(
                "start it and run 'arctic peers remove-self' first, or use --force and delete it from the others; if this is the copy of an agent that lives elsewhere (a cloned disk): --force here, do not remove-self",
            ),
        );
    }
    if let Some(remark) = open_acknowledgements(&facts) {
        output::note(&remark);
    }
    prompt::confirm(session, &reset_question(&facts, &dir.to_string()))?;
    plug::reset(&args.data_dir).map_err(Fail::failed)?;
    session.write(Report {
        json: format!(
            "{{\"reset\":true,\"peer_id\":{}}}",
            output::json(&facts.peer_id)
        ),
        view: View::line(format!("Reset the agent in {dir}")),
    })
}

fn reset_question(facts: &ResetFacts, dir: &str) -> String {
    let who = facts.peer_id.as_deref().unwrap_or("the agent");
    format!("Delete the identity and the database of {who} in {dir}? This cannot be undone.")
}

/// Who will not hear of the removal from this agent any more; also said where nothing is asked.
fn open_acknowledgements(facts: &ResetFacts) -> Option<String> {
    match facts.open_acks {
        0 => None,
        1 => Some("One member has not acknowledged this agent's removal yet.".into()),
        n => Some(format!(
            "{n} members have not acknowledged this agent's removal yet."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fail::Exit;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.to_string())
        }
    }

    #[test]
    fn flag_then_environment_then_default() {
        let plain = settings(AgentRun::default(), env(&[("ARCTIC_LISTEN", "")])).unwrap();
        assert_eq!(plain.listen, DEFAULT_LISTEN);
        assert_eq!(plain.data_dir, PathBuf::from(DEFAULT_DATA_DIR));
        assert_eq!(plain.log_level, log::LevelFilter::Info);
        let vars = [
            ("ARCTIC_LISTEN", "127.0.0.1:1"),
            ("ARCTIC_ADVERTISE", "a:2"),
            ("ARCTIC_DATA_DIR", "/d"),
            ("ARCTIC_CUSTOMER", "acme"),
            ("ARCTIC_LOG_LEVEL", "DEBUG"),
            ("ARCTIC_DEV_DIR", "/t"),
        ];
        let set = settings(AgentRun::default(), env(&vars)).unwrap();
        assert_eq!(set.advertise, Address::parse("a:2").ok());
        assert_eq!(set.customer, Customer::parse("cust_acme").ok());
        assert_eq!(set.log_level, log::LevelFilter::Debug);
        // An agent that nobody watches over removes nothing.
        assert_eq!(set.remove_on_eof, None);
        let flags = AgentRun {
            listen: Some("b:3".into()),
            die_with_stdin: true,
            ..AgentRun::default()
        };
        let both = settings(flags, env(&vars)).unwrap();
        assert_eq!(
            (both.listen.as_str(), both.data_dir.to_str()),
            ("b:3", Some("/d"))
        );
        assert_eq!(both.remove_on_eof, Some(PathBuf::from("/t")));
    }

    #[test]
    fn a_bad_variable_is_named() {
        for (name, value) in [
            ("ARCTIC_ADVERTISE", "0.0.0.0:1"),
            ("ARCTIC_CUSTOMER", "a b"),
            ("ARCTIC_LOG_LEVEL", "loud"),
        ] {
            let fail = settings(AgentRun::default(), env(&[(name, value)]))
                .err()
                .unwrap();
            assert_eq!(fail.exit, Exit::Usage);
        }
    }
}

//! Which agent a command is about, and with which token: a flag goes before the environment, that
//! before what is saved.
//!
//! Invariant: what a flag or the environment says and cannot be understood, or not be found, ends the
//! command. It never talks to another agent instead.

use super::args::Globals;
use super::fail::{Fail, Outcome};
use super::http::BaseUrl;
use super::session::read_secret;

const URL: &str = "ARCTIC_URL";
const CONTEXT: &str = "ARCTIC_CONTEXT";
const TOKEN: &str = "ARCTIC_TOKEN";

/// An agent, as flags and environment name it.
#[derive(Debug, PartialEq)]
pub enum Target {
    Url(BaseUrl),
    /// A context's name or peer id, and what it was said by.
    Context(String, &'static str),
    /// Neither names one: what is saved decides.
    Saved,
}

/// What the environment says. A variable that is empty is not set.
#[derive(Default)]
pub struct Environment {
    url: Option<String>,
    context: Option<String>,
    /// A secret; so no `Debug`.
    token: Option<String>,
}

impl Environment {
    pub fn read() -> Environment {
        // What is not UTF-8 is no URL, no context and no token, but it is set.
        let set = |name| {
            let value = std::env::var_os(name)?.to_string_lossy().into_owned();
            Some(value).filter(|v| !v.is_empty())
        };
        Environment {
            url: set(URL),
            context: set(CONTEXT),
            token: set(TOKEN),
        }
    }

    /// The variable that names an agent, if one does.
    pub fn names_by(&self) -> Option<&'static str> {
        let url = self.url.as_ref().map(|_| URL);
        url.or(self.context.as_ref().map(|_| CONTEXT))
    }

    /// Every variable that is set.
    pub fn variables(&self) -> Vec<&'static str> {
        [
            (URL, &self.url),
            (CONTEXT, &self.context),
            (TOKEN, &self.token),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|_| name))
        .collect()
    }

    pub fn token(&self) -> Outcome<Option<String>> {
        let token = self.token.as_deref().map(check_token).transpose();
        token.map_err(|fail| said_by(TOKEN, fail))
    }

    fn target(&self) -> Outcome<Target> {
        match (&self.url, &self.context) {
            (Some(_), Some(_)) => Err(Fail::usage(format!(
                "{URL} and {CONTEXT} are both set, and either names an agent"
            ))
            .hint("unset one of them, or name the agent with --url or --context")),
            (Some(url), None) => BaseUrl::parse(url)
                .map(Target::Url)
                .map_err(|fail| said_by(URL, fail)),
            (None, Some(word)) => Ok(Target::Context(word.clone(), CONTEXT)),
            (None, None) => Ok(Target::Saved),
        }
    }
}

impl Target {
    pub fn of(globals: &Globals, environment: &Environment) -> Outcome<Target> {
        match (&globals.url, &globals.context) {
            (Some(url), _) => BaseUrl::parse(url).map(Target::Url),
            (None, Some(word)) => Ok(Target::Context(word.clone(), "--context")),
            (None, None) => environment.target(),
        }
    }
}

/// A failure that names what led to it.
pub fn said_by(name: &str, fail: Fail) -> Fail {
    Fail {
        sentence: format!("{name}: {}", fail.sentence),
        ..fail
    }
}

/// The token that a flag gives.
pub fn flag_token(globals: &Globals) -> Outcome<Option<String>> {
    match (&globals.token, &globals.token_file) {
        (Some(token), _) => check_token(token).map(Some),
        (None, Some(file)) => check_token(&read_secret(file, "token")?).map(Some),
        (None, None) => Ok(None),
    }
}

/// A token goes into a header: nothing else may ride on it.
fn check_token(text: &str) -> Outcome<String> {
    match !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(text.to_string()),
        false => Err(Fail::config(
            "the access token is not one word of printable characters",
        )),
    }
}

//! One run of the command line: its global flags, the contexts, and which agent it talks to.

use super::args::{Format, Globals};
use super::call::{Agent, Auth};
use super::context::{ConfigFile, Contexts};
use super::fail::{Exit, Fail, Outcome};
use super::http::{BaseUrl, Http};
use super::output::{self, Cell, Report, Table};
use super::target::{self, Environment, Target};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;
/// The longest secret or token that is read from a file, in bytes.
const MAX_SECRET: u64 = 16 * 1024;

pub struct Session {
    pub globals: Globals,
    /// Nowhere, if there is no home; only commands that need contexts mind.
    file: Outcome<ConfigFile>,
    environment: Environment,
    /// The token that was given by a flag; read once, since it may come from standard input.
    flag_token: Option<String>,
    http: Http,
}

impl Session {
    pub fn new(globals: Globals) -> Outcome<Session> {
        let targets = [
            globals.url.is_some(),
            globals.context.is_some(),
            globals.all_contexts,
        ];
        if targets.iter().filter(|given| **given).count() > 1 {
            return Err(Fail::usage(
                "--url, --context and --all-contexts exclude each other",
            ));
        }
        if globals.token.is_some() && globals.token_file.is_some() {
            return Err(Fail::usage("--token and --token-file exclude each other"));
        }
        if globals.all_contexts && (globals.token.is_some() || globals.token_file.is_some()) {
            return Err(Fail::usage(
                "--all-contexts uses each context's own credentials: leave out --token and --token-file",
            ));
        }
        Ok(Session {
            environment: Environment::read(),
            file: ConfigFile::locate(globals.config.as_deref()),
            flag_token: target::flag_token(&globals)?,
            http: Http::new(),
            globals,
        })
    }

    pub fn file(&self) -> Outcome<&ConfigFile> {
        self.file.as_ref().map_err(Fail::clone)
    }

    pub fn format(&self) -> Format {
        match self.globals.json {
            true => Format::Json,
            false => self.globals.output.unwrap_or(Format::Table),
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.globals.timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS))
    }

    /// An agent without credentials, for calls that need none.
    pub fn stranger(&self, url: BaseUrl) -> Agent<'_> {
        Agent::new(&self.http, url, Auth::None, self.timeout())
    }

    pub fn with_client(&self, url: BaseUrl, id: &str, secret: &str) -> Agent<'_> {
        let auth = Auth::Client {
            id: id.to_string(),
            secret: secret.to_string(),
        };
        Agent::new(&self.http, url, auth, self.timeout())
    }

    /// The agent for a command that needs credentials.
    pub fn agent(&self) -> Outcome<Agent<'_>> {
        self.with_credentials(self.agent_or_stranger()?)
    }

    /// The agent that flags, environment and contexts point to, with credentials where there are any.
    pub fn agent_or_stranger(&self) -> Outcome<Agent<'_>> {
        self.choose(self.given_token()?)
    }

    /// The agent with its saved credentials, for what a given token is of no use for.
    pub fn client(&self) -> Outcome<Agent<'_>> {
        match self.flag_token {
            Some(_) => Err(Fail::usage(
                "this uses saved credentials: leave out --token and --token-file",
            )),
            None => self.with_credentials(self.choose(None)?),
        }
    }

    fn with_credentials<'s>(&self, agent: Agent<'s>) -> Outcome<Agent<'s>> {
        match (agent.has_credentials(), self.target()?) {
            (true, _) => Ok(agent),
            (false, Target::Saved) => Err(no_current(&self.file()?.read()?)),
            (false, _) => Err(agent.no_credentials()),
        }
    }

    fn choose(&self, token: Option<String>) -> Outcome<Agent<'_>> {
        let target = self.target()?;
        let contexts = self.contexts(&target)?;
        let context = match &target {
            Target::Url(url) => match contexts.with_url(&url.text()) {
                Some(context) => context,
                None => return Ok(self.tokened(url.clone(), token)),
            },
            Target::Context(word, from) => contexts
                .find(word)
                .map_err(|fail| target::said_by(from, fail))?,
            Target::Saved => match contexts.current() {
                Some(context) => context,
                None if contexts.contexts.is_empty() => {
                    return Ok(self.tokened(BaseUrl::parse(DEFAULT_URL)?, token));
                }
                None => return Err(no_current(&contexts)),
            },
        };
        let agent = Agent::of_context(&self.http, context, self.timeout())?;
        Ok(match token {
            Some(token) => self.tokened(agent.url, Some(token)).named(&context.name),
            None => agent,
        })
    }

    fn target(&self) -> Outcome<Target> {
        Target::of(&self.globals, &self.environment)
    }

    /// What is saved. A command that names a URL may run where there is no place for contexts.
    fn contexts(&self, target: &Target) -> Outcome<Contexts> {
        match (&self.file, target) {
            (Err(_), Target::Url(_)) => Ok(Contexts::default()),
            _ => self.file()?.read(),
        }
    }

    fn tokened(&self, url: BaseUrl, token: Option<String>) -> Agent<'_> {
        let auth = token.map_or(Auth::None, Auth::Token);
        Agent::new(&self.http, url, auth, self.timeout())
    }

    fn given_token(&self) -> Outcome<Option<String>> {
        match &self.flag_token {
            Some(token) => Ok(Some(token.clone())),
            None => self.environment.token(),
        }
    }

    /// The agent of `--url` or `ARCTIC_URL`, for what makes a context of it.
    pub fn named_url(&self) -> Outcome<BaseUrl> {
        match self.target()? {
            Target::Url(url) => Ok(url),
            _ => Err(Fail::usage("--url is missing: which agent?")),
        }
    }

    /// Where `bootstrap` goes: without a name only where nobody could be meant but this.
    pub fn new_agents_url(&self) -> Outcome<BaseUrl> {
        match self.target()? {
            Target::Saved if self.file()?.read()?.contexts.is_empty() => {
                BaseUrl::parse(DEFAULT_URL)
            }
            _ => self.named_url(),
        }
    }

    /// Says that commands do not go by the current context, where that is so.
    pub fn remark_environment(&self) {
        if let Some(name) = self.environment.names_by() {
            output::note(&format!(
                "{name} is set, and goes before the current context."
            ));
        }
    }

    /// The variables that are set and say something about agents or tokens.
    pub fn variables(&self) -> Vec<&'static str> {
        self.environment.variables()
    }

    /// Runs a command on the chosen agent, or side by side on all, and writes what it says.
    pub fn show(
        &self,
        credentials: Need,
        command: impl Fn(&Agent) -> Outcome<Report>,
    ) -> Outcome<()> {
        if self.globals.all_contexts {
            return self.show_all(command);
        }
        let agent = match credentials {
            Need::Yes => self.agent()?,
            Need::No => self.agent_or_stranger()?,
        };
        let report = command(&agent).map_err(|fail| self.explain(fail, &agent))?;
        self.write(report)
    }

    /// Runs a command that speaks to one agent only.
    pub fn show_one(&self, command: impl Fn(&Agent) -> Outcome<Report>) -> Outcome<()> {
        self.only_one()?;
        self.show(Need::Yes, command)
    }

    pub fn only_one(&self) -> Outcome<()> {
        match self.globals.all_contexts {
            true => Err(Fail::usage(
                "--all-contexts works with commands that read, and with 'peers update'",
            )),
            false => Ok(()),
        }
    }

    pub fn write(&self, report: Report) -> Outcome<()> {
        match self.format() {
            Format::Json => output::print(&output::pretty(&report.json)),
            Format::Table => {
                let colour = output::colour_on(&std::io::stdout());
                output::print(&report.view.render(colour))
            }
        }
    }

    fn show_all(&self, command: impl Fn(&Agent) -> Outcome<Report>) -> Outcome<()> {
        let contexts = self.file()?.read()?;
        if contexts.contexts.is_empty() {
            let hint = no_current(&contexts).hint.unwrap_or_default();
            return Err(Fail::config("no contexts are saved").hint(hint));
        }
        let mut results = Vec::new();
        for context in &contexts.contexts {
            let result = Agent::of_context(&self.http, context, self.timeout())
                .and_then(|agent| command(&agent).map_err(|fail| self.explain(fail, &agent)));
            results.push((context.name.clone(), context.url.clone(), result));
        }
        let failed = summary(&results);
        match self.format() {
            Format::Json => output::print(&output::pretty(&side_by_side_json(&results)))?,
            Format::Table => print_side_by_side(results)?,
        }
        failed.map_or(Ok(()), Err)
    }

    /// Adds what only this side knows: which agent was asked, and why that one.
    fn explain(&self, fail: Fail, agent: &Agent) -> Fail {
        if fail.sentence != crate::domain::Error::AddressIsSelf.to_string() {
            return fail;
        }
        let by_flag = self.globals.url.is_some() || self.globals.context.is_some();
        let why = match self.environment.names_by() {
            Some(name) if !by_flag => format!(", because of {name}"),
            _ => String::new(),
        };
        let hint = format!(
            "this command talks to {}{why}; choose another agent with '--context PEER_ID_OR_NAME'",
            agent.called()
        );
        fail.hint(hint)
    }
}

/// Whether a command can do without credentials.
#[derive(Clone, Copy, PartialEq)]
pub enum Need {
    Yes,
    No,
}

type Results = [(String, String, Outcome<Report>)];

/// Nothing when all went well; all failing alike that failure; else "partly failed".
fn summary(results: &Results) -> Option<Fail> {
    let fails: Vec<&Fail> = results.iter().filter_map(|r| r.2.as_ref().err()).collect();
    let first = fails.first()?;
    let alike = fails.len() == results.len() && fails.iter().all(|f| f.exit == first.exit);
    let exit = if alike { first.exit } else { Exit::Partly };
    Some(Fail::new(
        exit,
        format!("{} of {} contexts failed", fails.len(), results.len()),
    ))
}

fn side_by_side_json(results: &Results) -> String {
    let items: Vec<String> = results
        .iter()
        .map(|(name, url, result)| {
            let (ok, field, value) = match result {
                Ok(report) => (true, "result", report.json.clone()),
                Err(fail) => (false, "error", output::json(&fail.sentence)),
            };
            let (name, url) = (output::json(name), output::json(url));
            format!("{{\"context\":{name},\"url\":{url},\"ok\":{ok},\"{field}\":{value}}}")
        })
        .collect();
    format!("[{}]", items.join(","))
}

fn print_side_by_side(results: Vec<(String, String, Outcome<Report>)>) -> Outcome<()> {
    let mut all = Table {
        head: Vec::new(),
        rows: Vec::new(),
    };
    for (name, _, result) in results {
        match result {
            Ok(report) => {
                let table = report.view.into_table();
                all.head = ["CONTEXT"].into_iter().chain(table.head).collect();
                let width = all.head.len() - 1;
                // An agent with nothing to list has answered too.
                if table.rows.is_empty() {
                    let empty = vec![Cell::or_dash(""); width];
                    all.rows.push([vec![Cell::new(&name)], empty].concat());
                }
                for row in table.rows {
                    all.rows.push([vec![Cell::new(&name)], row].concat());
                }
            }
            Err(fail) => output::show_failure(&Fail {
                sentence: format!("{name}: {}", fail.sentence),
                ..fail
            }),
        }
    }
    match all.head.is_empty() {
        true => Ok(()),
        false => output::print(&all.render(output::colour_on(&std::io::stdout()))),
    }
}

fn no_current(contexts: &Contexts) -> Fail {
    let fail = Fail::config("no current context");
    match contexts.contexts.is_empty() {
        true => fail.hint(
            "save an agent with 'arctic bootstrap' or 'arctic config add-peer', or name one with --url (ARCTIC_URL) and give a token with --token-file (ARCTIC_TOKEN)",
        ),
        false => fail.hint("choose one with 'arctic config use-peer', --context or ARCTIC_CONTEXT; see 'arctic config list-peers'"),
    }
}

/// Reads a secret from a file, or from standard input for `-`, without the newline at its end.
pub fn read_secret(file: &str, what: &str) -> Outcome<String> {
    let bytes = read_bounded(file, MAX_SECRET, what)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Fail::config(format!("the {what} in {file} is not text")))?;
    let text = text.trim();
    match text.is_empty() {
        true => Err(Fail::config(format!("the {what} in {file} is empty"))),
        false => Ok(text.to_string()),
    }
}

/// Reads a whole file, or standard input for `-`, if it is no longer than `limit` bytes.
pub fn read_bounded(file: &str, limit: u64, what: &str) -> Outcome<Vec<u8>> {
    let path = Path::new(file);
    let fault = |e: &std::io::Error| Fail::file(&format!("read the {what}"), path, e);
    let mut bytes = Vec::new();
    let read = match file {
        "-" => std::io::stdin().take(limit + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|f| f.take(limit + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|e| fault(&e))?;
    match bytes.len() as u64 > limit {
        true => Err(Fail::failed(format!(
            "the {what} in {file} is longer than {limit} bytes"
        ))),
        false => Ok(bytes),
    }
}

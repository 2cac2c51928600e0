//! `arctic dev`: a throwaway cluster on loopback, in one command.
//!
//! Invariant: however it ends, nothing is left. The agents hold the other end of a pipe and end with
//! it; whoever is last removes the directory.

use super::args::Dev;
use super::call::Agent;
use super::context::{ConfigFile, Context};
use super::fail::{Fail, Outcome};
use super::http::BaseUrl;
use super::output::{self, View};
use super::peers;
use super::session::Session;
use crate::agent::os;
use crate::domain::license::Terms;
use crate::domain::{Customer, License, LicenseId, SecretKey};
use crate::wire::operator::{AddPeer, Bootstrapped, Peer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
/// Rows of the peer list that are shown: with the rest of the output at most 15 lines.
const MAX_ROWS: usize = 7;
/// How long the cluster may take to stand, and an agent to end, in milliseconds.
const START_MS: i64 = 30_000;
const STOP_MS: i64 = 3_000;
const POLL: Duration = Duration::from_millis(10);

pub fn run(session: &Session, args: &Dev) -> Outcome<()> {
    session.only_one()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| Fail::failed(format!("cannot watch for signals: {e}")))?;
    let mut cluster = Cluster::new()?;
    match start(session, args, &mut cluster, &mut signals) {
        Err(Stop::Signal) => return Ok(()),
        Err(Stop::Fail(fail)) => return Err(*fail),
        Ok(text) => output::print(&text)?,
    }
    if !args.exit {
        // Ends with the first signal.
        signals.forever().next();
    }
    Ok(())
}

/// Why the start did not come to its end.
enum Stop {
    Signal,
    Fail(Box<Fail>),
}

impl From<Fail> for Stop {
    fn from(fail: Fail) -> Stop {
        Stop::Fail(Box::new(fail))
    }
}

/// The directory and the processes; both are gone when this is dropped.
struct Cluster {
    dir: PathBuf,
    agents: Vec<DevAgent>,
}

struct DevAgent {
    name: String,
    process: Child,
}

impl Cluster {
    fn new() -> Outcome<Cluster> {
        let word = u64::from_be_bytes(os::random()?);
        let dir = std::env::temp_dir().join(format!("arctic-dev-{word:016x}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|e| Fail::file("create", &dir, &e))?;
        Ok(Cluster {
            dir,
            agents: Vec::new(),
        })
    }

    fn issuers(&self) -> PathBuf {
        self.dir.join("issuers")
    }

    fn config(&self) -> ConfigFile {
        ConfigFile {
            path: self.dir.join("config.json"),
        }
    }

    fn port_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.port"))
    }

    /// Starts one agent, with nothing of this shell's settings for agents.
    fn spawn(&mut self, name: String) -> Outcome<()> {
        let fault = |e: std::io::Error| Fail::failed(format!("cannot start an agent: {e}"));
        let log = self.dir.join(format!("{name}.log"));
        let log = File::create(&log).map_err(|e| Fail::file("create", &log, &e))?;
        let mut command = Command::new(std::env::current_exe().map_err(fault)?);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("ARCTIC_") {
                command.env_remove(variable);
            }
        }
        let process = command
            .args([
                "agent",
                "run",
                "--listen",
                "127.0.0.1:0",
                "--die-with-stdin",
            ])
            .arg("--data-dir")
            .arg(self.dir.join(&name))
            .arg("--issuers")
            .arg(self.issuers())
            .env("ARCTIC_PORT_FILE", self.port_file(&name))
            .env("ARCTIC_DEV_DIR", &self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(fault)?;
        self.agents.push(DevAgent { name, process });
        Ok(())
    }

    /// The failure of an agent that has ended by itself, with the last that it said.
    fn check_alive(&mut self) -> Outcome<()> {
        for agent in &mut self.agents {
            if let Ok(Some(status)) = agent.process.try_wait() {
                let log = fs::read_to_string(self.dir.join(format!("{}.log", agent.name)));
                let log = log.unwrap_or_default();
                let last = log.lines().next_back().unwrap_or("it said nothing");
                return Err(Fail::failed(format!(
                    "{} ended ({status}): {last}",
                    agent.name
                )));
            }
        }
        Ok(())
    }

    fn url_of(&self, name: &str) -> Option<Outcome<BaseUrl>> {
        let address = fs::read_to_string(self.port_file(name)).ok()?;
        Some(BaseUrl::parse(address.trim()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            terminate(&agent.process);
        }
        let until = os::now().0 + STOP_MS;
        for agent in &mut self.agents {
            while matches!(agent.process.try_wait(), Ok(None)) && os::now().0 < until {
                std::thread::sleep(POLL);
            }
            // One that has ended is not there to be killed; either way it is waited for.
            let _ = agent.process.kill();
            let _ = agent.process.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn terminate(process: &Child) {
    let pid = i32::try_from(process.id()).ok();
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        // One that has ended already needs no signal; it was not waited for, so the id is still its own.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// What is told of the cluster once it stands.
fn start(
    session: &Session,
    args: &Dev,
    cluster: &mut Cluster,
    signals: &mut Signals,
) -> Result<String, Stop> {
    let until = os::now().0 + START_MS;
    let license = throwaway_license(&cluster.issuers())?;
    let names: Vec<String> = (0..args.agents as usize).map(name).collect();
    for name in &names {
        cluster.spawn(name.clone())?;
    }
    let mut wait = Wait { signals, until };
    let mut agents = Vec::new();
    for name in &names {
        let url = wait.until_some(cluster, |cluster| cluster.url_of(name))??;
        agents.push(bootstrap(session, cluster, name, url, &license)?);
    }
    let first = &agents[0]; // `--agents` is at least 1.
    for other in &agents[1..] {
        let body = output::json(&AddPeer {
            address: Some(other.url.text().trim_start_matches("http://").to_string()),
            name: None,
        });
        match first.post::<Peer>("/v1/peers", &body) {
            // Gossip may have brought it while its turn was waited for.
            Err(fail) if !peers::exists_already(&fail) => return Err(fail.into()),
            _ => {}
        }
    }
    for agent in &agents {
        wait.until_some(cluster, |_| all_alive(agent, agents.len()).transpose())??;
    }
    let list = first.get::<Vec<Peer>>("/v1/peers")?.value;
    let unset = session.variables();
    Ok(told(&list, &cluster.config().path, &names, &unset))
}

/// Polls until there is something, while the agents run and no signal comes.
struct Wait<'a> {
    signals: &'a mut Signals,
    until: i64,
}

impl Wait<'_> {
    fn until_some<T>(
        &mut self,
        cluster: &mut Cluster,
        look: impl Fn(&Cluster) -> Option<T>,
    ) -> Result<T, Stop> {
        loop {
            if let Some(found) = look(cluster) {
                return Ok(found);
            }
            if self.signals.pending().next().is_some() {
                return Err(Stop::Signal);
            }
            cluster.check_alive()?;
            if os::now().0 > self.until {
                return Err(Fail::failed("the cluster does not stand after 30 s").into());
            }
            std::thread::sleep(POLL);
        }
    }
}

fn name(at: usize) -> String {
    match NAMES.get(at) {
        Some(name) => name.to_string(),
        None => format!("agent-{}", at + 1),
    }
}

/// A license of an issuer whose key is forgotten at once; the agents get the issuer's public key.
fn throwaway_license(issuers: &Path) -> Outcome<String> {
    let key = SecretKey::from_seed(&os::random()?);
    fs::write(issuers, format!("{}\n", key.public()))
        .map_err(|e| Fail::file("write", issuers, &e))?;
    let now = os::now();
    let terms = Terms {
        license_id: LicenseId::from_parts(u64::try_from(now.0).unwrap_or(0), os::random()?),
        customer_id: Customer::parse("cust_dev")?,
        issued_at: now,
        expires_at: now.plus_days(365),
        max_nodes: 64,
        max_services: 100,
    };
    Ok(License::issue(terms, &key).to_document())
}

fn bootstrap<'s>(
    session: &'s Session,
    cluster: &Cluster,
    name: &str,
    url: BaseUrl,
    license: &str,
) -> Outcome<Agent<'s>> {
    let body = format!("{{\"license\":{license},\"name\":{}}}", output::json(&name));
    let stranger = session.stranger(url.clone());
    let answer = stranger.open_call("POST", "/v1/bootstrap", Some(&body))?;
    let new = stranger.read::<Bootstrapped>(answer)?.value;
    let agent = session.with_client(url, &new.client_id, &new.client_secret);
    let context = Context {
        name: name.to_string(),
        peer_id: new.peer_id,
        url: agent.url.text(),
        client_id: new.client_id,
        client_secret: new.client_secret,
    };
    cluster.config().change(|all| {
        all.save(context, false);
        Ok(())
    })?;
    Ok(agent)
}

fn all_alive(agent: &Agent, members: usize) -> Outcome<Option<()>> {
    let list = agent.get::<Vec<Peer>>("/v1/peers")?.value;
    let alive = list.iter().filter(|p| p.status == "alive").count();
    Ok((alive == members).then_some(()))
}

/// What stands, and what to type next; `unset` are variables that would lead elsewhere.
fn told(list: &[Peer], config: &Path, names: &[String], unset: &[&str]) -> String {
    let shown = &list[..list.len().min(MAX_ROWS)];
    let colour = output::colour_on(&std::io::stdout());
    let mut text = peers::table(shown).render(colour);
    if shown.len() < list.len() {
        text.push_str(&format!("... and {} more\n", list.len() - shown.len()));
    }
    text.push('\n');
    if !unset.is_empty() {
        text.push_str(&format!("unset {}; ", unset.join(" ")));
    }
    text.push_str(&format!("export ARCTIC_CONFIG={}\n", quoted(config)));
    for command in to_try(names) {
        text.push_str(&View::line(command).render(false));
    }
    text
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn to_try(names: &[String]) -> [String; 3] {
    let last = names.last().map_or("alice", String::as_str);
    let second = match names.len() {
        1 => "arctic license show".to_string(),
        _ => format!("arctic services create --target-peer {last}"),
    };
    [
        "arctic peers list --all-contexts".into(),
        second,
        format!("arctic --context {last} peers remove-self"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn peer(at: usize) -> Peer {
        Peer {
            id: format!("peer_{at}"),
            name: name(at),
            public_key: String::new(),
            is_local: at == 0,
            address: "127.0.0.1:1".into(),
            created_at: Timestamp(0),
            status: "alive".into(),
            last_seen: None,
            incarnation: 1,
            version: "0".into(),
            description: String::new(),
        }
    }

    #[test]
    fn at_most_fifteen_lines() {
        for agents in [1, 3, 7, 8, 32] {
            let list: Vec<Peer> = (0..agents).map(peer).collect();
            let names: Vec<String> = (0..agents).map(name).collect();
            for (set, begins) in [(&[][..], ""), (&["ARCTIC_URL"], "unset ARCTIC_URL; ")] {
                let text = told(&list, Path::new("/tmp/a b"), &names, set);
                assert!(text.lines().count() <= 15, "{text}");
                let line = format!("\n{begins}export ARCTIC_CONFIG='/tmp/a b'\n");
                assert!(text.contains(&line), "{text}");
            }
        }
    }

    #[test]
    fn names() {
        assert_eq!([name(0), name(2), name(3)], ["alice", "carol", "agent-4"]);
    }
}

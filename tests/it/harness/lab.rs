//! A laboratory: one temporary directory with an issuer, a license, saved contexts, and agents.

use super::agent::Agent;
use super::shell::{Done, run};
use super::wait::{SOON, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// Where the tests of one story live. Commands run in its directory, so `license.json` means its
/// license.
pub struct Lab {
    home: Arc<TempDir>,
}

impl Lab {
    /// With a license for 20 nodes and 100 services.
    #[track_caller]
    pub fn new() -> Lab {
        Lab::with_limits(20, 100)
    }

    #[track_caller]
    pub fn with_limits(nodes: u32, services: u32) -> Lab {
        let home = TempDir::with_prefix("arctic-it-").expect("a temporary directory can be made");
        let lab = Lab {
            home: Arc::new(home),
        };
        let public = lab.arctic(&["license", "keygen", "--out", "issuer.key"]);
        std::fs::write(lab.path("issuers"), public.ok()).expect("the directory takes files");
        lab.issue("license.json", nodes, services, &[]);
        lab
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    /// Issues a license of the laboratory's issuer into a file.
    #[track_caller]
    pub fn issue(&self, file: &str, nodes: u32, services: u32, more: &[&str]) -> PathBuf {
        let (nodes, services) = (nodes.to_string(), services.to_string());
        let mut args = vec!["license", "issue", "--key", "issuer.key", "--days", "365"];
        args.extend(["--max-nodes", &nodes, "--max-services", &services]);
        if !more.contains(&"--renew") {
            args.extend(["--customer", "acme"]);
        }
        args.extend(more);
        let document = self.arctic(&args);
        std::fs::write(self.path(file), document.ok()).expect("the directory takes files");
        self.path(file)
    }

    /// A command in the laboratory: its directory, its contexts, `arctic` on the PATH.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.home.path());
        clean_environment(&mut command, self.home.path());
        command.env("ARCTIC_CONFIG", self.path("config.json"));
        command
    }

    /// `arctic ARGS` without a terminal.
    #[track_caller]
    pub fn arctic(&self, args: &[&str]) -> Done {
        run(&mut self.command(env!("CARGO_BIN_EXE_arctic"), args))
    }

    /// `arctic ARGS`, which must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        self.arctic(args).ok().to_string()
    }

    /// An agent that runs and has no license.
    #[track_caller]
    pub fn agent(&self, name: &str) -> Agent {
        self.stopped(name).start()
    }

    /// An agent that does not run yet.
    pub fn stopped(&self, name: &str) -> Agent {
        Agent::new(self.home.clone(), name)
    }

    /// An agent that runs and holds the laboratory's license, alone.
    #[track_caller]
    pub fn member(&self, name: &str) -> Agent {
        let mut agent = self.agent(name);
        agent.bootstrap(&self.path("license.json"));
        agent
    }

    /// Agents that all know each other as alive. The first one added the others.
    #[track_caller]
    pub fn cluster<const N: usize>(&self, names: [&str; N]) -> [Agent; N] {
        let agents = names.map(|name| self.member(name));
        for other in &agents[1..] {
            agents[0].add(other).is(201);
        }
        all_know_all(&agents.each_ref());
        agents
    }

    /// Saves an agent as a context under its own name; the first one becomes the current one.
    #[track_caller]
    pub fn save(&self, agent: &Agent) {
        let secret = self.path(&format!("{}.secret", agent.name));
        std::fs::write(&secret, &agent.credentials.client_secret)
            .expect("the directory takes files");
        let mut command = self.command(env!("CARGO_BIN_EXE_arctic"), &["config", "add-peer"]);
        command.args(["--url", &agent.url(), "--name", &agent.name]);
        command.args([
            "--client-id",
            &agent.credentials.client_id,
            "--client-secret-file",
        ]);
        run(command.arg(secret)).ok();
    }
}

/// Waits until each of these agents lists each other one as alive.
#[track_caller]
pub fn all_know_all(agents: &[&Agent]) {
    for here in agents {
        for there in agents {
            let what = format!("{} knows {}", here.name, there.name);
            wait_until(&what, SOON, || here.sees(there) == "alive");
        }
    }
}

/// Nothing of the caller's settings reaches a command under test.
pub fn clean_environment(command: &mut Command, home: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_arctic"));
    let mut path = program
        .parent()
        .map(|dir| dir.as_os_str().to_owned())
        .unwrap_or_default();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8");
}

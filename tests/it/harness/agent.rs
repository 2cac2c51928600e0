//! One agent: a process, its data directory, its address and its credentials.

use super::http::{Answer, Request};
use super::wait::{SOON, wait_at_most, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What bootstrap gave to the operator.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: String,
}

/// An agent under test. Dropped, its process ends; its files go with the laboratory's directory.
pub struct Agent {
    pub name: String,
    /// `host:port`, once it has been started.
    pub address: String,
    /// Empty before bootstrap.
    pub peer_id: String,
    pub credentials: Credentials,
    home: Arc<TempDir>,
    /// What the command line begins with, for an agent in another network namespace.
    wrapper: Vec<String>,
    listen: Option<String>,
    extra: Vec<String>,
    child: Option<Child>,
    token: RefCell<Option<String>>,
}

impl Agent {
    /// An agent that is not running yet.
    pub(super) fn new(home: Arc<TempDir>, name: &str) -> Agent {
        Agent {
            name: name.into(),
            address: String::new(),
            peer_id: String::new(),
            credentials: Credentials::default(),
            home,
            wrapper: Vec::new(),
            listen: Some("127.0.0.1:0".into()),
            extra: Vec::new(),
            child: None,
            token: RefCell::new(None),
        }
    }

    /// Runs it through another command, `ip netns exec NAME` for instance.
    pub fn wrapped(mut self, wrapper: &[&str]) -> Agent {
        self.wrapper = wrapper.iter().map(|s| s.to_string()).collect();
        self
    }

    /// Where it listens; `None` leaves it to the agent's default.
    pub fn listening(mut self, listen: Option<&str>) -> Agent {
        self.listen = listen.map(str::to_string);
        self
    }

    pub fn with_args(mut self, extra: &[&str]) -> Agent {
        self.extra = extra.iter().map(|s| s.to_string()).collect();
        self
    }

    /// Starts it and waits until it says where it listens.
    #[track_caller]
    pub fn start(mut self) -> Agent {
        self.run();
        self
    }

    /// Starts it again, at the address that it had, after `kill` or `terminate`.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        if self.listen.is_some() {
            self.listen = Some(self.address.clone());
        }
        self.token.take();
        self.run();
    }

    #[track_caller]
    fn run(&mut self) {
        let port_file = self.file("port");
        let _ = std::fs::remove_file(&port_file);
        let mut child = self.command().spawn().expect("the agent's program starts");
        let bound = wait_for(&format!("{} listens", self.name), SOON, || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{} ended at once, {status}:\n{}", self.name, self.log());
            }
            std::fs::read_to_string(&port_file).ok()
        });
        self.child = Some(child);
        self.address = bound.trim().to_string();
    }

    /// The command line that starts it, its log going to a file.
    pub fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_arctic").to_string();
        let words: Vec<&String> = self.wrapper.iter().chain([&program]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
            .args(["agent", "run", "--data-dir"])
            .arg(self.data());
        command
            .arg("--issuers")
            .arg(self.home.path().join("issuers"));
        if let Some(listen) = &self.listen {
            command.args(["--listen", listen]);
        }
        command.args(&self.extra);
        super::lab::clean_environment(&mut command, self.home.path());
        command.env("ARCTIC_PORT_FILE", self.file("port"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.file("log"))
            .expect("the laboratory's directory takes files");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; returns how it ended and how long that took.
    #[track_caller]
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("the agent runs");
        let ended = wait_at_most(SOON, || {
            child.try_wait().expect("a child can be waited for")
        });
        match ended {
            Some(status) => (status, since.elapsed()),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{} ignores SIGTERM:\n{}", self.name, self.log());
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a process id is not 0");
        kill_process(pid, signal).expect("a running child takes a signal");
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the agent runs").id()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.home.path().join(format!("{}.{kind}", self.name))
    }

    /// Gives it a license over HTTP, and keeps the credentials of the answer.
    #[track_caller]
    pub fn bootstrap(&mut self, license: &Path) {
        let document = std::fs::read_to_string(license).expect("the license can be read");
        let license: Value = serde_json::from_str(&document).expect("a license is JSON");
        let body = json!({"license": license, "name": self.name}).to_string();
        let answer = Request::new("POST", "/v1/bootstrap")
            .json(body)
            .send(&self.address);
        self.adopt(&answer.is(201));
    }

    /// Takes over what an answer to bootstrap said.
    #[track_caller]
    pub fn adopt(&mut self, answer: &Value) {
        let text = |field: &str| answer[field].as_str().expect(field).to_string();
        self.peer_id = text("peer_id");
        self.credentials = Credentials {
            client_id: text("client_id"),
            client_secret: text("client_secret"),
        };
        self.token.take();
    }

    /// A token with all scopes of the first credentials.
    #[track_caller]
    pub fn token(&self) -> String {
        let fresh = || self.token_of(&self.credentials);
        self.token.borrow_mut().get_or_insert_with(fresh).clone()
    }

    #[track_caller]
    pub fn token_of(&self, credentials: &Credentials) -> String {
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            credentials.client_id, credentials.client_secret
        );
        let answer = Request::new("POST", "/v1/oauth/token")
            .form(&body)
            .send(&self.address);
        let token = answer.is(200)["access_token"].as_str().map(str::to_string);
        token.expect("a token is text")
    }

    /// The next call asks for a new token.
    pub fn forget_token(&self) {
        self.token.take();
    }

    /// One call with the first credentials' token.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::new(method, path).bearer(&self.token());
        if let Some(body) = body {
            request = request.json(body.to_string());
        }
        request.send(&self.address)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).is(200)
    }

    #[track_caller]
    pub fn add(&self, other: &Agent) -> Answer {
        self.call("POST", "/v1/peers", Some(json!({"address": other.address})))
    }

    #[track_caller]
    pub fn peers(&self) -> Vec<Value> {
        self.get("/v1/peers")
            .as_array()
            .expect("a bare array")
            .clone()
    }

    /// What it lists for this peer id.
    #[track_caller]
    pub fn peer(&self, peer_id: &str) -> Option<Value> {
        self.peers().into_iter().find(|p| p["id"] == peer_id)
    }

    /// The status that it shows for another agent; "" when it does not list it.
    #[track_caller]
    pub fn sees(&self, other: &Agent) -> String {
        let peer = self.peer(&other.peer_id);
        peer.map_or(String::new(), |p| {
            p["status"].as_str().unwrap_or("?").to_string()
        })
    }

    #[track_caller]
    pub fn waits_to_see(&self, other: &Agent, status: &str, deadline: Duration) {
        let what = format!("{} sees {} as {status:?}", self.name, other.name);
        wait_until(&what, deadline, || self.sees(other) == status);
    }

    /// Creates a service from this agent to another; returns its id.
    #[track_caller]
    pub fn serve(&self, target: &Agent) -> String {
        let body = json!({"target_peer_id": target.peer_id});
        let made = self.call("POST", "/v1/services", Some(body)).is(201);
        made["id"]
            .as_str()
            .expect("a service has an id")
            .to_string()
    }

    /// The id of the first service that this agent lists with this target.
    #[track_caller]
    pub fn service_to(&self, target: &Agent) -> String {
        let found = self.get(&format!("/v1/services?target_peer_id={}", target.peer_id));
        found[0]["id"]
            .as_str()
            .expect("there is such a service")
            .to_string()
    }

    #[track_caller]
    pub fn service(&self, id: &str) -> Option<Value> {
        let all = self.get("/v1/services");
        all.as_array()
            .expect("a bare array")
            .iter()
            .find(|s| s["id"] == id)
            .cloned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(12).collect();
            eprintln!("--- end of the log of {}", self.name);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

//! Rules of the operator's API and of whom an agent and its command line talk to.

use crate::harness::*;
use crate::oauth::credentials_with;
use arctic::wire::peer::{self, HANDSHAKE_PATH, Handshake};
use serde_json::json;
use std::net::{TcpListener, TcpStream};

#[test]
fn nobody_revokes_what_they_came_with() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let own = format!("/v1/credentials/{}", alice.credentials.client_id);
    // A second administrator, so that the last one is not at stake.
    let other = credentials_with(&alice, &["admin"]);
    alice
        .call("DELETE", &own, None)
        .refused(422, "CANNOT_REVOKE_CURRENT", &[]);
    alice.forget_token();
    assert_eq!(alice.peers().len(), 1, "nothing was revoked");
    let revoke = Request::new("DELETE", &own).bearer(&alice.token_of(&other));
    revoke.send(&alice.address).is(200);
}

/// An agent with so few descriptors that it serves eight connections, and waits for others on four.
fn small(lab: &Lab) -> Option<Agent> {
    if !have("prlimit") {
        return None;
    }
    let mut alice = lab
        .stopped("alice")
        .wrapped(&["prlimit", "--nofile=64"])
        .start();
    alice.bootstrap(&lab.path("license.json"));
    Some(alice)
}

/// Takes connections and never says a word.
struct Hole {
    listener: TcpListener,
    taken: Vec<TcpStream>,
}

impl Hole {
    fn new() -> Hole {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let set = listener.set_nonblocking(true);
        set.expect("a socket's own setting");
        Hole {
            listener,
            taken: Vec::new(),
        }
    }

    fn address(&self) -> String {
        let address = self.listener.local_addr();
        address
            .expect("a socket that listens knows where")
            .to_string()
    }

    /// Whether another one came.
    fn takes(&mut self) -> bool {
        let taken = self.listener.accept();
        taken.map(|(stream, _)| self.taken.push(stream)).is_ok()
    }
}

/// Makes requests that each wait for the hole, until one finds no place: `/livez` answers all the
/// same. Those that waited get this answer.
fn livez_answers_beside(alice: &Agent, requests: &[Request], hole: &mut Hole, status: u16) {
    let mut waiting: Vec<Connection> = Vec::new();
    for request in requests {
        let mut connection = Connection::open(&alice.address);
        connection.send(request.wire(&alice.address));
        wait_until("it waits or is refused", SOON, || {
            hole.takes() || connection.stirs()
        });
        waiting.push(connection);
    }
    for _ in 0..20 {
        Request::new("GET", "/livez").send(&alice.address).is(200);
    }
    let answers: Vec<Answer> = waiting.iter_mut().filter_map(Connection::answer).collect();
    let (waited, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == status);
    assert!(!waited.is_empty(), "nothing waited: {answers:?}");
    assert!(!refused.is_empty(), "nothing was refused: {answers:?}");
    for answer in refused {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
}

#[test]
fn adds_that_wait_leave_a_connection_for_livez() {
    let lab = Lab::new();
    let Some(alice) = small(&lab) else { return };
    let mut hole = Hole::new();
    let body = json!({"address": hole.address()}).to_string();
    let add = Request::new("POST", "/v1/peers")
        .bearer(&alice.token())
        .json(&body);
    livez_answers_beside(&alice, &vec![add; 10], &mut hole, 422);
}

#[test]
fn proofs_that_wait_leave_a_connection_for_livez() {
    let lab = Lab::new();
    let Some(alice) = small(&lab) else { return };
    let mut hole = Hole::new();
    let target = Target::of(&alice);
    // Ten first messages a second are taken of one address.
    let proofs: Vec<Request> = (0..10)
        .map(|_| {
            let puppet = Puppet::at(&hole.address()).licensed(&lab.path("license.json"));
            let proof = puppet.proof(&target.address, |_| {});
            let body = peer::to_bytes(&Handshake::Proof(proof));
            Request::new("POST", HANDSHAKE_PATH).json(body)
        })
        .collect();
    livez_answers_beside(&alice, &proofs, &mut hole, 422);
    assert_eq!(alice.peers().len(), 1);
}

/// Whoever uses a proxy of its environment is seen here.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Trap {
        let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
        trap.set_nonblocking(true).expect("a socket's own setting");
        Trap(trap)
    }

    fn settings(&self) -> Vec<String> {
        let url = format!("http://{}", self.0.local_addr().expect("an address"));
        let names = [
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ];
        names.map(|name| format!("{name}={url}")).to_vec()
    }

    #[track_caller]
    fn is_empty(&self) {
        assert!(self.0.accept().is_err(), "the proxy was used");
    }
}

#[test]
fn an_agent_uses_no_proxy_of_its_environment() {
    let (lab, trap) = (Lab::new(), Trap::new());
    let settings = trap.settings();
    let mut wrapper = vec!["env"];
    wrapper.extend(settings.iter().map(String::as_str));
    let [alice, bob] = ["alice", "bob"].map(|name| {
        let mut agent = lab.stopped(name).wrapped(&wrapper).start();
        agent.bootstrap(&lab.path("license.json"));
        agent
    });
    let added = alice.add(&bob);
    trap.is_empty();
    added.is(201);
    all_know_all(&[&alice, &bob]);
    trap.is_empty();
}

#[test]
fn the_command_line_uses_no_proxy_of_its_environment() {
    let (lab, trap) = (Lab::new(), Trap::new());
    let alice = lab.agent("alice");
    let arctic = |args: &[&str]| {
        let mut command = lab.command(env!("CARGO_BIN_EXE_arctic"), args);
        for setting in trap.settings() {
            let (name, url) = setting.split_once('=').expect("name and value");
            command.env(name, url);
        }
        run(&mut command)
    };
    let url = alice.url();
    let bootstrap = ["bootstrap", "--url", &url, "--license-file", "license.json"];
    let done = arctic(&bootstrap);
    trap.is_empty();
    done.ok();
    arctic(&["peers", "list"]).ok();
    arctic(&["health", "--url", &url]).ok();
    trap.is_empty();
}

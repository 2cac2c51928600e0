//! The server under clients that are slow, wrong, greedy or many: it refuses them, and answers others.

use crate::harness::*;
use serde_json::json;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// What an honest client is promised while others misbehave; measured generously.
const HONEST: Duration = Duration::from_secs(5);

#[track_caller]
fn is_well(agent: &Agent) {
    let since = Instant::now();
    Request::new("GET", "/livez").send(&agent.address).is(200);
    assert!(
        since.elapsed() < HONEST,
        "an honest request took {:?}",
        since.elapsed()
    );
}

/// Sends raw bytes and expects this status, and the connection to end.
#[track_caller]
fn refused(agent: &Agent, bytes: &str, status: u16) {
    let mut connection = Connection::open(&agent.address);
    connection.send(bytes.replace("HOST", &agent.address));
    let shown: String = bytes.chars().take(90).collect();
    let answer = connection
        .answer()
        .unwrap_or_else(|| panic!("no answer to {shown:?}"));
    assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
    assert_eq!(
        answer.header("connection"),
        Some("close"),
        "{shown:?}: {answer:?}"
    );
    assert!(answer.body.contains("\"code\""), "{answer:?}");
    assert!(connection.closed(), "{shown:?}");
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let post = "POST /v1/bootstrap HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";
    let get = "GET /livez HTTP/1.1\r\n";
    for (bytes, status) in [
        (
            format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}}}"),
            400,
        ),
        (
            format!("{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"),
            400,
        ),
        (format!("{post}Content-Length: 2, 2\r\n\r\n{{}}"), 400),
        (format!("{post}Content-Length: +2\r\n\r\n{{}}"), 400),
        (format!("{post}Content-Length: -1\r\n\r\n"), 400),
        (format!("{post}Content-Length: 0x2\r\n\r\n{{}}"), 400),
        (
            format!("{post}Content-Length: 99999999999999999999999\r\n\r\n"),
            413,
        ),
        (
            format!("{post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (format!("{post}Transfer-Encoding: gzip\r\n\r\n"), 400),
        (
            format!("{post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}XX0\r\n\r\n"),
            400,
        ),
        (format!("{get}\r\n"), 400),
        (format!("{get}Host: HOST\r\nHost: HOST\r\n\r\n"), 400),
        (format!("{get}Host: HOST\r\n folded: x\r\n\r\n"), 400),
        (format!("{get}Host : HOST\r\n\r\n"), 400),
        (format!("{get}Host: HOST\r\nX: a\0b\r\n\r\n"), 400),
        ("GET /livez HTTP/1.1\nHost: HOST\n\n".to_string(), 400),
        (
            "GET  /livez HTTP/1.1\r\nHost: HOST\r\n\r\n".to_string(),
            400,
        ),
        ("nonsense\r\n\r\n".to_string(), 400),
        ("GET /livez HTTP/2.0\r\nHost: HOST\r\n\r\n".to_string(), 505),
        (
            format!("{get}Host: HOST\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024)),
            431,
        ),
        (
            format!("{get}Host: HOST\r\n{}\r\n", "A: b\r\n".repeat(65)),
            431,
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: HOST\r\n\r\n",
                "x".repeat(17 * 1024)
            ),
            431,
        ),
    ] {
        refused(&alice, &bytes, status);
    }
    is_well(&alice);
}

#[test]
fn a_claimed_length_is_not_believed() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    let head = "POST /v1/bootstrap HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";
    for length in ["65537", "1000000000000000", "18446744073709551615"] {
        refused(
            &alice,
            &format!("{head}Content-Length: {length}\r\n\r\n"),
            413,
        );
    }
    let chunks = "ffff\r\n".to_string() + &"x".repeat(0xffff) + "\r\n";
    refused(
        &alice,
        &format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}{chunks}"),
        413,
    );
    // Whoever asks first is told before sending.
    let mut connection = Connection::open(&alice.address);
    connection.send(format!(
        "{head}Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(connection.answer().map(|a| a.status), Some(413));
    let mut connection = Connection::open(&alice.address);
    connection.send(format!(
        "{head}Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(connection.answer_to_head().map(|a| a.status), Some(100));
    connection.send("{}");
    assert_eq!(connection.answer().map(|a| a.status), Some(422));
    // A body that ends early is no request.
    let mut connection = Connection::open(&alice.address);
    connection.send(format!("{head}Content-Length: 5\r\n\r\n{{}}"));
    connection.finish();
    assert!(connection.answer().is_none_or(|a| a.status == 400));
    is_well(&alice);
    assert!(alice.terminate().0.success());
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", alice.address);
    let mut connection = Connection::open(&alice.address);
    connection.send(get("/livez").repeat(3) + &get("/nowhere") + &get("/livez"));
    let answers: Vec<u16> = (0..5)
        .map_while(|_| connection.answer())
        .map(|a| a.status)
        .collect();
    assert_eq!(answers, [200, 200, 200, 404, 200]);
    let chunked = "POST /v1/oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                   Content-Type: application/x-www-form-urlencoded\r\n\r\n4\r\ngran\r\n7\r\nt_type=\r\n1\r\nx\r\n0\r\n\r\n";
    connection.send(chunked);
    assert!(
        connection
            .answer()
            .is_some_and(|a| a.body.contains("invalid_client"))
    );
    connection.send("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let last = connection.answer().expect("an answer");
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    assert!(connection.closed());
    let mut old = Connection::open(&alice.address);
    old.send("GET /livez HTTP/1.0\r\nHost: x\r\n\r\n");
    assert_eq!(old.answer().map(|a| a.status), Some(200));
    assert!(old.closed(), "HTTP/1.0 without keep-alive ends");
}

#[test]
fn whoever_is_slow_is_told_and_shut_out() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let mut head = Connection::open(&alice.address);
    head.send("GET /livez HTTP/1.1\r\nHost: x\r\n");
    let mut body = Connection::open(&alice.address);
    body.send("POST /v1/bootstrap HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
    let mut silent = Connection::open(&alice.address);
    is_well(&alice);
    for connection in [&mut head, &mut body] {
        let answer = connection.answer().expect("an answer");
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(answer.body.contains("REQUEST_TIMEOUT"), "{answer:?}");
        assert!(connection.closed());
    }
    assert!(
        silent.closed(),
        "a connection that never asked is closed without a word"
    );
}

#[test]
fn a_client_that_drips_bytes_does_not_hold_a_thread_for_long() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let mut drip = Connection::open(&alice.address);
    let since = Instant::now();
    let ended = wait_at_most(LATER, || {
        let alive = drip.send("G");
        (!alive).then(|| since.elapsed())
    });
    assert!(
        ended.is_some(),
        "still taking bytes after {:?}",
        since.elapsed()
    );
    is_well(&alice);
}

#[test]
fn pipelines_that_nobody_reads_do_not_fill_the_memory() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let before = resident_kib(&alice);
    let request = format!(
        "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: {}\r\n\r\n",
        alice.address
    );
    let flood = request.repeat(20_000);
    let (tx, rx) = channel();
    for _ in 0..4 {
        let (address, flood, tx) = (alice.address.clone(), flood.clone(), tx.clone());
        std::thread::spawn(move || {
            let mut connection = Connection::open(&address);
            connection.send(&flood);
            let _ = tx.send(());
        });
    }
    is_well(&alice);
    let grown = resident_kib(&alice).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    // Each flood ends, by being answered or by being cut off.
    for _ in 0..4 {
        rx.recv_timeout(LATER)
            .expect("the server lets go of a client that does not read");
    }
    is_well(&alice);
}

fn resident_kib(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("it runs");
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .expect("Linux says it");
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

#[test]
fn a_hundred_idle_connections_leave_room_for_an_honest_one() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    let idle: Vec<Connection> = (0..300).map(|_| Connection::open(&alice.address)).collect();
    for _ in 0..20 {
        is_well(&alice);
    }
    let reading: Vec<Connection> = (0..100)
        .map(|_| {
            let mut connection = Connection::open(&alice.address);
            connection.send("GET /livez HTTP/1.1\r\n");
            connection
        })
        .collect();
    for _ in 0..20 {
        is_well(&alice);
    }
    assert_eq!(alice.peers().len(), 1);
    // Connect, ask, reset: the server does not mind.
    for _ in 0..200 {
        let mut connection = Connection::open(&alice.address);
        connection.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    is_well(&alice);
    let (status, took) = alice.terminate();
    assert!(
        status.success() && took < Duration::from_secs(4),
        "{status} after {took:?}"
    );
    drop((idle, reading));
}

#[test]
fn livez_answers_while_adds_wait_for_nobody() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let token = alice.token();
    // Takes connections and never says a word.
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let body = json!({"address": hole.local_addr().expect("an address").to_string()}).to_string();
    let adds: Vec<_> = (0..40)
        .map(|_| {
            let add = Request::new("POST", "/v1/peers").bearer(&token).json(&body);
            let address = alice.address.clone();
            std::thread::spawn(move || {
                let since = Instant::now();
                (add.send(&address), since.elapsed())
            })
        })
        .collect();
    for _ in 0..50 {
        is_well(&alice);
    }
    assert_eq!(alice.peers().len(), 1);
    for add in adds {
        let (answer, took) = add.join().expect("the thread ends");
        // The last ones may find every place taken; nobody waits for ever.
        assert!([422, 503, 429].contains(&answer.status), "{answer:?}");
        if answer.status == 422 {
            answer.refused(
                422,
                "PEER_UNREACHABLE",
                &["handshake failed: connection timeout"],
            );
        } else {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        assert!(took < Duration::from_secs(15), "an add took {took:?}");
    }
    is_well(&alice);
}

#[test]
fn a_stop_answers_what_is_in_flight() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    let token = alice.token();
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let body = json!({"address": hole.local_addr().expect("an address").to_string()}).to_string();
    let add = Request::new("POST", "/v1/peers").bearer(&token).json(&body);
    let address = alice.address.clone();
    let waiting = std::thread::spawn(move || add.try_send(&address));
    let _hello = hole.accept().expect("the agent calls");
    let idle = Connection::open(&alice.address);
    let (status, took) = alice.terminate();
    // Two seconds by contract; measured generously.
    assert!(
        status.success() && took < Duration::from_secs(4),
        "{status} after {took:?}"
    );
    let answer = waiting
        .join()
        .expect("the thread ends")
        .expect("the request in flight is answered");
    assert!(answer.status >= 400, "{answer:?}");
    drop(idle);
}

#[test]
fn requests_one_after_another_share_one_reader() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    alice.kill();
    alice.restart();
    let idle = open_databases(&alice);
    for _ in 0..24 {
        alice.get("/v1/peers");
    }
    assert_eq!(open_databases(&alice), idle + 1);
    // Many at a time take what they need, at most eight, and give it back.
    let token = alice.token();
    let asking: Vec<_> = (0..32)
        .map(|_| {
            let list = Request::new("GET", "/v1/peers").bearer(&token);
            let address = alice.address.clone();
            std::thread::spawn(move || list.send(&address))
        })
        .collect();
    for one in asking {
        one.join().expect("the thread ends").is(200);
    }
    let after_many = open_databases(&alice);
    assert!(after_many <= idle + 8, "{idle}, then {after_many}");
    for _ in 0..8 {
        alice.get("/v1/peers");
    }
    assert_eq!(open_databases(&alice), after_many);
}

/// How many descriptors of the agent are its database.
fn open_databases(agent: &Agent) -> usize {
    let all = std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).expect("it runs");
    let paths = all.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let database = agent.data().join("arctic.db");
    paths.filter(|path| *path == database).count()
}

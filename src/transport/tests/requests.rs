//! What one connection may say, and what it is told.

use super::*;

/// A request, and the statuses of the answers to it, in order; after a refusal nothing is read on.
const TABLE: &[(&str, &[u16])] = &[
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &[200]),
    ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", &[200]),
    ("GET / HTTP/1.1\r\nhOsT: [::1]:80\r\n\r\n", &[200]),
    ("GET / HTTP/1.0\r\nHost: h\r\n\r\n", &[200]),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        &[200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0003\r\n\r\nabc",
        &[200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        &[200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[200],
    ),
    // Two requests in one go, also after a body.
    (
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
        &[200, 200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        &[200, 200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        &[200, 200],
    ),
    // A refusal ends the connection: what follows is not looked at.
    (
        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        &[400],
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        &[200],
    ),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", &[400]),
    ("GET / HTTP/1.0\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: user@h\r\n\r\n", &[400]),
    // Two ways to find the end of the body.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        &[400],
    ),
    // Line ends, folds, names.
    ("GET / HTTP/1.1\nHost: h\n\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", &[400]),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("\x16\x03\x01", &[400]),
    // Request lines.
    ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("GET /\r\n\r\n", &[400]),
    ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", &[505]),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[505]),
    ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", &[505]),
    ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", &[505]),
    ("GET / HTTX/1.1\r\nHost: h\r\n\r\n", &[400]),
    // Sizes; nothing of the claimed length has to come.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
        &[413],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000000\r\n\r\n",
        &[413],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        &[413],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
        &[413],
    ),
    (
        "POST /tiny HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
        &[413],
    ),
    // Expectations.
    (
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\nabc",
        &[417],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        &[200],
    ),
    (
        "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        &[200],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n",
        &[413],
    ),
    // Ends too early; the client still reads.
    ("GET / HT", &[400]),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc",
        &[400],
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        &[400],
    ),
    ("", &[]),
    ("\r\n", &[]),
];

#[test]
fn each_request_gets_its_status() {
    let house = house(short());
    for (text, statuses) in TABLE {
        let mut client = house.connect();
        client.send(text);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answers: Vec<Answer> = std::iter::from_fn(|| client.answer()).collect();
        let got: Vec<u16> = answers.iter().map(|a| a.status).collect();
        assert_eq!(&got, statuses, "{text:?}");
        for answer in answers.iter().filter(|a| a.status != 200) {
            assert!(
                answer.body.starts_with("{\"code\":\""),
                "{text:?} {answer:?}"
            );
            assert!(
                answer.head.contains("\r\nConnection: close\r\n"),
                "{text:?}"
            );
        }
    }
    house.check_alive();
}

#[test]
fn heads_have_a_size_and_a_number_of_fields() {
    let house = house(short());
    let with = |fields: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let empty = with("").len();
    for (fields, status) in [
        ("X: y\r\n".repeat(63), 200),
        ("X: y\r\n".repeat(64), 431),
        (format!("X: {}\r\n", "y".repeat(16 * 1024 - empty - 5)), 200),
        (format!("X: {}\r\n", "y".repeat(16 * 1024 - empty - 4)), 431),
        ("X: y\r\n".repeat(100_000), 431),
    ] {
        let mut client = house.connect();
        // The server may have stopped reading before all of it is written.
        let _ = client.stream.write_all(with(&fields).as_bytes());
        assert_eq!(
            client.answer().map(|a| a.status),
            Some(status),
            "{}",
            fields.len()
        );
    }
}

#[test]
fn a_head_without_an_end_is_cut_off() {
    let house = house(short());
    let mut client = house.connect();
    // Less than the loopback takes at once, so that the answer cannot be lost to a reset.
    client.send(format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(17 * 1024)));
    assert_eq!(client.answer().map(|a| a.status), Some(431));
}

#[test]
fn one_connection_serves_many_requests() {
    let house = house(short());
    let mut client = house.connect();
    for i in 0..20 {
        let answer = client.ask(format!("GET /{i}?q HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(answer.body, format!("GET /{i} q []"));
        assert!(!answer.head.contains("Connection"), "{answer:?}");
    }
    let answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(answer.head.contains("\r\nConnection: close\r\n"));
    assert!(client.ends());
    assert_eq!(house.running().running(), 2);
}

#[test]
fn old_clients_ask_to_stay() {
    let house = house(short());
    let mut client = house.connect();
    let stay = "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n";
    assert!(
        client
            .ask(stay)
            .head
            .contains("\r\nConnection: keep-alive\r\n")
    );
    let answer = client.ask("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    assert!(answer.head.contains("\r\nConnection: close\r\n"));
    assert!(client.ends());
}

#[test]
fn head_is_get_without_its_body() {
    let house = house(short());
    let mut client = house.connect();
    client.send("HEAD /big HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head().unwrap();
    assert!(head.contains("\r\nContent-Length: 100000\r\n"), "{head}");
    assert_eq!(client.answer().unwrap().body, "GET /next  []");
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 413 "));
    assert!(client.ends());
}

#[test]
fn a_body_that_is_wanted_is_asked_for() {
    let house = house(short());
    for (framing, body) in [
        ("Content-Length: 3", "abc"),
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
    ] {
        let mut client = house.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{framing}\r\n\r\n"
        ));
        assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(client.ask(body).body, "POST /  [abc]");
    }
}

#[test]
fn large_answers_come_whole() {
    let house = house(short());
    let mut client = house.connect();
    for path in ["/big", "/huge", "/big"] {
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(answer.body.len(), length_of(&answer.head));
        assert!(answer.body.len() >= 100_000);
    }
}

#[test]
fn a_panic_is_an_answer() {
    let house = house(short());
    for _ in 0..3 {
        let mut client = house.connect();
        let answer = client.ask("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(
            (answer.status, &*answer.body),
            (500, "{\"code\":\"INTERNAL\"}")
        );
        assert!(answer.head.contains("\r\nConnection: close\r\n"));
        assert!(client.ends());
    }
    house.check_alive();
    until("no connection is left", || house.running().open() == 0);
}

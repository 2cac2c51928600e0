//! The client against the server, and against servers that are not one.

use super::*;
use crate::transport::client::{CallError, Client as Caller, Request};
use std::net::TcpListener;

fn request(address: impl std::fmt::Display, path: &str) -> Request {
    Request {
        method: "GET".into(),
        url_base: format!("http://{address}"),
        path: path.into(),
        query: String::new(),
        headers: Vec::new(),
        body: None,
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
        max_answer: 1_000_000,
        near: true,
        retry_idempotent: true,
    }
}

/// A server that gives each connection one of these answers, in order, and then closes it.
fn script(answers: Vec<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 64 * 1024]);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

#[test]
fn a_call_and_its_answer() {
    let house = house(short());
    let client = Caller::new();
    let mut post = request(house.address, "/v1/x");
    post.method = "POST".into();
    post.query = "a=1&b=2".into();
    post.headers = vec![("X-One".into(), "1".into())];
    post.body = Some(b"hello".to_vec());
    let answer = client.call(&post).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.body, b"POST /v1/x a=1&b=2 [hello]");
    for method in ["GET", "POST", "PUT", "DELETE"] {
        post.method = method.into();
        post.body = None;
        let wanted = format!("{method} /v1/x a=1&b=2 []");
        assert_eq!(client.call(&post).unwrap().body, wanted.as_bytes());
    }
}

#[test]
fn refusals_are_answers() {
    let house = house(short());
    let mut post = request(house.address, "/tiny");
    post.method = "POST".into();
    post.body = Some(vec![b'x'; 300_000]);
    assert_eq!(Caller::new().call(&post).unwrap().status, 413);
    let panics = Caller::new()
        .call(&request(house.address, "/panic"))
        .unwrap();
    assert_eq!(
        (panics.status, &*panics.body),
        (500, &b"{\"code\":\"INTERNAL\"}"[..])
    );
}

#[test]
fn one_connection_for_many_calls() {
    let house = house(short());
    let client = Caller::new();
    for _ in 0..20 {
        client.call(&request(house.address, "/big")).unwrap();
    }
    assert_eq!(house.running().open(), 1);
    assert_eq!(house.running().running(), 2);
}

#[test]
fn names_and_ipv6_are_found() {
    let house = house(short());
    let port = house.address.port();
    let named = request(format!("localhost:{port}"), "/");
    assert_eq!(Caller::new().call(&named).unwrap().status, 200);
    let v6 = request(format!("[::1]:{port}"), "/");
    let failed = Caller::new().call(&v6).unwrap_err();
    assert!(
        matches!(failed, CallError::Refused | CallError::NotSent(_)),
        "{failed:?}"
    );
}

#[test]
fn a_call_that_must_not_come_back_here_does_not() {
    let house = house(short());
    let port = house.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
        let mut call = request(format!("{host}:{port}"), "/");
        call.near = false;
        match Caller::new().call(&call) {
            Err(CallError::NotSent(why)) => assert!(why.contains("leads to this host"), "{why}"),
            other => panic!("{host}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_reached() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Caller::new();
    assert_eq!(client.call(&request(free, "/")), Err(CallError::Refused));
    for (base, why) in [
        ("https://h:1", "https is not supported"),
        ("ftp://h", "http://"),
        ("h:1", "http://"),
        ("http://", "HOST:PORT"),
        ("http://u@h", "HOST:PORT"),
        ("http://h/x", "HOST:PORT"),
        ("http://h:99999", ""),
        ("http://[::1", ""),
        (
            "http://no-such-host.invalid:1",
            "the name 'no-such-host.invalid' does not resolve",
        ),
        ("http://a\nb", ""),
        // A broadcast: the system sends no connection there.
        ("http://255.255.255.255:9", "no route"),
        ("http://[fe80::1]:9", ""),
    ] {
        let mut wrong = request(free, "/");
        wrong.url_base = base.into();
        match client.call(&wrong) {
            Err(CallError::NotSent(line)) => {
                assert!(line.contains(why) && !line.contains('\n'), "{base}: {line}")
            }
            other => panic!("{base}: {other:?}"),
        }
    }
    let mut wrong = request(free, "/");
    wrong.headers = vec![("X".into(), "a\r\nb".into())];
    assert!(matches!(client.call(&wrong), Err(CallError::NotSent(_))));
}

#[test]
fn a_silent_server_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut call = request(listener.local_addr().unwrap(), "/");
    call.timeout = Duration::from_millis(200);
    let started = Instant::now();
    assert_eq!(Caller::new().call(&call), Err(CallError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn answers_have_a_largest_size() {
    let house = house(short());
    let mut call = request(house.address, "/big");
    call.max_answer = 99_999;
    assert_eq!(Caller::new().call(&call), Err(CallError::TooLarge));
    call.max_answer = 100_000;
    assert_eq!(Caller::new().call(&call).unwrap().body.len(), 100_000);
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    endless.extend(b"5\r\nhello\r\n".repeat(10_000));
    let mut call = request(script(vec![endless]), "/");
    call.max_answer = 1000;
    assert_eq!(Caller::new().call(&call), Err(CallError::TooLarge));
}

#[test]
fn redirects_are_not_followed() {
    let to = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let answer = Caller::new()
        .call(&request(script(vec![to.into()]), "/"))
        .unwrap();
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("http://127.0.0.1:1/"))
    );
}

#[test]
fn strange_answers_are_errors_and_never_panics() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let head = |fields: &str, body: &str| format!("{ok}{fields}\r\n{body}").into_bytes();
    let strange = vec![
        b"".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 ".to_vec(),
        b"HTTP/1.1 999999 X\r\n\r\n".to_vec(),
        b"HTTP/1.1 000 X\r\n\r\n".to_vec(),
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_vec(),
        head("Content-Length: 10\r\n", "short"),
        head("Content-Length: -1\r\n", "x"),
        head("Content-Length: 99999999999999999999\r\n", "x"),
        head("Content-Length: 1\r\nContent-Length: 2\r\n", "xy"),
        head("Transfer-Encoding: chunked\r\n", "zz\r\n"),
        head("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFFFFF\r\n"),
        head("Transfer-Encoding: chunked\r\n", "5\r\nhel"),
        head("Transfer-Encoding: chunked\r\n", "5\r\nhelloworld"),
        head(&format!("X: {}\r\n", "y".repeat(100_000)), ""),
        head(&"X: y\r\n".repeat(5000), ""),
        head("X", ""),
        vec![0xff; 100_000],
    ];
    let address = script(strange.clone());
    for answer in strange {
        let mut call = request(address, "/");
        call.retry_idempotent = false;
        let result = Caller::new().call(&call);
        let error = result.expect_err(&String::from_utf8_lossy(&answer[..answer.len().min(80)]));
        assert!(
            matches!(error, CallError::Broken(_) | CallError::TooLarge),
            "{error:?}"
        );
        assert!(!error.to_string().contains(['\n', '\0']), "{error:?}");
    }
}

#[test]
fn a_dead_kept_connection_is_replaced_once() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    for (retry, wanted) in [(true, Ok(200)), (false, Err(true))] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut call = request(listener.local_addr().unwrap(), "/");
        call.retry_idempotent = retry;
        let answer = ok.clone();
        let server = std::thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            let _ = first.read(&mut [0; 4096]);
            first.write_all(&answer).unwrap();
            // The second request arrives on the kept connection, which ends without an answer.
            let _ = first.read(&mut [0; 4096]);
            drop(first);
            if retry {
                let (mut second, _) = listener.accept().unwrap();
                let _ = second.read(&mut [0; 4096]);
                second.write_all(&answer).unwrap();
            }
        });
        let client = Caller::new();
        assert_eq!(client.call(&call).unwrap().body, b"ok");
        let second = client
            .call(&call)
            .map(|a| a.status)
            .map_err(|e| matches!(e, CallError::Broken(_)));
        assert_eq!(second, wanted);
        server.join().unwrap();
    }
}

#[test]
fn a_new_connection_that_dies_is_not_tried_again() {
    let address = script(vec![Vec::new()]);
    let result = Caller::new().call(&request(address, "/"));
    assert!(matches!(result, Err(CallError::Broken(_))), "{result:?}");
}

//! Stopping: what is being answered is answered, what is idle ends at once.

use super::*;

/// Idle for a minute, unless told to stop.
fn patient() -> Limits {
    Limits {
        idle: Duration::from_secs(60),
        head: Duration::from_secs(60),
        tick: Duration::from_secs(1),
        ..short()
    }
}

#[test]
fn nothing_to_wait_for() {
    let mut house = house(patient());
    let started = Instant::now();
    assert!(house.stop(PATIENCE));
    assert!(started.elapsed() < Duration::from_millis(500));
    assert!(
        TcpStream::connect(house.address).is_err(),
        "the port is free"
    );
}

#[test]
fn idle_connections_end_at_once() {
    let mut house = house(patient());
    let mut clients = [house.connect(), house.connect(), house.connect()];
    for client in &mut clients {
        client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let started = Instant::now();
    assert!(house.stop(PATIENCE));
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert!(clients.iter_mut().all(Client::ends));
}

#[test]
fn a_request_in_flight_is_answered() {
    let mut house = house(patient());
    let mut client = house.connect();
    client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    house.held.recv_timeout(PATIENCE).unwrap();
    let running = house.running.take().unwrap();
    let stopper = std::thread::spawn(move || running.stop(PATIENCE));
    until("nothing new is taken", || {
        TcpStream::connect(house.address).is_err()
    });
    house.release.send(()).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.body, "held");
    assert!(answer.head.contains("\r\nConnection: close\r\n"));
    assert!(client.ends());
    drop(client);
    assert!(stopper.join().unwrap());
}

#[test]
fn a_request_half_sent_is_refused_within_a_tick() {
    let mut limits = patient();
    limits.tick = Duration::from_millis(200);
    let mut house = house(limits);
    let mut client = house.connect();
    client.send("GET / HTTP/1.1\r\nHo");
    // A round trip on another connection, so that the first bytes are surely read.
    house.check_alive();
    until("it is being read", || house.running().open() == 1);
    let started = Instant::now();
    assert!(house.stop(PATIENCE));
    assert!(
        started.elapsed() < Duration::from_millis(1000),
        "{:?}",
        started.elapsed()
    );
    assert!(client.answer().is_none_or(|answer| answer.status == 503));
}

#[test]
fn a_handler_that_never_ends_does_not_hold_the_stop() {
    let mut house = house(patient());
    let mut client = house.connect();
    client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    house.held.recv_timeout(PATIENCE).unwrap();
    let started = Instant::now();
    assert!(!house.stop(Duration::from_millis(200)));
    assert!(started.elapsed() < Duration::from_millis(600));
    assert!(client.answer().is_none());
}

#[test]
fn a_client_that_does_not_read_does_not_hold_the_stop() {
    let mut house = house(Limits {
        write: Duration::from_secs(60),
        ..patient()
    });
    let mut client = house.connect();
    client.send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n".repeat(3));
    until("it is being answered", || {
        house.echo.calls.load(Ordering::SeqCst) > 0
    });
    let started = Instant::now();
    assert!(house.stop(Duration::from_millis(800)));
    assert!(started.elapsed() < Duration::from_millis(1000));
}

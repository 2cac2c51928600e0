//! What hostile clients do, and that an honest one is served meanwhile and afterwards.

use super::*;
use std::sync::atomic::AtomicBool;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Few places, and times so long that only eviction makes room.
fn crowded() -> Limits {
    let long = Duration::from_secs(60);
    Limits {
        connections: 8,
        per_address: 8,
        idle: long,
        head: long,
        body: long,
        write: long,
        ..short()
    }
}

#[test]
fn slow_clients_are_told_and_closed() {
    let house = house(short());
    for slow in [
        "GET / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let mut client = house.connect();
        assert_eq!(client.ask(slow).status, 408, "{slow:?}");
        assert!(client.ends());
    }
}

#[test]
fn a_byte_now_and_then_does_not_move_the_deadline() {
    let house = house(short());
    let mut client = house.connect();
    let started = Instant::now();
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    client.send("GET / HTTP/1.1\r\nX: ");
    let mut piece = [0; 1024];
    let n = loop {
        if let Ok(n) = client.stream.read(&mut piece) {
            break n;
        }
        client.send("x");
        assert!(started.elapsed() < PATIENCE);
    };
    assert!(piece[..n].starts_with(b"HTTP/1.1 408 "));
    assert!(started.elapsed() >= Duration::from_millis(290));
}

#[test]
fn idle_connections_end_without_a_word() {
    let house = house(short());
    let mut fresh = house.connect();
    let mut used = house.connect();
    used.ask(GET);
    used.send("\r\n");
    assert!(fresh.ends() && used.ends());
    until("both are gone", || house.running().open() == 0);
}

#[test]
fn a_crowd_of_idle_connections_makes_room() {
    let house = house(crowded());
    let mut crowd: Vec<Client> = (0..40).map(|_| house.connect()).collect();
    house.check_alive();
    assert!(house.running().open() <= 8);
    assert!(house.running().running() <= 9);
    assert!(crowd[0].ends(), "the oldest had to go");
}

#[test]
fn a_crowd_of_slow_heads_makes_room() {
    let house = house(crowded());
    let mut crowd = Vec::new();
    for _ in 0..5 {
        for _ in 0..10 {
            let mut client = house.connect();
            client.send("GET / HTTP/1.1\r\nX: ");
            crowd.push(client);
        }
        house.check_alive();
        assert!(house.running().open() <= 8);
    }
}

#[test]
fn a_crowd_that_does_not_read_makes_room() {
    // With such a tick no write returns by itself: the place must be free while it blocks.
    let tick = Duration::from_secs(60);
    let mut house = house(Limits { tick, ..crowded() });
    let mut crowd = Vec::new();
    for _ in 0..8 {
        let mut client = house.connect();
        client.send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n".repeat(10));
        crowd.push(client);
    }
    let calls = || house.echo.calls.load(Ordering::SeqCst);
    until("all are being answered", || calls() >= 8);
    until("one of them is closed for an honest one", || {
        let mut client = house.connect();
        let sent = client.stream.write_all(GET.as_bytes());
        sent.is_ok() && client.answer().is_some_and(|a| a.status == 200)
    });
    drop(crowd);
    assert!(house.stop(PATIENCE));
}

#[test]
fn a_client_that_does_not_read_is_closed_in_time() {
    let house = house(short());
    let mut client = house.connect();
    client.send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50));
    until("it is being answered", || {
        house.echo.calls.load(Ordering::SeqCst) > 0
    });
    until("it is gone", || house.running().open() == 0);
    assert!(
        house.echo.calls.load(Ordering::SeqCst) <= 2,
        "one at a time"
    );
}

#[test]
fn one_address_takes_half_of_the_places() {
    let limits = Limits {
        per_address: 4,
        ..crowded()
    };
    let house = house(limits);
    let mut crowd: Vec<Client> = (0..5).map(|_| house.connect()).collect();
    assert!(crowd[0].ends(), "its own oldest goes");
    assert_eq!(crowd[4].ask(GET).status, 200);
    assert_eq!(crowd[3].ask(GET).status, 200);
    until("the oldest is gone", || house.running().open() <= 4);
}

#[test]
fn when_all_are_being_answered_the_next_is_told() {
    let mut limits = crowded();
    limits.connections = 2;
    let house = house(limits);
    let mut holders = [house.connect(), house.connect()];
    for holder in &mut holders {
        holder.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        house.held.recv_timeout(PATIENCE).unwrap();
    }
    let refused = house.connect().answer().unwrap();
    assert_eq!(
        (refused.status, &*refused.body),
        (503, "{\"code\":\"OVERLOADED\"}")
    );
    holders.iter().for_each(|_| house.release.send(()).unwrap());
    for holder in &mut holders {
        assert_eq!(holder.answer().unwrap().body, "held");
    }
    house.check_alive();
}

#[test]
fn a_thread_that_cannot_start_is_a_503_and_no_more() {
    let broken = Arc::new(AtomicBool::new(false));
    let (spawn, fails) = (real_threads(), broken.clone());
    let house = house_with(
        short(),
        Arc::new(move |name, work| match fails.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::WouldBlock.into()),
            false => spawn(name, work),
        }),
    );
    broken.store(true, Ordering::SeqCst);
    assert_eq!(house.connect().answer().unwrap().status, 503);
    assert_eq!(house.running().open(), 0);
    assert_eq!(house.running().running(), 1);
    broken.store(false, Ordering::SeqCst);
    house.check_alive();
}

#[test]
fn resets_and_refusals_leave_nothing_behind() {
    let house = house(short());
    for i in 0..200 {
        let mut client = house.connect();
        match i % 4 {
            0 => client.send("GET / HTTP/2.0\r\n\r\n"),
            1 => client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"),
            2 => client
                .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000000\r\n\r\n"),
            _ => {}
        }
        // Closing with unread bytes resets the connection.
        drop(client);
    }
    house.check_alive();
    until("all are gone", || house.running().open() == 0);
}

#[test]
fn a_refused_client_may_finish_sending() {
    // Without the lingering close its write would fail, and it would not look for the answer.
    let linger = PATIENCE;
    let house = house(Limits { linger, ..short() });
    for _ in 0..20 {
        let mut client = house.connect();
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
        assert_eq!(client.answer().map(|a| a.status), Some(413));
        for _ in 0..30 {
            client.send(vec![b'x'; 10_000]);
        }
    }
}

#[test]
fn parked_threads_end() {
    let limits = Limits {
        park: Duration::from_millis(50),
        ..short()
    };
    let house = house(limits);
    let mut clients: Vec<Client> = (0..10).map(|_| house.connect()).collect();
    for client in &mut clients {
        client.ask(GET);
    }
    assert!(house.running().running() >= 10);
    drop(clients);
    until("only the accept loop runs", || {
        house.running().running() == 1
    });
    house.check_alive();
}

#[test]
fn many_at_once_are_all_served() {
    let house = house(short());
    for _ in 0..10 {
        let mut clients: Vec<Client> = (0..12).map(|_| house.connect()).collect();
        clients.iter_mut().for_each(|c| c.send(GET));
        for client in &mut clients {
            assert_eq!(client.answer().unwrap().status, 200);
        }
    }
}

//! How much of a body is taken in, of whom.

use super::*;

/// Each connection holds 100 bytes, strangers 500 more together, everybody else 700.
fn few() -> Limits {
    Limits {
        own_bytes: 100,
        stranger_bytes: 500,
        known_bytes: 700,
        body: PATIENCE,
        ..short()
    }
}

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

fn whole(house: &House, begins: &str, length: usize) -> u16 {
    let body = format!("{begins}{}", "x".repeat(length - begins.len()));
    house.connect().ask(head("/", length) + &body).status
}

#[test]
fn strangers_share_one_account_and_the_others_another() {
    let house = house(few());
    assert_eq!(whole(&house, "", 600), 200);
    assert_eq!(whole(&house, "", 601), 503);
    let mut slow = house.connect();
    slow.send(head("/", 400) + &"x".repeat(399));
    until("it holds 299", || whole(&house, "", 302) == 503);
    assert_eq!(whole(&house, "", 301), 200);
    assert_eq!(whole(&house, "", 100), 200, "what is everybody's own");
    assert_eq!(whole(&house, "!", 800), 200);
    assert_eq!(whole(&house, "!", 801), 503);
    assert_eq!(slow.ask("x").status, 200);
    until("all of it is back", || whole(&house, "", 600) == 200);
    assert_eq!(slow.ask(head("/", 600) + &"x".repeat(600)).status, 200);
}

#[test]
fn a_body_is_held_until_it_is_answered() {
    let house = house(few());
    let mut held = house.connect();
    held.send(head("/hold", 600) + &"x".repeat(600));
    house.held.recv_timeout(PATIENCE).unwrap();
    assert_eq!(whole(&house, "", 101), 503);
    house.release.send(()).unwrap();
    assert_eq!(held.answer().unwrap().status, 200);
    assert_eq!(whole(&house, "", 600), 200);
}

#[test]
fn chunks_are_counted_as_they_come() {
    let house = house(few());
    let chunked = |size: usize| {
        let chunk = format!("a\r\n{}\r\n", "x".repeat(10)).repeat(size / 10);
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = house.connect().ask(format!("{head}{chunk}0\r\n\r\n"));
        answer.status
    };
    assert_eq!(chunked(600), 200);
    assert_eq!(chunked(610), 503);
    assert_eq!(chunked(600), 200);
}

#[test]
fn a_sender_is_told_what_it_may_send() {
    let house = house(few());
    // The handler's word counts, not what the path takes of anybody.
    let long = head("/less", 300) + &"x".repeat(150);
    assert_eq!(house.connect().ask(&long).status, 413);
    assert_eq!(
        house
            .connect()
            .ask(head("/less", 50) + &"x".repeat(50))
            .status,
        200
    );
    house.check_alive();
}

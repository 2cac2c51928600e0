//! What crowds of strangers cost an agent, and those who are no strangers.

use crate::harness::*;
use arctic::wire::peer::{Body, HANDSHAKE_PATH, MESSAGE_PATH};

/// What an agent may have resident, in KiB: `arctic-agent(8)` says it.
const MOST_KIB: u64 = 40 * 1024;
/// How many come at one time: fewer than there are connections, so that nobody is sent away for another.
const MANY: usize = 250;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// One way to be a nuisance: what each says first and then holds, in turn, and, when all have, how it
/// goes on.
struct Nuisance {
    what: &'static str,
    first: Vec<Vec<u8>>,
    then: &'static str,
}

/// A request of which the end is held back.
fn held(what: &'static str, to: (&str, &str), body: Vec<u8>, then: &'static str) -> Nuisance {
    let (path, kind) = to;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len() + then.len()
    );
    said(what, [head.into_bytes(), body].concat(), then)
}

fn said(what: &'static str, first: Vec<u8>, then: &'static str) -> Nuisance {
    Nuisance {
        what,
        first: vec![first],
        then,
    }
}

/// An object of tiny keys, a little shorter than this, without its end.
fn tiny_keys(bytes: usize) -> Vec<u8> {
    let fields = (0..).map(|n| format!(",\"{n:x}\":0"));
    let mut body = "{\"key\":0".to_string();
    for field in fields.take_while(|_| bytes > 16) {
        if body.len() + field.len() >= bytes {
            break;
        }
        body += &field;
    }
    body.into_bytes()
}

/// A head without its end.
fn head(request: &str, fields: usize, length: usize) -> Vec<u8> {
    let field = |n| format!("x-{n}: {}\r\n", "y".repeat(length));
    let fields: String = (0..fields).map(field).collect();
    format!("{request} HTTP/1.1\r\nHost: h\r\n{fields}").into_bytes()
}

/// What strangers can say that costs something, each filled to what is let in.
fn nuisances(member: &str) -> Vec<Nuisance> {
    const LONG: usize = 250_000;
    const OPERATOR: usize = 65_000;
    let message = (MESSAGE_PATH, JSON);
    let bootstrap = ("/v1/bootstrap", JSON);
    let claim = format!("{{\"key\":\"{member}\",\"macs\":[");
    let claimed = |filler: &str| -> Vec<u8> {
        let filler = filler.repeat((LONG - claim.len()) / filler.len());
        [claim.as_bytes(), filler.as_bytes()].concat()
    };
    let tag = format!("{{\"issue\":\"{:016}\",\"mac\":\"{:A<43}=\"}},", 0, "");
    // Everything together: heads as long as they may be, bodies on everybody's account.
    let laden = |path: &str, body: Vec<u8>| {
        let mut words = head(&format!("POST {path}"), 60, 250);
        let length = body.len() + 1;
        words.extend(format!("Content-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n").bytes());
        words.extend(body);
        words
    };
    let mut all = vec![laden(MESSAGE_PATH, tiny_keys(8_000)); 12];
    all[0] = laden(MESSAGE_PATH, claimed(&tag));
    all[1] = laden("/v1/bootstrap", tiny_keys(OPERATOR));
    all[2] = all[1].clone();
    let mut chunks = head("POST /v1/bootstrap", 0, 0);
    chunks.extend(format!("Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n").bytes());
    chunks.extend(b"1\r\n{\r\n".repeat(OPERATOR));
    vec![
        held("long tiny keys", message, tiny_keys(LONG), "}"),
        held("tiny keys", message, tiny_keys(16_000), "}"),
        held("greetings", (HANDSHAKE_PATH, JSON), tiny_keys(16_000), "}"),
        held("licenses", bootstrap, tiny_keys(OPERATOR), "}"),
        held("lists", bootstrap, b"[0,".repeat(OPERATOR / 3), "]"),
        held(
            "zeros",
            bootstrap,
            [b"{\"license\":[0".to_vec(), b",0".repeat(OPERATOR / 2 - 20)].concat(),
            "]}",
        ),
        held(
            "forms",
            ("/v1/oauth/token", FORM),
            b"a%20=b&".repeat(9_000),
            "c",
        ),
        held("claims", message, claimed("x"), "}"),
        held("claims with MACs", message, claimed(&tag), "]"),
        said("heads", head("GET /livez", 3, 5_000), "\r"),
        Nuisance {
            what: "all of it",
            first: all,
            then: "}",
        },
        said(
            "pipelines",
            b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500),
            "GET",
        ),
        said("chunks", chunks, "0\r\n\r\n"),
    ]
}

/// All of them, one kind after the other.
#[track_caller]
fn molest(agent: &Agent, member: &str) {
    for nuisance in nuisances(member) {
        let mut crowd = Crowd::gather(agent, MANY);
        crowd.say(|i| nuisance.first[i % nuisance.first.len()].clone());
        crowd.say(|_| nuisance.then.into());
        crowd.hear();
        let most = agent.most_resident_kib();
        eprintln!("{}: {} {most} KiB at most", agent.name, nuisance.what);
        assert!(most < MOST_KIB, "{}: {most} KiB", nuisance.what);
    }
}

#[test]
fn an_agent_stays_under_40_mib_whatever_strangers_send() {
    let lab = Lab::new();
    let mut alice = lab.agent("alice");
    molest(&alice, "");
    alice.bootstrap(&lab.path("license.json"));
    let bob = lab.member("bob");
    alice.add(&bob).is(201);
    molest(&alice, &Target::of(&bob).key.to_string());
}

#[test]
fn the_threads_of_an_agent_share_two_heaps() {
    let lab = Lab::new();
    let alice = lab.agent("alice");
    let mut crowd = Crowd::gather(&alice, 100);
    crowd.say(|_| head("GET /livez", 0, 0));
    crowd.say(|_| b"\r\n".to_vec());
    assert_eq!(crowd.hear(), 100);
    // The main one is not among them.
    assert!(alice.heaps() <= 1, "{} beside the main one", alice.heaps());
}

#[test]
fn those_who_wait_for_nobody_are_served_in_a_crowd() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (puppet, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    assert_eq!(puppet.join(&target.address).0, 200);
    let mut heads = Crowd::gather(&alice, MANY);
    let mut bodies = Crowd::gather(&alice, MANY);
    heads.say(|_| head("GET /livez", 3, 5_000));
    bodies.say(|_| {
        [
            head("POST /v1/bootstrap", 0, 0),
            b"Content-Length: 60000\r\n\r\n".to_vec(),
            vec![b' '; 50_000],
        ]
        .concat()
    });
    for _ in 0..5 {
        heads.say(|_| b"x".to_vec());
        bodies.say(|_| b" ".to_vec());
        Request::new("GET", "/livez").send(&alice.address).is(200);
        let told = puppet.tell(&target, Body::Beat { items: Vec::new() });
        assert!(told.0 == 200 && told.1.is_some(), "{told:?}");
    }
}

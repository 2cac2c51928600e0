//! Programs are the clients, not web pages: what a browser sends from somebody's page changes nothing.

use crate::harness::*;
use crate::http::{ask, routes};
use serde_json::{Value, json};

/// What a page's script sends after its name was rebound to the agent's address: for the browser it is
/// of one origin with the agent, so that nothing is asked first.
fn from_a_page(request: Request) -> Request {
    request.header("Origin", "http://rebound.example:8080")
}

fn bootstrap(lab: &Lab) -> Request {
    let license = std::fs::read_to_string(lab.path("license.json")).expect("a license");
    Request::new("POST", "/v1/bootstrap").json(license)
}

#[test]
fn a_page_bootstraps_nothing() {
    let lab = Lab::new();
    let alice = lab.agent("alice");
    for origin in ["http://rebound.example:8080", "null", "", &alice.url()] {
        let page = bootstrap(&lab).header("Origin", origin);
        // The header's value decides nothing: not even the agent's own address is a page of ours.
        page.send(&alice.address)
            .refused(403, "FORBIDDEN", &["Origin"]);
    }
    // The head as a browser writes it after DNS rebinding: its Host is the name of the page.
    let license = std::fs::read_to_string(lab.path("license.json")).expect("a license");
    let mut browser = Connection::open(&alice.address);
    browser.send(format!(
        "POST /v1/bootstrap HTTP/1.1\r\nHost: rebound.example:8080\r\norigin: http://rebound.example:8080\r\n\
         Referer: http://rebound.example:8080/\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{license}",
        license.len()
    ));
    let answer = browser.answer().expect("an answer");
    answer.refused(403, "FORBIDDEN", &["Origin"]);
    Request::new("GET", "/v1/cluster/identity")
        .send(&alice.address)
        .refused(409, "NOT_BOOTSTRAPPED", &[]);
    bootstrap(&lab).send(&alice.address).is(201);
}

#[test]
fn a_page_changes_nothing() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let token = alice.token();
    let credentials = &alice.credentials;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        credentials.client_id, credentials.client_secret
    );
    let open = [
        Request::new("POST", "/v1/oauth/token").form(&form),
        Request::new("POST", "/v1/gossip/message").json("{}"),
        Request::new("POST", "/v1/gossip/handshake").json("{}"),
        Request::new("POST", "/v1/gossip/of/a/later/version").json("{}"),
        Request::new("DELETE", "/v1/peers/self").bearer(&token),
        Request::new("POST", "/nowhere").json("{}"),
        Request::new("PATCH", "/v1/peers").bearer(&token),
        // What a browser asks before a request that is of another origin.
        Request::new("OPTIONS", "/v1/peers"),
    ];
    let (reads, writes): (Vec<_>, Vec<_>) = routes().into_iter().partition(|r| r.0 == "GET");
    let writes = writes
        .iter()
        .map(|(method, path, _, body)| ask(method, path, body).bearer(&token));
    for request in open.into_iter().chain(writes) {
        let answer = from_a_page(request).send(&alice.address);
        answer.refused(403, "FORBIDDEN", &["Origin"]);
    }
    assert_eq!(alice.peers()[0]["status"], "alive");
    // Reading is not refused for it; that no page can read the answer is the browser's part.
    for (method, path, _, body) in reads {
        let bare = ask(method, &path, &body).bearer(&token);
        let read = from_a_page(bare.clone()).send(&alice.address);
        assert_eq!(read.status, bare.send(&alice.address).status, "{path}");
        assert_eq!(read.header("access-control-allow-origin"), None, "{path}");
    }
    let mut head = Connection::open(&alice.address);
    head.send("HEAD /livez HTTP/1.1\r\nHost: x\r\nOrigin: http://rebound.example\r\n\r\n");
    assert_eq!(head.answer_to_head().expect("an answer").status, 200);
}

#[test]
fn gossip_is_json_and_says_so() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let gossip = |path: &str| Request::new("POST", &format!("/v1/gossip/{path}"));
    for path in ["message", "handshake", "of/a/later/version"] {
        for other in [
            // The types that a page may send without asking first.
            gossip(path)
                .header("Content-Type", "text/plain")
                .bytes("{}"),
            gossip(path).form("{}"),
            gossip(path)
                .header("Content-Type", "multipart/form-data; boundary=x")
                .bytes("{}"),
            gossip(path).header("Content-Type", "").bytes("{}"),
            gossip(path)
                .header("Content-Type", "application/jsonp")
                .bytes("{}"),
            gossip(path).bytes("{}"),
        ] {
            let answer = other.send(&alice.address);
            answer.refused(415, "UNSUPPORTED_MEDIA_TYPE", &["application/json"]);
        }
        let read = gossip(path)
            .header("Content-Type", "application/json; charset=utf-8")
            .bytes("{}");
        assert_ne!(read.send(&alice.address).status, 415, "{path}");
    }
}

#[test]
fn agents_and_commands_are_no_pages() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    lab.save(&alice);
    let named = ["peers", "update", &bob.peer_id, "--name", "robert", "-j"];
    let renamed: Value = lab.arctic(&named).json();
    assert_eq!(renamed["name"], json!("robert"));
}

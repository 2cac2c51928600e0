//! The HTTP surface: every route, every scope, every refusal.

use crate::cli::NOBODY;
use crate::harness::*;
use serde_json::{Value, json};

pub const SCOPES: &[&str] = &[
    "admin",
    "peers.read",
    "peers.write",
    "services.read",
    "services.write",
    "credentials.read",
    "credentials.write",
];

/// Method, path, the scope that it takes, a body that is refused for what it says, if it has one.
/// Nothing in this table changes anything, whoever calls.
pub fn routes() -> Vec<(&'static str, String, &'static str, Option<Value>)> {
    let service = "/v1/services/svc_01KDVRKRC0XQ2K9V7M4T8HBN3Y".to_string();
    let client = "/v1/credentials/cli_01KDVRKRC0XQ2K9V7M4T8HBN3Y".to_string();
    let peer = format!("/v1/peers/{NOBODY}");
    vec![
        ("GET", "/v1/license".into(), "admin", None),
        ("PUT", "/v1/license".into(), "admin", Some(json!({}))),
        ("GET", "/v1/cluster/status".into(), "peers.read", None),
        ("POST", "/v1/cluster/sync".into(), "admin", None),
        ("GET", "/v1/peers".into(), "peers.read", None),
        ("GET", peer.clone(), "peers.read", None),
        ("POST", "/v1/peers".into(), "peers.write", Some(json!({}))),
        (
            "PUT",
            peer.clone(),
            "peers.write",
            Some(json!({"name": "x"})),
        ),
        ("DELETE", peer, "peers.write", None),
        ("GET", "/v1/services".into(), "services.read", None),
        ("GET", service.clone(), "services.read", None),
        (
            "POST",
            "/v1/services".into(),
            "services.write",
            Some(json!({})),
        ),
        (
            "PUT",
            service.clone(),
            "services.write",
            Some(json!({"name": "x"})),
        ),
        ("DELETE", service, "services.write", None),
        ("GET", "/v1/credentials".into(), "credentials.read", None),
        (
            "POST",
            "/v1/credentials".into(),
            "credentials.write",
            Some(json!({"scopes": ["x"]})),
        ),
        ("DELETE", client, "credentials.write", None),
    ]
}

pub fn ask(method: &str, path: &str, body: &Option<Value>) -> Request {
    match body {
        Some(body) => Request::new(method, path).json(body.to_string()),
        None => Request::new(method, path),
    }
}

#[test]
fn before_bootstrap_only_the_open_routes_answer() {
    let lab = Lab::new();
    let alice = lab.agent("alice");
    let get = |path: &str| Request::new("GET", path).send(&alice.address);
    let live = get("/livez");
    assert_eq!(live.is(200)["status"], "ok");
    assert!(
        live.body.starts_with("{\"status\":\"ok\","),
        "{}",
        live.body
    );
    assert!(get("/readyz").is(503)["reason"].is_string());
    assert_eq!(get("/.well-known/jwks.json").is(200), json!({"keys": []}));
    get("/.well-known/openid-configuration").is(200);
    get("/.well-known/oauth-authorization-server").is(200);
    for (method, path, _, body) in routes() {
        let answer = ask(method, &path, &body).send(&alice.address);
        answer.refused(409, "NOT_BOOTSTRAPPED", &[]);
    }
    get("/v1/cluster/identity").refused(409, "NOT_BOOTSTRAPPED", &[]);
    let token = Request::new("POST", "/v1/oauth/token").form("grant_type=client_credentials");
    token
        .send(&alice.address)
        .refused(409, "NOT_BOOTSTRAPPED", &[]);
}

#[test]
fn every_answer_has_its_headers() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let token = alice.token();
    let mut ids = Vec::new();
    for request in [
        Request::new("GET", "/livez"),
        Request::new("GET", "/readyz"),
        Request::new("GET", "/v1/peers").bearer(&token),
        Request::new("GET", "/v1/peers"),
        Request::new("GET", "/nowhere"),
        Request::new("DELETE", "/livez"),
        Request::new("POST", "/v1/oauth/token").form("grant_type=x"),
    ] {
        let answer = request.send(&alice.address);
        assert!(
            answer
                .header("content-type")
                .is_some_and(|t| t.starts_with("application/json")),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{answer:?}"
        );
        ids.push(answer.header("x-request-id").expect("an id").to_string());
        assert!(
            answer
                .header("server")
                .is_none_or(|s| !s.contains("tiny_http")),
            "{answer:?}"
        );
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7, "request ids repeat");
}

#[test]
fn paths_and_methods_that_do_not_exist() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let token = alice.token();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/peers/",
        "/v1/peers/x/y",
        "/v2/peers",
        "/v1/Peers",
        "//v1/peers",
        "/v1/peers/../license",
        "/openapi.json",
        "/metrics",
        "/v1/events",
        "/v1/peers/%00",
    ] {
        let answer = Request::new("GET", path)
            .bearer(&token)
            .send(&alice.address);
        answer.refused(404, "NOT_FOUND", &[]);
    }
    // A malformed id is not found, whatever it is.
    for id in [
        "x",
        "peer_",
        "peer_01",
        "svc_01KDVRKRC0XQ2K9V7M4T8HBN3Y",
        "PEER_01KDVRKRC0XQ2K9V7M4T8HBN3Y",
    ] {
        let answer = Request::new("GET", &format!("/v1/peers/{id}"))
            .bearer(&token)
            .send(&alice.address);
        answer.refused(404, "NOT_FOUND", &["peer not found"]);
    }
    // This command of a later version does not exist rather than meaning something weaker.
    let revoke = format!("/v1/peers/{NOBODY}?scope=cluster");
    Request::new("DELETE", &revoke)
        .bearer(&token)
        .send(&alice.address)
        .refused(404, "NOT_FOUND", &[]);

    for (method, path, allowed) in [
        ("POST", "/livez", &["GET"][..]),
        ("DELETE", "/v1/peers", &["GET", "POST"]),
        ("PATCH", "/v1/peers", &["GET", "POST"]),
        (
            "POST",
            &format!("/v1/peers/{NOBODY}"),
            &["GET", "PUT", "DELETE"],
        ),
        ("GET", "/v1/bootstrap", &["POST"]),
        ("GET", "/v1/oauth/token", &["POST"]),
        ("DELETE", "/v1/license", &["GET", "PUT"]),
        ("GET", "/v1/cluster/sync", &["POST"]),
    ] {
        let answer = Request::new(method, path)
            .bearer(&token)
            .send(&alice.address);
        answer.refused(405, "METHOD_NOT_ALLOWED", &[]);
        let allow = answer.header("allow").unwrap_or_default();
        assert!(
            allowed.iter().all(|m| allow.contains(m)),
            "{method} {path}: {allow}"
        );
    }
    let mut connection = Connection::open(&alice.address);
    connection.send(format!(
        "HEAD /livez HTTP/1.1\r\nHost: {}\r\n\r\n",
        alice.address
    ));
    let head = connection.answer_to_head().expect("an answer");
    assert_eq!(
        (head.status, head.header("content-length").is_some()),
        (200, true)
    );
    connection.send(format!(
        "GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n",
        alice.address
    ));
    assert_eq!(
        connection.answer().expect("the connection goes on").status,
        200
    );
}

#[test]
fn bodies_that_are_not_what_they_should_be() {
    let lab = Lab::new();
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let token = alice.token();
    let peer = format!("/v1/peers/{}", bob.peer_id);
    let post = |path: &str| Request::new("POST", path).bearer(&token);
    let put = |path: &str| Request::new("PUT", path).bearer(&token);
    for (request, status, code, word) in [
        (post("/v1/peers").json(""), 400, "INVALID_REQUEST", ""),
        (post("/v1/peers").json("{"), 400, "INVALID_REQUEST", "JSON"),
        (post("/v1/peers").json("[]"), 400, "INVALID_REQUEST", ""),
        (
            post("/v1/peers").json("{}"),
            400,
            "MISSING_FIELD",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": 7}"#),
            400,
            "INVALID_REQUEST",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": "x:1", "port": 7}"#),
            400,
            "INVALID_REQUEST",
            "port",
        ),
        (
            post("/v1/peers").json(r#"{"address": "x:1", "address": "y:1"}"#),
            400,
            "INVALID_REQUEST",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": "http://x:1"}"#),
            400,
            "INVALID_REQUEST",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": "x"}"#),
            400,
            "INVALID_REQUEST",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": "x:0"}"#),
            400,
            "INVALID_REQUEST",
            "address",
        ),
        (
            post("/v1/peers").json(r#"{"address": "127.0.0.1:1", "name": "self"}"#),
            400,
            "INVALID_REQUEST",
            "name",
        ),
        (put(&peer).json("{}"), 400, "MISSING_FIELD", "name"),
        (
            put(&peer).json(r#"{"name": "peer_x"}"#),
            400,
            "INVALID_REQUEST",
            "name",
        ),
        (
            put(&peer).json("{\"name\": \"a\\u0007\"}"),
            400,
            "INVALID_REQUEST",
            "name",
        ),
        (
            post("/v1/services").json("{}"),
            400,
            "MISSING_FIELD",
            "target_peer_id",
        ),
        (
            post("/v1/credentials").json(r#"{"scopes": ["peers"]}"#),
            400,
            "INVALID_REQUEST",
            "peers",
        ),
        (
            post("/v1/peers").bytes("address=x:1"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "application/json",
        ),
        (
            post("/v1/peers").form("address=x:1"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "application/json",
        ),
        (
            post("/v1/peers").json(vec![b' '; 65 * 1024]),
            413,
            "PAYLOAD_TOO_LARGE",
            "65536",
        ),
    ] {
        request.send(&alice.address).refused(status, code, &[word]);
    }
    // A charset is no other type, and too deep a nesting is no way to end the agent.
    let charset = post("/v1/peers").header("Content-Type", "application/json; charset=utf-8");
    charset
        .bytes("{}")
        .send(&alice.address)
        .refused(400, "MISSING_FIELD", &[]);
    let deep = "[".repeat(60_000);
    post("/v1/peers")
        .json(deep)
        .send(&alice.address)
        .refused(400, "INVALID_REQUEST", &[]);
    assert_eq!(alice.peers().len(), 2);
}

#[test]
fn services_are_refused_for_what_they_say() {
    let lab = Lab::with_limits(5, 1);
    let [alice, bob] = lab.cluster(["alice", "bob"]);
    let create = |body: Value| alice.call("POST", "/v1/services", Some(body));
    create(json!({"target_peer_id": NOBODY})).refused(404, "NOT_FOUND", &["peer not found"]);
    create(json!({"target_peer_id": bob.peer_id, "transport_type": "udp"})).refused(
        400,
        "INVALID_TRANSPORT",
        &["udp", "tcp", "kcp"],
    );
    create(json!({"target_peer_id": alice.peer_id})).refused(400, "INVALID_REQUEST", &[]);
    let made =
        create(json!({"target_peer_id": bob.peer_id, "transport_type": "kcp", "name": "web"}))
            .is(201);
    assert_eq!(
        (&made["source_peer_id"], &made["status"]),
        (&json!(alice.peer_id), &json!("active"))
    );
    assert_eq!(
        (&made["version"], &made["inactive_reason"]),
        (&json!(1), &Value::Null)
    );
    create(json!({"target_peer_id": bob.peer_id})).refused(422, "SERVICE_LIMIT_EXCEEDED", &["1"]);

    let path = format!("/v1/services/{}", made["id"].as_str().expect("an id"));
    let changed = alice
        .call("PUT", &path, Some(json!({"transport_type": "tcp"})))
        .is(200);
    assert_eq!(
        (&changed["version"], &changed["name"]),
        (&json!(2), &json!("web"))
    );
    for ends in [
        json!({"target_peer_id": alice.peer_id}),
        json!({"source_peer_id": bob.peer_id}),
    ] {
        alice
            .call("PUT", &path, Some(ends))
            .refused(400, "INVALID_REQUEST", &["peer_id"]);
    }
    alice.call("DELETE", &path, None).is(200);
    alice
        .call("DELETE", &path, None)
        .refused(404, "NOT_FOUND", &["service not found"]);
    alice.serve(&bob);
}

#[test]
fn peers_are_filtered_and_ordered() {
    let lab = Lab::new();
    let [alice, _zoe, bob] = lab.cluster(["alice", "zoe", "bob"]);
    let names = |path: &str| -> Vec<String> {
        let peers = alice.get(path);
        let all = peers.as_array().expect("a bare array").iter();
        all.map(|p| p["name"].as_str().unwrap_or_default().to_string())
            .collect()
    };
    assert_eq!(names("/v1/peers"), ["alice", "bob", "zoe"]);
    assert_eq!(names("/v1/peers?is_local=true"), ["alice"]);
    assert_eq!(names("/v1/peers?is_local=false"), ["bob", "zoe"]);
    alice.call("GET", "/v1/peers?is_local=maybe", None).refused(
        400,
        "INVALID_REQUEST",
        &["is_local"],
    );
    let bob_there = alice.get(&format!("/v1/peers/{}", bob.peer_id));
    for field in [
        "id",
        "name",
        "public_key",
        "is_local",
        "address",
        "created_at",
        "status",
        "last_seen",
        "incarnation",
        "version",
    ] {
        assert!(bob_there.get(field).is_some(), "no {field} in {bob_there}");
    }
    let time = bob_there["created_at"].as_str().expect("a time");
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    let status = alice.get("/v1/cluster/status");
    assert_eq!(
        (&status["members"]["alive"], &status["isolated"]),
        (&json!(3), &json!(false)),
        "{status}"
    );
    let mut seen = Request::new("POST", "/v1/cluster/sync").bearer(&alice.token());
    assert_eq!(
        seen.send(&alice.address).is(200),
        json!({"triggered": true})
    );
    seen = Request::new("DELETE", "/v1/peers/self").bearer(&alice.token());
    assert_eq!(seen.send(&alice.address).is(200)["deactivated"], true);
}

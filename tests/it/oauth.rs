//! Tokens and credentials: who may ask for what, and how a token is checked.

use crate::harness::*;
use crate::http::{SCOPES, ask, routes};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

pub fn credentials_with(agent: &Agent, scopes: &[&str]) -> Credentials {
    let made = agent
        .call("POST", "/v1/credentials", Some(json!({"scopes": scopes})))
        .is(201);
    let text = |field: &str| made[field].as_str().expect(field).to_string();
    Credentials {
        client_id: text("client_id"),
        client_secret: text("client_secret"),
    }
}

#[test]
fn every_route_takes_its_scope_and_no_other() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    for scope in SCOPES {
        let token = alice.token_of(&credentials_with(&alice, &[scope]));
        for (method, path, wanted, body) in routes() {
            let answer = ask(method, &path, &body)
                .bearer(&token)
                .send(&alice.address);
            let may = *scope == "admin" || *scope == wanted;
            if may {
                assert!(
                    ![401, 403, 405, 500].contains(&answer.status),
                    "{scope} {method} {path} {answer:?}"
                );
            } else {
                let urn = format!("urn:tillered:arctic:{wanted}");
                answer.refused(403, "FORBIDDEN", &["permission denied", &urn]);
                let challenge = answer.header("www-authenticate").unwrap_or_default();
                assert!(challenge.contains("insufficient_scope"), "{answer:?}");
            }
        }
    }
    for (method, path, _, body) in routes() {
        let answer = ask(method, &path, &body).send(&alice.address);
        answer.refused(401, "UNAUTHORIZED", &[]);
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{answer:?}");
        let answer = ask(method, &path, &body)
            .bearer("x.y.z")
            .send(&alice.address);
        answer.refused(401, "UNAUTHORIZED", &[]);
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("invalid_token"), "{answer:?}");
    }
}

#[test]
fn tokens_come_by_form_and_by_basic_and_verify_against_the_jwks() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let Credentials {
        client_id,
        client_secret,
    } = alice.credentials.clone();
    let token = || Request::new("POST", "/v1/oauth/token");
    let form = format!(
        "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
    );
    let answer = token().form(&form).send(&alice.address).is(200);
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    let basic =
        base64::engine::general_purpose::STANDARD.encode(format!("{client_id}:{client_secret}"));
    let by_basic = token()
        .header("Authorization", format!("Basic {basic}"))
        .form("grant_type=client_credentials&scope=peers.read");
    let narrow = by_basic.send(&alice.address).is(200);
    assert_eq!(narrow["scope"], "urn:tillered:arctic:peers.read");

    let jwks = Request::new("GET", "/.well-known/jwks.json")
        .send(&alice.address)
        .is(200);
    let claims = verify(answer["access_token"].as_str().expect("text"), &jwks);
    for (claim, value) in [
        ("iss", &alice.peer_id),
        ("aud", &alice.peer_id),
        ("sub", &client_id),
        ("client_id", &client_id),
    ] {
        assert_eq!(claims[claim], json!(value), "{claims}");
    }
    assert_eq!(
        claims["exp"]
            .as_i64()
            .zip(claims["iat"].as_i64())
            .map(|(e, i)| e - i),
        Some(3600)
    );
    assert!(
        claims["jti"].is_string()
            && claims["scope"]
                .as_str()
                .is_some_and(|s| s.contains("admin"))
    );

    for (form, error, status) in [
        (
            form.replace("client_credentials", "password"),
            "unsupported_grant_type",
            400,
        ),
        (form.replace("grant_type", "grant"), "invalid_request", 400),
        (form.replace("sec_", "sec_x"), "invalid_client", 401),
        (form.replace("cli_", "cli_x"), "invalid_client", 401),
        (format!("{form}&scope=everything"), "invalid_scope", 400),
        (format!("{form}&client_id=twice"), "invalid_request", 400),
    ] {
        let answer = token().form(&form).send(&alice.address);
        assert_eq!(answer.is(status)["error"], error, "{form}");
        assert!(answer.json()["error_description"].is_string());
    }
    let wrong = token()
        .header("Authorization", "Basic eDp5")
        .form("grant_type=client_credentials");
    let wrong = wrong.send(&alice.address);
    assert_eq!(wrong.status, 401);
    assert!(
        wrong
            .header("www-authenticate")
            .is_some_and(|v| v.starts_with("Basic")),
        "{wrong:?}"
    );

    // A token of another agent, and one whose every part but one is ours.
    let bob = lab.member("bob");
    let foreign = Request::new("GET", "/v1/peers")
        .bearer(&bob.token())
        .send(&alice.address);
    foreign.refused(401, "UNAUTHORIZED", &[]);
    let parts: Vec<String> = alice.token().split('.').map(str::to_string).collect();
    for forged in [
        format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#),
            parts[1],
            parts[2]
        ),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1].to_lowercase(), parts[2]),
        format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
    ] {
        let answer = Request::new("GET", "/v1/peers")
            .bearer(&forged)
            .send(&alice.address);
        answer.refused(401, "UNAUTHORIZED", &[]);
    }
}

/// Verifies a token as any JOSE library does; returns its claims.
fn verify(token: &str, jwks: &Value) -> Value {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let json_of = |part: &str| serde_json::from_slice::<Value>(&decode(part)).expect("JSON");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (head, claims) = signed.split_once('.').expect("three parts");
    let head = json_of(head);
    assert_eq!(
        (&head["alg"], &head["typ"]),
        (&json!("EdDSA"), &json!("at+jwt"))
    );
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys
        .iter()
        .find(|k| k["kid"] == head["kid"])
        .expect("the key of the token");
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    let x: [u8; 32] = decode(key["x"].as_str().expect("x"))
        .try_into()
        .expect("32 bytes");
    let key = VerifyingKey::from_bytes(&x).expect("a key");
    let signature = Signature::from_slice(&decode(signature)).expect("64 bytes");
    key.verify_strict(signed.as_bytes(), &signature)
        .expect("it verifies");
    json_of(claims)
}

#[test]
fn credentials_live_and_die() {
    let lab = Lab::new();
    let mut alice = lab.member("alice");
    let reader = credentials_with(
        &alice,
        &["peers.read", "urn:tillered:arctic:credentials.write"],
    );
    let token = alice.token_of(&reader);
    let call = |method: &str, path: &str, body: Value| {
        Request::new(method, path)
            .bearer(&token)
            .json(body.to_string())
            .send(&alice.address)
    };
    // Nobody gives what they lack; nothing asked for is what the caller has.
    call("POST", "/v1/credentials", json!({"scopes": ["admin"]})).refused(
        403,
        "FORBIDDEN",
        &["admin"],
    );
    let same = call("POST", "/v1/credentials", json!({"name": "same"})).is(201);
    assert_eq!(same["scopes"].as_array().map(Vec::len), Some(2), "{same}");

    let first = format!("/v1/credentials/{}", alice.credentials.client_id);
    call(
        "DELETE",
        &format!("/v1/credentials/{}", reader.client_id),
        json!({}),
    )
    .refused(422, "CANNOT_REVOKE_CURRENT", &[]);
    // Nor does anybody revoke what may do more than they may, the last one with admin or not.
    let second = credentials_with(&alice, &["admin"]);
    let second = format!("/v1/credentials/{}", second.client_id);
    for admin in [&first, &second] {
        call("DELETE", admin, json!({})).refused(403, "FORBIDDEN", &["admin"]);
    }
    alice.call("DELETE", &second, None).is(200);
    alice
        .call("DELETE", &first, None)
        .refused(422, "LAST_ADMIN", &[]);
    let listed = alice.get("/v1/credentials");
    assert_eq!(listed.as_array().map(Vec::len), Some(3));
    assert!(
        !listed.to_string().contains("sec_") && !listed.to_string().contains("hash"),
        "{listed}"
    );

    let gone = alice.call(
        "DELETE",
        &format!("/v1/credentials/{}", reader.client_id),
        None,
    );
    assert_eq!(gone.is(200), json!({"deleted": true}));
    let dead = Request::new("GET", "/v1/peers")
        .bearer(&token)
        .send(&alice.address);
    dead.refused(401, "UNAUTHORIZED", &[]);
    alice
        .call(
            "DELETE",
            &format!("/v1/credentials/{}", reader.client_id),
            None,
        )
        .refused(404, "NOT_FOUND", &[]);
    let left = Credentials {
        client_id: same["client_id"].as_str().expect("text").into(),
        client_secret: same["client_secret"].as_str().expect("text").into(),
    };
    alice.terminate();
    alice.restart();
    assert!(
        !alice.token_of(&left).is_empty(),
        "credentials survive a restart"
    );
    assert_eq!(
        alice.get("/v1/credentials").as_array().map(Vec::len),
        Some(2)
    );
}

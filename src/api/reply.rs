//! Answers: JSON, the error body, and the headers that go with each.

use crate::domain::{Error, Result};
use crate::transport::Reply;
use crate::wire::operator::ErrorBody;
use serde::Serialize;

/// What 401 says when no token was sent; RFC 6750 section 3.1 wants no error code in that case.
pub const NO_TOKEN: &str = "an access token is required";
/// The most characters of an error's sentence; it may quote what the caller sent.
const MAX_SENTENCE: usize = 1000;

/// 200 with this body.
pub fn ok(body: &impl Serialize) -> Result<Reply> {
    Ok(json(200, body))
}

/// 201 with this body.
pub fn created(body: &impl Serialize) -> Result<Reply> {
    Ok(json(201, body))
}

pub fn json(status: u16, body: &impl Serialize) -> Reply {
    match serde_json::to_vec(body) {
        Ok(body) => Reply {
            status,
            headers: Vec::new(),
            body,
        },
        Err(_) => Reply {
            status: 500,
            headers: Vec::new(),
            body: br#"{"error":"internal error","code":"INTERNAL"}"#.to_vec(),
        },
    }
}

/// Bytes that are JSON already.
pub fn raw_json(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body,
    }
}

/// The error body, and the header that its status asks for.
pub fn error(error: &Error) -> Reply {
    let row = error.code().row();
    let body = ErrorBody {
        error: error.to_string().chars().take(MAX_SENTENCE).collect(),
        code: row.name.to_string(),
    };
    let mut reply = json(row.http_status, &body);
    reply.headers.extend(header(error, row.http_status));
    reply
}

fn header(error: &Error, status: u16) -> Option<(&'static str, String)> {
    match error {
        Error::Unauthorized(_) | Error::TokenExpired | Error::Forbidden(_) => {
            Some(("WWW-Authenticate", challenge(error)))
        }
        Error::MethodNotAllowed(allow) => Some(("Allow", allow.to_string())),
        _ if matches!(status, 429 | 503) => Some(retry()),
        _ => None,
    }
}

/// RFC 6750 section 3. The sentences hold neither quotes nor backslashes.
fn challenge(error: &Error) -> String {
    let realm = r#"Bearer realm="arctic""#;
    match error {
        Error::Unauthorized(NO_TOKEN) => realm.to_string(),
        Error::Forbidden(scope) => {
            format!(r#"{realm}, error="insufficient_scope", scope="{scope}""#)
        }
        other => format!(r#"{realm}, error="invalid_token", error_description="{other}""#),
    }
}

pub fn retry() -> (&'static str, String) {
    ("Retry-After", "1".to_string())
}

/// What every answer carries, whoever made it.
pub fn finish(mut reply: Reply, request_id: &str) -> Reply {
    for (name, value) in [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("X-Request-Id", request_id),
    ] {
        let has = |(known, _): &(&str, String)| known.eq_ignore_ascii_case(name);
        if !reply.headers.iter().any(has) {
            reply.headers.push((name, value.to_string()));
        }
    }
    reply
}

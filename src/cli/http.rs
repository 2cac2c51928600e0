//! The one place where the command line uses the HTTP client, and the URLs that it takes.

use super::fail::{Exit, Fail, Outcome};
use crate::domain::Address;
use crate::transport::client::{CallError, Client, Request};
use std::time::Duration;

pub use crate::transport::client::Answer;

/// The longest answer that is read, in bytes: a list of some ten thousand peers.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// The longest wait for a connection; the whole call may take longer.
const CONNECT: Duration = Duration::from_secs(5);

/// `http://HOST:PORT`, checked and in one spelling.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseUrl {
    address: Address,
}

impl BaseUrl {
    /// Reads a URL as a person types it: the scheme may be missing, a last slash may be there.
    pub fn parse(text: &str) -> Outcome<BaseUrl> {
        let fault = |why: &str| {
            Fail::usage(format!("'{text}' is not an agent's URL: {why}"))
                .hint("a URL looks like http://10.0.0.1:8080")
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if scheme.eq_ignore_ascii_case("https") {
            return Err(fault("agents speak plain HTTP"));
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(fault("its scheme is not http"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let has_port = rest
            .rsplit_once(':')
            .is_some_and(|(host, _)| !host.starts_with('[') || host.ends_with(']'));
        // RFC 9110 section 4.2.1: without a port it is 80.
        let with_port = match has_port {
            true => rest.to_string(),
            false => format!("{rest}:80"),
        };
        let address = Address::parse(&with_port).map_err(|e| {
            fault(
                e.to_string()
                    .trim_start_matches("address must be HOST:PORT: "),
            )
        })?;
        Ok(BaseUrl { address })
    }

    pub fn text(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn is_loopback(&self) -> bool {
        self.address.is_loopback()
    }
}

/// A request to an agent.
pub struct Ask<'a> {
    pub method: &'static str,
    pub url: &'a BaseUrl,
    /// Path and query, percent-encoded.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub timeout: Duration,
}

/// The client, with its pool of connections.
pub struct Http {
    client: Client,
}

impl Http {
    pub fn new() -> Http {
        Http {
            client: Client::new(),
        }
    }

    /// Sends a request; whatever answers, its answer is the result.
    pub fn send(&self, ask: Ask) -> Outcome<Answer> {
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let outcome = self.client.call(&Request {
            method: ask.method.to_string(),
            url_base: ask.url.text(),
            path: path.to_string(),
            query: query.to_string(),
            headers: ask.headers,
            body: ask.body,
            connect_timeout: CONNECT.min(ask.timeout),
            timeout: ask.timeout,
            max_answer: MAX_ANSWER,
            near: true,
            retry_idempotent: matches!(ask.method, "GET" | "PUT"),
        });
        outcome.map_err(|error| explain(ask.method, ask.url, &error))
    }
}

fn explain(method: &str, url: &BaseUrl, error: &CallError) -> Fail {
    let url = url.text();
    match error {
        CallError::Refused | CallError::Unreachable(_) | CallError::NotSent(_) => {
            unreached(&url, &error.to_string())
        }
        // From here on something was sent, and may have been done.
        CallError::Timeout | CallError::Broken(_) if method != "GET" => unreached(
            &url,
            &format!("{error}; the change may have been made all the same"),
        ),
        CallError::Timeout | CallError::Broken(_) => unreached(&url, &error.to_string()),
        CallError::TooLarge => Fail::failed(format!(
            "the answer of {url} is longer than {MAX_ANSWER} bytes"
        )),
    }
}

fn unreached(url: &str, why: &str) -> Fail {
    Fail::new(Exit::Unreached, format!("cannot reach {url}: {why}")).hint(
        "check that the agent runs there ('systemctl status arctic') and that the URL is right ('arctic config list-peers')",
    )
}

/// Percent-encodes a value for a path segment or a query (RFC 3986 section 2.3).
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, shown) in [
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://10.0.0.1:8080/", "http://10.0.0.1:8080"),
            ("HTTP://Node-1:8080", "http://node-1:8080"),
            ("node-1:8080", "http://node-1:8080"),
            ("http://node-1", "http://node-1:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]:80"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().text(), shown);
        }
        for bad in [
            "",
            "https://a:1",
            "ftp://a:1",
            "http://a:1/v1",
            "http://u:p@a:1",
            "http://a:0",
            "http://a b:1",
            "http://",
            "http://a:1//",
        ] {
            assert_eq!(BaseUrl::parse(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn what_a_path_cannot_hold_is_encoded() {
        assert_eq!(encode("peer_01-a.~"), "peer_01-a.~");
        assert_eq!(encode("a/b?c d\u{e4}"), "a%2Fb%3Fc%20d%C3%A4");
    }
}

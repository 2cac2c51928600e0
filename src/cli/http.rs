//! The one place where the command line uses the HTTP client, and the URLs that it takes.

use super::fail::{Exit, Fail, Outcome};
use crate::domain::Address;
use std::time::Duration;

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

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// The client, with its pool of connections.
pub struct Http {}

impl Http {
    pub fn new() -> Http {
        Http {}
    }

    pub fn send(&self, ask: Ask) -> Outcome<Answer> {
        use std::io::{Read, Write};
        use std::net::{TcpStream, ToSocketAddrs};
        let hp = ask.url.address.to_string();
        let unreached = |e: std::io::Error| not_reached(&ask, &e.to_string());
        let addr = hp.to_socket_addrs().map_err(unreached)?.next();
        let addr = addr.ok_or_else(|| not_reached(&ask, "no address"))?;
        let mut s =
            TcpStream::connect_timeout(&addr, CONNECT.min(ask.timeout)).map_err(unreached)?;
        s.set_read_timeout(Some(ask.timeout)).map_err(unreached)?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {hp}\r\nConnection: close\r\n",
            ask.method, ask.target
        );
        for (n, v) in &ask.headers {
            head.push_str(&format!("{n}: {v}\r\n"));
        }
        let body = ask.body.clone().unwrap_or_default();
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        s.write_all(&[head.as_bytes(), &body].concat())
            .map_err(unreached)?;
        let mut all = Vec::new();
        s.take(MAX_ANSWER as u64)
            .read_to_end(&mut all)
            .map_err(unreached)?;
        let text = String::from_utf8_lossy(&all).into_owned();
        let (h, b) = text
            .split_once("\r\n\r\n")
            .ok_or_else(|| not_reached(&ask, "no answer"))?;
        let status = h
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        Ok(Answer {
            status,
            body: b.as_bytes().to_vec(),
        })
    }
}

fn not_reached(ask: &Ask, why: &str) -> Fail {
    let mut sentence = format!("cannot reach {}: {why}", ask.url.text());
    if ask.method != "GET" && why == TIMED_OUT {
        sentence.push_str("; the change may have been made all the same");
    }
    Fail::new(Exit::Unreached, sentence).hint(
        "check that the agent runs there ('systemctl status arctic') and that the URL is right ('arctic config list-peers')",
    )
}

const TIMED_OUT: &str = "no answer in time";

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

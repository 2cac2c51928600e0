//! Floor 4: the only sockets.
//!
//! Knows: TCP, HTTP/1.1, timeouts, limits of size. Must never know: routes, peers, SQL.
//! Invariant: whatever bytes arrive, memory, threads and descriptors stay within the limits given at
//! the start, and a well-formed request of another client is answered.
//!
//! Reading order: `server` accepts and hands over, `book` decides who may stay, `connection` serves
//! one client with the help of `head`, `intake`, `chunks`, `peer` (the socket) and `answer`; `limits` has
//! all the numbers. `client` calls others; `resolver` finds their addresses.

mod answer;
mod book;
mod chunks;
pub mod client;
mod connection;
mod head;
mod intake;
mod limits;
pub mod local;
mod peer;
mod resolver;
pub mod server;
#[cfg(test)]
mod tests;
mod throttle;

use std::net::IpAddr;

/// One request, read whole.
#[derive(Debug, Clone)]
pub struct Call {
    /// As on the request line; HEAD arrives as GET.
    pub method: String,
    /// The path without the query, still percent-encoded, beginning with `/`.
    pub path: String,
    /// What follows `?`, or "".
    pub query: String,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The other end of the connection.
    pub remote: IpAddr,
    /// This end of the connection.
    pub local: IpAddr,
}

impl Call {
    /// The value of a header, if it occurs; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// One answer. The server adds `Content-Length`, `Date`, `Server` and `Connection`; a status outside of
/// 200 to 599 becomes 500, and a header value with a control character or beyond ASCII is dropped.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// How much of a body is taken, and on which account it stands while it is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The largest body, in bytes.
    pub limit: usize,
    /// All strangers' bodies together are bounded, and all others' together.
    pub stranger: bool,
}

/// What a server does with the requests that it has read.
pub trait Handler: Send + Sync {
    /// The largest body, in bytes, that this path takes of anybody.
    fn body_limit(&self, method: &str, path: &str) -> usize;
    /// How much this sender may send; asked once, when the first `Limits::own_bytes` of a longer body
    /// are there.
    fn allowance(&self, path: &str, remote: IpAddr, beginning: &[u8]) -> Allowance;
    /// Answers one request. A panic in here becomes a 500 and a line in the log.
    fn answer(&self, call: Call) -> Reply;
    /// The answer to a request that could not be read: the error body of the API.
    fn refuse(&self, error: &crate::domain::Error) -> Reply;
}

//! The client: one blocking call, bounded in time and size, over a few kept connections.
//!
//! ureq does the work; it is named here and in `resolver`, and nowhere else. Nothing of the
//! environment counts: no proxy, no redirect, no cookie.

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http;
use ureq::unversioned::transport::{ConnectionDetails, Connector, TcpConnector, Transport};

use super::resolver::Inline;
use super::throttle::escaped;

/// Below the 15 s of the server, so that this end closes first.
const IDLE: Duration = Duration::from_secs(10);
/// Kept connections, in all and to one host: a beat needs one.
const MOST_IDLE: usize = 16;
const MOST_IDLE_PER_HOST: usize = 1;
/// The head of an answer; the buffer has room for more, so that a larger one is noticed.
const MOST_HEAD: usize = 8 * 1024;
const BUFFER: usize = 16 * 1024;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// `http://host:port`, without a path.
    pub url_base: String,
    /// Percent-encoded, beginning with `/`.
    pub path: String,
    /// Percent-encoded, without the `?`; "" for none.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// For the connection to stand.
    pub connect_timeout: Duration,
    /// For everything, a second attempt included. The lookup of a name may take longer: the system
    /// cannot be told to give it up.
    pub timeout: Duration,
    /// The largest body, in bytes, that is taken.
    pub max_answer: usize,
    /// Addresses of this host and of its link will do. Without it a name that leads only there is not
    /// called, nor is such an address.
    pub near: bool,
    /// The request may be sent again when a kept connection turns out to be dead.
    pub retry_idempotent: bool,
}

/// What came back, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, if it occurs; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The host says that nothing listens there.
    Refused,
    /// Not in time.
    Timeout,
    /// On the way there nobody knows the host; why, in one line.
    Unreachable(String),
    /// The call never left this host, which says nothing about the other; why, in one line: no such
    /// name, no network, no descriptor, not an address.
    NotSent(String),
    /// The answer is larger than was asked for.
    TooLarge,
    /// Something answered, but not with one whole HTTP answer; what happened, in one line.
    Broken(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CallError::Refused => f.write_str("connection refused"),
            CallError::Timeout => f.write_str("connection timeout"),
            CallError::Unreachable(why) | CallError::NotSent(why) | CallError::Broken(why) => {
                f.write_str(why)
            }
            CallError::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for CallError {}

/// Makes calls, from any thread; clones share the kept connections.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl Client {
    /// A client without connections.
    pub fn new() -> Client {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .user_agent(concat!("arctic/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .max_idle_age(IDLE)
            .max_idle_connections(MOST_IDLE)
            .max_idle_connections_per_host(MOST_IDLE_PER_HOST)
            .max_response_header_size(MOST_HEAD)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        let connector = ().chain(NoteDial).chain(TcpConnector::default());
        Client {
            agent: Agent::with_parts(config, connector, Inline),
        }
    }

    /// Sends the request and reads the whole answer.
    pub fn call(&self, request: &Request) -> Result<Answer, CallError> {
        let until = Instant::now() + request.timeout;
        match self.attempt(request, until) {
            Err(Failure { dead: true, .. }) if request.retry_idempotent && !dialled() => {
                let again = self.attempt(request, until);
                again.map_err(|failure| failure.error)
            }
            other => other.map_err(|failure| failure.error),
        }
    }

    /// One attempt, in which a panic below counts as a broken answer: what another host sends must
    /// not be able to end the thread that asked.
    fn attempt(&self, request: &Request, until: Instant) -> Result<Answer, Failure> {
        DIALLED.set(false);
        NEAR.set(request.near);
        let left = until.saturating_duration_since(Instant::now());
        let configured = self
            .agent
            .configure_request(build(request).map_err(Failure::of)?)
            .timeout_connect(Some(request.connect_timeout.min(left)))
            .timeout_global(Some(left))
            .build();
        let answered = catch_unwind(AssertUnwindSafe(|| {
            self.run(configured, request.max_answer)
        }));
        answered.unwrap_or_else(|_| {
            let why = "the answer was not understood".into();
            Err(Failure::of(CallError::Broken(why)))
        })
    }

    fn run(&self, http: http::Request<&[u8]>, most: usize) -> Result<Answer, Failure> {
        let bodiless = http.body().is_empty() && !wants_length(http.method());
        let response = match bodiless {
            true => self.agent.run(http.map(|_| ())),
            false => self.agent.run(http),
        };
        read(response?, most)
    }
}

/// The body is always read to its end: only then is the connection kept.
fn read(response: http::Response<ureq::Body>, most: usize) -> Result<Answer, Failure> {
    let (parts, body) = response.into_parts();
    if parts.status.is_informational() {
        let why = "the answer was not understood".into();
        return Err(Failure::of(CallError::Broken(why)));
    }
    if body.content_length().is_some_and(|n| n > most as u64) {
        return Err(Failure::of(CallError::TooLarge));
    }
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: body.into_with_config().limit(most as u64).read_to_vec()?,
    })
}

/// These say `Content-Length: 0` when they have no body (RFC 9110 section 8.6).
fn wants_length(method: &http::Method) -> bool {
    matches!(method.as_str(), "POST" | "PUT" | "PATCH")
}

fn build(request: &Request) -> Result<http::Request<&[u8]>, CallError> {
    check_base(&request.url_base)?;
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let base = request.url_base.trim_end_matches('/');
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("{base}{}{query}", request.path));
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(request.body.as_deref().unwrap_or_default());
    built.map_err(|error| CallError::NotSent(format!("not a valid request: {error}")))
}

fn check_base(base: &str) -> Result<(), CallError> {
    let refuse = |why: &str| Err(CallError::NotSent(format!("'{}' {why}", escaped(base))));
    let scheme = base.split_once("://").map(|(scheme, _)| scheme);
    let Some(host) = base.strip_prefix("http://") else {
        return match scheme {
            Some("https") => refuse("cannot be called: https is not supported, use http"),
            _ => refuse("does not begin with http://"),
        };
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    match host.is_empty() || host.contains(['/', '@', '?', '#']) {
        true => refuse("is not http://HOST:PORT"),
        false => Ok(()),
    }
}

/// Why an attempt failed.
struct Failure {
    error: CallError,
    /// The connection ended before there was an answer.
    dead: bool,
}

impl Failure {
    fn of(error: CallError) -> Failure {
        Failure { error, dead: false }
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Io(error) => Failure::from(error),
            ureq::Error::Timeout(_) => Failure::of(CallError::Timeout),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                Failure::of(CallError::TooLarge)
            }
            ureq::Error::HostNotFound => {
                Failure::of(CallError::NotSent("the name has no address".into()))
            }
            // Only the resolver makes these.
            ureq::Error::Other(why) => Failure::of(CallError::NotSent(escaped(&why.to_string()))),
            other => Failure::of(CallError::Broken(escaped(&other.to_string()))),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        use ErrorKind::*;
        let why = escaped(&error.to_string());
        match error.kind() {
            ConnectionRefused => Failure::of(CallError::Refused),
            TimedOut | WouldBlock => Failure::of(CallError::Timeout),
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof | NotConnected => {
                Failure {
                    error: CallError::Broken("the connection was closed too early".into()),
                    dead: true,
                }
            }
            // A router's word, or a neighbour that does not answer.
            HostUnreachable => Failure::of(CallError::Unreachable("no route to host".into())),
            NetworkUnreachable | NetworkDown => {
                Failure::of(CallError::NotSent("no route to host".into()))
            }
            // No descriptor, no local address, not permitted.
            _ => Failure::of(CallError::NotSent(why)),
        }
    }
}

thread_local! {
    /// Whether the attempt of this thread made a connection, rather than use a kept one. ureq
    /// connects on the calling thread and does not tell.
    static DIALLED: Cell<bool> = const { Cell::new(false) };
    /// What the attempt of this thread says of addresses nearby: ureq resolves on the calling thread and
    /// hands nothing of ours on.
    static NEAR: Cell<bool> = const { Cell::new(false) };
}

/// Whether the attempt of this thread may lead to this host or its link.
pub(super) fn near() -> bool {
    NEAR.get()
}

fn dialled() -> bool {
    DIALLED.get()
}

/// Notes that a connection is made; makes none itself.
#[derive(Debug)]
struct NoteDial;

impl<In: Transport> Connector<In> for NoteDial {
    type Out = In;

    fn connect(
        &self,
        _: &ConnectionDetails,
        so_far: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        DIALLED.set(true);
        Ok(so_far)
    }
}

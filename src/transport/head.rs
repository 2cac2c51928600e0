//! The head of a request: where it ends, and what it says. Pure; knows no socket.
//!
//! Everything that two parsers could read in two ways is refused (RFC 9112 section 11.2, request
//! smuggling): whoever stands before this server must not see other requests than it does.

use crate::domain::Error;

/// More fields than any client of ours sends.
const MOST_FIELDS: usize = 64;

/// Why a request is not handed on: the error, and the status where it is not the error's own.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) error: Error,
    pub(super) status: Option<u16>,
}

/// What the request line and the fields say.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    /// Minor version of HTTP/1.
    pub(super) minor: u8,
    /// Whether the client will take another answer on this connection.
    pub(super) keeps: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects: bool,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// Looks for the end of a head in a growing buffer, each byte once.
#[derive(Default)]
pub(super) struct Scan {
    at: usize,
}

impl Refusal {
    pub(super) fn invalid(sentence: &str) -> Refusal {
        Error::Invalid(sentence.into()).into()
    }

    fn with_status(status: u16, sentence: &str) -> Refusal {
        Refusal {
            error: Error::Invalid(sentence.into()),
            status: Some(status),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal {
            error,
            status: None,
        }
    }
}

impl Scan {
    /// The length of the head once its empty line is there. Line ends that are not CR LF are
    /// refused as soon as they show, so that their sender gets an answer and not a timeout.
    pub(super) fn end(&mut self, buffer: &[u8]) -> Result<Option<usize>, Refusal> {
        if buffer.first().is_some_and(|b| !is_token(*b)) {
            return Err(Refusal::invalid("the request line is malformed"));
        }
        while let Some(byte) = buffer.get(self.at) {
            let before = &buffer[..self.at];
            if (*byte == b'\n') != before.ends_with(b"\r") {
                return Err(Refusal::invalid("a line does not end with CR LF"));
            }
            self.at += 1;
            if *byte == b'\n' && before.ends_with(b"\r\n\r") {
                return Ok(Some(self.at));
            }
        }
        Ok(None)
    }
}

impl Head {
    /// Parses a complete head, its empty line included.
    pub(super) fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(bytes) {
            Ok(status) if status.is_complete() => {}
            Ok(_) => return Err(Refusal::invalid("the request's head is malformed")),
            Err(fault) => return Err(fault_of(fault, bytes)),
        }
        let (Some(method), Some(target), Some(minor)) =
            (request.method, request.path, request.version)
        else {
            return Err(Refusal::invalid("the request line is malformed"));
        };
        let headers = read_fields(request.headers)?;
        let (path, query) = split_target(target)?;
        check_host(&headers)?;
        Ok(Head {
            framing: read_framing(&headers, minor)?,
            keeps: keeps(&headers, minor),
            expects: read_expectation(&headers, minor)?,
            method: method.into(),
            path,
            query,
            headers,
            minor,
        })
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn fault_of(fault: httparse::Error, bytes: &[u8]) -> Refusal {
    match fault {
        httparse::Error::TooManyHeaders => Error::HeadersTooLarge.into(),
        httparse::Error::Version if names_a_version(bytes) => {
            Refusal::with_status(505, "the version is not HTTP/1.0 or HTTP/1.1")
        }
        _ => Refusal::invalid("the request's head is malformed"),
    }
}

/// Whether the request line is three words of which the last is a version that is not ours.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    matches!(words[..], [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn read_fields(fields: &[httparse::Header]) -> Result<Vec<(String, String)>, Refusal> {
    fields
        .iter()
        .map(|field| match std::str::from_utf8(field.value) {
            Ok(value) => Ok((field.name.to_ascii_lowercase(), value.trim().into())),
            Err(_) => Err(Refusal::invalid("a header is not UTF-8")),
        })
        .collect()
}

/// Only the origin form (RFC 9112 section 3.2.1): this server is no proxy.
fn split_target(target: &str) -> Result<(String, String), Refusal> {
    if !target.starts_with('/') || target.contains('#') || !target.is_ascii() {
        return Err(Refusal::invalid("the request target is not a path"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok((path.into(), query.into()))
}

fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let wanted = headers.iter().filter(|(n, _)| n == name);
    wanted.map(|(_, value)| value.as_str()).collect()
}

fn check_host(headers: &[(String, String)]) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_graphic() && !"/\\@?#,\"<>{}|^`".contains(c);
    match values(headers, "host")[..] {
        [host] if !host.is_empty() && host.chars().all(fits) => Ok(()),
        [_] => Err(Refusal::invalid("the Host header is malformed")),
        _ => Err(Refusal::invalid("there must be exactly one Host header")),
    }
}

fn read_framing(headers: &[(String, String)], minor: u8) -> Result<Framing, Refusal> {
    let lengths = values(headers, "content-length");
    let codings = values(headers, "transfer-encoding");
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) => read_length(length),
        ([], [coding]) if minor == 1 && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        ([], _) => Err(Refusal::invalid(
            "the only transfer coding is chunked, in HTTP/1.1",
        )),
        _ => Err(Refusal::invalid(
            "the length of the body is given more than once",
        )),
    }
}

fn read_length(digits: &str) -> Result<Framing, Refusal> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::invalid("Content-Length is not a number"));
    }
    // A number that does not fit is larger than any limit.
    Ok(Framing::Length(digits.parse().unwrap_or(u64::MAX)))
}

fn keeps(headers: &[(String, String)], minor: u8) -> bool {
    let fields = values(headers, "connection");
    let mut options = fields.iter().flat_map(|v| v.split(',')).map(str::trim);
    if minor == 1 {
        !options.any(|o| o.eq_ignore_ascii_case("close"))
    } else {
        let options: Vec<_> = options.collect();
        let has = |wanted: &str| options.iter().any(|o| o.eq_ignore_ascii_case(wanted));
        has("keep-alive") && !has("close")
    }
}

/// RFC 9110 section 10.1.1: a client of HTTP/1.0 cannot expect anything.
fn read_expectation(headers: &[(String, String)], minor: u8) -> Result<bool, Refusal> {
    match values(headers, "expect")[..] {
        [] => Ok(false),
        _ if minor == 0 => Ok(false),
        [value] if value.eq_ignore_ascii_case("100-continue") => Ok(true),
        _ => Err(Refusal::with_status(
            417,
            "the only expectation is 100-continue",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Head, Refusal> {
        let end = Scan::default().end(text.as_bytes())?;
        Head::parse(&text.as_bytes()[..end.expect("a whole head")])
    }

    #[test]
    fn the_parts_of_a_head() {
        let head = parse(
            "PUT /v1/x%20y?a=1?b HTTP/1.1\r\nHost: h:1\r\nX-Odd:  two words \r\nContent-Length: 5\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            (&*head.method, &*head.path, &*head.query),
            ("PUT", "/v1/x%20y", "a=1?b")
        );
        assert_eq!(head.headers[1], ("x-odd".into(), "two words".into()));
        assert_eq!(head.framing, Framing::Length(5));
        assert!(head.keeps && !head.expects);
    }

    #[test]
    fn who_keeps_the_connection() {
        for (version, connection, keeps) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: upgrade, CLOSE\r\n", false),
            ("1.1", "Connection: x\r\nConnection: close\r\n", false),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let head = parse(&format!(
                "GET / HTTP/{version}\r\nHost: h\r\n{connection}\r\n"
            ));
            assert_eq!(head.unwrap().keeps, keeps, "{version} {connection}");
        }
    }

    #[test]
    fn only_new_clients_expect() {
        for (minor, expects) in [(1, true), (0, false)] {
            let text = format!("PUT / HTTP/1.{minor}\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n");
            assert_eq!(parse(&text).unwrap().expects, expects);
        }
    }

    #[test]
    fn a_wrong_line_end_is_seen_at_once() {
        for bad in [
            "GET / HTTP/1.1\n",
            "GET /\rx",
            "\x16\x03\x01",
            "\n",
            " GET",
            "G\r\r",
        ] {
            assert!(Scan::default().end(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_head_may_come_byte_by_byte() {
        let text = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
        let mut scan = Scan::default();
        let mut end = None;
        let mut seen = 0;
        while end.is_none() {
            seen += 1;
            end = scan.end(&text[..seen]).unwrap();
        }
        assert_eq!(end, Some(text.len() - 4));
    }
}

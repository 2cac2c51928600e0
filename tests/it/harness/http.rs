//! HTTP as bytes: requests that no client library would send, answers as they came.

use rustix::net;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer may take: the API answers within 10 s.
const DEADLINE: Duration = Duration::from_secs(25);

/// One answer, as it arrived.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// Holds the status; returns the body as JSON.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// Holds that this is the API's error body with this status, code, and words in the sentence.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str, words: &[&str]) -> &Self {
        let body = self.is(status);
        assert_eq!(body["code"], code, "{self:?}");
        let sentence = body["error"].as_str().unwrap_or_default();
        assert!(!sentence.is_empty(), "{self:?}");
        for word in words {
            assert!(sentence.contains(word), "no {word:?} in {sentence:?}");
        }
        self
    }
}

/// A connection that says exactly what it is told.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    #[track_caller]
    pub fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|e| panic!("{address} takes no connection: {e}"));
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket has timeouts");
        Connection {
            reader: BufReader::new(stream),
        }
    }

    /// Sends bytes. The other side may have hung up already: then the answer tells.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.reader.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let _ = self.reader.get_mut().shutdown(Shutdown::Write);
    }

    /// Whether an answer has begun to come, or the other side has closed.
    pub fn stirs(&self) -> bool {
        let stream = self.reader.get_ref();
        let shown = stream
            .set_nonblocking(true)
            .and_then(|()| stream.peek(&mut [0]));
        let _ = stream.set_nonblocking(false);
        shown.is_ok()
    }

    /// The next answer; `None` when the other side closed instead.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.answer_to_head()?;
        let length = answer.header("content-length").and_then(|v| v.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.reader.read_exact(&mut body).ok()?;
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    /// The next answer when it has no body, whatever length it names.
    pub fn answer_to_head(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        let status = line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(':') {
                Some((n, v)) => headers.push((n.to_ascii_lowercase(), v.trim().to_string())),
                None => break,
            }
        }
        Some(Answer {
            status,
            headers,
            body: String::new(),
        })
    }

    /// Whether the other side has closed, or closes before the deadline, without another byte.
    pub fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// One request on a connection of its own.
#[derive(Debug, Clone, Default)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Request {
        Request {
            method: method.into(),
            path: path.into(),
            ..Request::default()
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn bearer(self, token: &str) -> Request {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: impl AsRef<[u8]>) -> Request {
        self.header("Content-Type", "application/json").bytes(body)
    }

    pub fn form(self, body: &str) -> Request {
        self.header("Content-Type", "application/x-www-form-urlencoded")
            .bytes(body)
    }

    pub fn bytes(mut self, body: impl AsRef<[u8]>) -> Request {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The request as it goes over the wire.
    pub fn wire(&self, address: &str) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {address}\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        [head.into_bytes(), self.body.clone()].concat()
    }

    #[track_caller]
    pub fn send(&self, address: &str) -> Answer {
        self.try_send(address)
            .unwrap_or_else(|| panic!("no answer from {address} to {self:?}"))
    }

    /// From this address of the host: all of 127.0.0.0/8 is.
    #[track_caller]
    pub fn send_from(&self, source: [u8; 4], address: &str) -> Answer {
        let stream = connect_from(source, address)
            .unwrap_or_else(|e| panic!("{address} takes no connection of {source:?}: {e}"));
        let answer = self.over(stream, address);
        answer.unwrap_or_else(|| panic!("no answer from {address} to {self:?}"))
    }

    /// The same when the agent may be gone.
    pub fn try_send(&self, address: &str) -> Option<Answer> {
        self.over(TcpStream::connect(address).ok()?, address)
    }

    fn over(&self, stream: TcpStream, address: &str) -> Option<Answer> {
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let mut connection = Connection {
            reader: BufReader::new(stream),
        };
        connection.send(self.wire(address));
        connection.answer()
    }
}

fn connect_from(source: [u8; 4], address: &str) -> std::io::Result<TcpStream> {
    let to: SocketAddr = address.parse().map_err(std::io::Error::other)?;
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

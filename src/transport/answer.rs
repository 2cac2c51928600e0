//! The bytes of an answer. tiny_http's `Response` prints it, into a buffer, so that it leaves with
//! one write.

use std::io::Cursor;

use tiny_http::{HTTPVersion, Header, Response, StatusCode};

use super::Reply;

/// What the request asks of its answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// The request was HEAD: the length of the body, but no body.
    pub(super) bodiless: bool,
    /// This is the last answer on its connection.
    pub(super) last: bool,
    /// The client speaks HTTP/1.0, where staying open has to be said.
    pub(super) old: bool,
}

/// The answer as it goes over the wire.
pub(super) fn print(reply: Reply, shape: Shape) -> Vec<u8> {
    let reply = sound(reply);
    let mut bytes = Vec::with_capacity(512 + reply.body.len());
    let length = reply.body.len();
    let headers = reply.headers.iter().filter_map(header).collect();
    let response = Response::new(
        StatusCode(reply.status),
        headers,
        Cursor::new(reply.body),
        Some(length),
        None,
    );
    let printed = response
        .with_header(server_name())
        .with_chunked_threshold(usize::MAX)
        .raw_print(&mut bytes, HTTPVersion(1, 1), &[], shape.bodiless, None);
    if let Err(error) = printed {
        // Neither the cursor nor the vector can fail.
        log::error!("an answer could not be printed: {error}");
    }
    announce(&mut bytes, shape);
    bytes
}

/// A status outside of this range would change the framing of what follows.
fn sound(reply: Reply) -> Reply {
    if (200..=599).contains(&reply.status) {
        return reply;
    }
    log::error!("an answer had the status {}", reply.status);
    Reply {
        status: 500,
        ..Reply::default()
    }
}

/// A value that would end its line is dropped: it could forge another field or another answer.
fn header((name, value): &(&'static str, String)) -> Option<Header> {
    let plain = value
        .bytes()
        .all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
    let made = plain.then(|| Header::from_bytes(*name, value.as_str()).ok());
    if made.is_none() {
        log::error!("the answer's header {name} had a value that no header can have");
    }
    made.flatten()
}

fn server_name() -> Header {
    // Without one tiny_http names itself. Both words are ASCII, which is all that is asked of them.
    Header::from_bytes("Server", "arctic").expect("two ASCII words are a header")
}

/// tiny_http leaves `Connection` to its own server, so it is put in after the status line.
fn announce(bytes: &mut Vec<u8>, shape: Shape) {
    let field: &[u8] = match shape {
        Shape { last: true, .. } => b"Connection: close\r\n",
        Shape { old: true, .. } => b"Connection: keep-alive\r\n",
        _ => return,
    };
    if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        bytes.splice(end + 2..end + 2, field.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply {
        Reply {
            status: 201,
            headers: vec![
                ("X-One", "1".into()),
                ("X-Bad", "1\r\nSet-Cookie: x".into()),
            ],
            body: vec![b'x'; 100_000],
        }
    }

    fn head(bytes: &[u8]) -> String {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        String::from_utf8(bytes[..end + 2].to_vec()).unwrap()
    }

    #[test]
    fn a_large_body_keeps_its_length() {
        let bytes = print(reply(), Shape::default());
        let head = head(&bytes);
        assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Length: 100000\r\n"), "{head}");
        assert!(head.contains("\r\nX-One: 1\r\n"), "{head}");
        assert!(head.contains("\r\nDate: "), "{head}");
        assert!(
            !head.contains("Connection") && !head.contains("Set-Cookie"),
            "{head}"
        );
        assert_eq!(bytes.len(), head.len() + 2 + 100_000);
    }

    #[test]
    fn head_has_the_length_and_no_body() {
        let shape = Shape {
            bodiless: true,
            last: true,
            old: false,
        };
        let bytes = print(reply(), shape);
        let head = head(&bytes);
        assert!(head.contains("\r\nContent-Length: 100000\r\n"), "{head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert_eq!(bytes.len(), head.len() + 2);
    }

    #[test]
    fn a_status_that_is_no_answer_is_a_fault() {
        for status in [0, 100, 199, 600] {
            let wrong = Reply { status, ..reply() };
            assert!(print(wrong, Shape::default()).starts_with(b"HTTP/1.1 500 "));
        }
    }
}

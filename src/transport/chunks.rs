//! The chunked coding (RFC 9112 section 7.1), strictly: what one parser could skip and another take
//! for data is refused. Pure; knows no socket.

use super::head::Refusal;

/// The longest line of a chunk's size with its extensions, or of a trailer field.
const LONGEST_LINE: usize = 256;
/// What all trailer fields together may have; they are checked and thrown away.
const MOST_TRAILERS: usize = 16;
/// 2^36 - 1 bytes: more than any limit, and no overflow.
const MOST_DIGITS: usize = 9;

/// Where in the coding the next byte belongs.
#[derive(Debug, PartialEq)]
enum Step {
    Size,
    Data(u64),
    DataEnd,
    Trailer(usize),
    Done,
}

/// Takes a chunked body out of a growing buffer.
pub(super) struct Chunks {
    step: Step,
    limit: usize,
}

impl Chunks {
    /// A body of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Chunks {
        Chunks {
            step: Step::Size,
            limit,
        }
    }

    /// Moves what it can from `buffer` to `body`; `true` when the body is complete.
    pub(super) fn take(
        &mut self,
        buffer: &mut Vec<u8>,
        body: &mut Vec<u8>,
    ) -> Result<bool, Refusal> {
        let mut used = 0;
        let result = loop {
            if self.step == Step::Done {
                break Ok(true);
            }
            match self.advance(&buffer[used..], body) {
                Ok(0) => break Ok(false),
                Ok(n) => used += n,
                Err(refusal) => break Err(refusal),
            }
        };
        buffer.drain(..used);
        result
    }

    /// One step; how many bytes of `input` it used, 0 when it needs more.
    fn advance(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Refusal> {
        match self.step {
            Step::Size => self.size(input, body.len()),
            Step::Data(left) => Ok(self.data(left, input, body)),
            Step::DataEnd => self.data_end(input),
            Step::Trailer(seen) => self.trailer(seen, input),
            Step::Done => Ok(0),
        }
    }

    fn size(&mut self, input: &[u8], have: usize) -> Result<usize, Refusal> {
        let Some(line) = line_of(input)? else {
            return Ok(0);
        };
        let size = parse_size(line)?;
        if size > (self.limit - have) as u64 {
            return Err(crate::domain::Error::PayloadTooLarge(self.limit).into());
        }
        self.step = match size {
            0 => Step::Trailer(0),
            _ => Step::Data(size),
        };
        Ok(line.len() + 2)
    }

    fn data(&mut self, left: u64, input: &[u8], body: &mut Vec<u8>) -> usize {
        let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        body.extend_from_slice(&input[..n]);
        self.step = match left - n as u64 {
            0 => Step::DataEnd,
            rest => Step::Data(rest),
        };
        n
    }

    fn data_end(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        match input {
            [b'\r', b'\n', ..] => {
                self.step = Step::Size;
                Ok(2)
            }
            [] | [b'\r'] => Ok(0),
            _ => Err(Refusal::invalid("a chunk is longer than it says")),
        }
    }

    fn trailer(&mut self, seen: usize, input: &[u8]) -> Result<usize, Refusal> {
        let Some(line) = line_of(input)? else {
            return Ok(0);
        };
        self.step = match line {
            [] => Step::Done,
            [b' ' | b'\t' | b':', ..] => return Err(Refusal::invalid("a trailer is malformed")),
            _ if seen < MOST_TRAILERS && line.contains(&b':') => Step::Trailer(seen + 1),
            _ => return Err(Refusal::invalid("a trailer is malformed")),
        };
        Ok(line.len() + 2)
    }
}

/// The first line without its CR LF, or `None` while it is incomplete.
fn line_of(input: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let plain = |b: &u8| *b == b'\t' || (*b >= b' ' && *b != 0x7f);
    let end = input.iter().position(|b| !plain(b)).unwrap_or(input.len());
    match &input[end..] {
        _ if end > LONGEST_LINE => Err(Refusal::invalid("a line of the body is too long")),
        [b'\r', b'\n', ..] => Ok(Some(&input[..end])),
        [] | [b'\r'] => Ok(None),
        _ => Err(Refusal::invalid(
            "a line of the body does not end with CR LF",
        )),
    }
}

/// Hexadecimal digits and nothing else, or extensions after a `;`, which mean nothing here.
fn parse_size(line: &[u8]) -> Result<u64, Refusal> {
    let malformed = || Refusal::invalid("a chunk's size is malformed");
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    if !(1..=MOST_DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(malformed());
    }
    let text = std::str::from_utf8(digits).map_err(|_| malformed())?;
    u64::from_str_radix(text, 16).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, with what is left in the buffer, fed in pieces of this size.
    fn decode(text: &str, piece: usize, limit: usize) -> Result<(String, String), Refusal> {
        let mut chunks = Chunks::new(limit);
        let (mut buffer, mut body) = (Vec::new(), Vec::new());
        let mut fed = 0;
        while !chunks.take(&mut buffer, &mut body)? {
            assert!(fed < text.len(), "the body does not end: {text:?}");
            let next = (fed + piece).min(text.len());
            buffer.extend_from_slice(&text.as_bytes()[fed..next]);
            fed = next;
        }
        buffer.extend_from_slice(&text.as_bytes()[fed..]);
        let text_of = |bytes| String::from_utf8(bytes).unwrap();
        Ok((text_of(body), text_of(buffer)))
    }

    #[test]
    fn any_cut_gives_the_same_body() {
        let text = "5;name=\"x\"\r\nhello\r\nA\r\n 123456789\r\n0\r\nX: y\r\n\r\nGET";
        for piece in 1..=text.len() {
            let whole = ("hello 123456789".into(), "GET".into());
            assert_eq!(decode(text, piece, 100).unwrap(), whole, "{piece}");
        }
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5;a\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "-1\r\n",
            "\r\n",
            ";x\r\n",
            "FFFFFFFFFFFFFFFFF\r\n",
            "5\r\nhelloX0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n",
            "0\r\nX y\r\n\r\n",
            "0\r\n folded: x\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n\n",
            "5\rhello",
        ] {
            assert!(decode(bad, 1, 100).is_err(), "{bad:?}");
            assert!(decode(bad, bad.len(), 100).is_err(), "{bad:?}");
        }
        let endless = format!("5;{}", "x".repeat(300));
        assert!(decode(&endless, 7, 100).is_err());
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(MOST_TRAILERS + 1));
        assert!(decode(&trailers, 7, 100).is_err());
    }

    #[test]
    fn the_limit_holds_before_the_bytes_come() {
        let too_large = Refusal::from(crate::domain::Error::PayloadTooLarge(8));
        assert_eq!(
            decode("8\r\n12345678\r\n0\r\n\r\n", 3, 8).unwrap().0,
            "12345678"
        );
        assert_eq!(decode("9\r\n", 3, 8).unwrap_err(), too_large);
        let second = "5\r\n12345\r\n4\r\n";
        assert_eq!(decode(second, 3, 8).unwrap_err(), too_large);
        assert_eq!(decode("FFFFFFFFF\r\n", 3, 8).unwrap_err(), too_large);
    }
}

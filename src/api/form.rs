//! `application/x-www-form-urlencoded`, strictly: the query of a request and the token endpoint's body.

use crate::domain::{Error, Result};

/// Parameters, each of them once.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=b&c=d`. A malformed escape, bytes that are no UTF-8, or a parameter that occurs twice
    /// is refused: two readers would see different requests.
    pub fn parse(text: &str) -> Result<Form> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(Error::Invalid("malformed percent-encoding".into()));
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Error::Invalid(format!("parameter '{name}' occurs twice")));
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(Error::Invalid("too many parameters".into()));
            }
            pairs.push((name, value));
        }
        Ok(Form(pairs))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value, unless it is empty: RFC 6749 section 3.2 takes an empty one for none.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Refuses, by name, what is not among these.
    pub fn only(&self, names: &[&str]) -> Result<()> {
        match self
            .0
            .iter()
            .find(|(name, _)| !names.contains(&name.as_str()))
        {
            Some((name, _)) => Err(Error::Invalid(format!("unknown query parameter '{name}'"))),
            None => Ok(()),
        }
    }
}

/// The most parameters in one form. The search for duplicates is quadratic in it.
const MAX_PARAMETERS: usize = 32;

/// Undoes percent-encoding, `+` for a space included.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    // A hexadecimal digit is below 16.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_and_curl_write() {
        let form = Form::parse("a=1&b=x%20y+z&c=&d&&e=%C3%A4%26").unwrap();
        assert_eq!(form.get("b"), Some("x y z"));
        assert_eq!((form.get("c"), form.given("c")), (Some(""), None));
        assert_eq!((form.get("d"), form.get("e")), (Some(""), Some("ä&")));
        assert_eq!(form.get("f"), None);
        assert!(form.only(&["a", "b", "c", "d"]).is_err());
        assert!(Form::parse("").unwrap().only(&[]).is_ok());
    }

    #[test]
    fn refuses_what_two_readers_would_read_differently() {
        let many = "a&".repeat(1000);
        for bad in [
            "a=%", "a=%1", "a=%zz", "a=%+1", "%ff=1", "a=1&a=2", "a&%61=1", &many,
        ] {
            assert!(Form::parse(bad).is_err(), "{bad}");
        }
    }
}

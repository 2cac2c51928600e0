//! JSON as signed documents need it: no key twice in one object, whatever the parser behind would
//! make of it. Two readers that pick different ones of two equal keys would see different documents.

use super::{Error, Result};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _};
use serde::de::{MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The most fields of one object, and the deepest nesting: more than any document has. Without them a
/// document of tiny keys costs many times its length.
const MOST_FIELDS: usize = 64;
const MAX_DEPTH: usize = 16;

/// Reads a whole document into `T`, refusing duplicate keys at any depth, of fields that `T` ignores
/// as well. `what` names the document in the error.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    check(bytes, what, usize::MAX)?;
    shape(bytes, what)
}

/// Reads a whole document into a `T` that ignores no field anywhere: then serde itself refuses what
/// occurs twice, and nothing is kept but the `T`. The document is an object: serde would take a list
/// for a struct as well.
pub fn shape<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::Invalid(format!(
            "{what}: a list where an object belongs"
        )));
    }
    serde_json::from_slice(bytes).map_err(|e| fault(what, e))
}

/// Refuses duplicate keys, too many of them, nesting that is too deep, and more than so many values.
pub fn check(bytes: &[u8], what: &str, most_values: usize) -> Result<()> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut left = most_values;
    let document = Sound {
        depth: 0,
        left: &mut left,
    };
    document
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|e| fault(what, e))
}

fn fault(what: &str, e: serde_json::Error) -> Error {
    Error::Invalid(format!("{what}: {e}"))
}

/// Visits a value and keeps nothing of it but the keys of the open objects.
struct Sound<'a> {
    depth: usize,
    /// How many more values the document may have.
    left: &'a mut usize,
}

impl Sound<'_> {
    fn inner(&mut self) -> Sound<'_> {
        Sound {
            depth: self.depth + 1,
            left: self.left,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Sound<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        if self.depth > MAX_DEPTH || *self.left == 0 {
            return Err(D::Error::custom("too much of it"));
        }
        *self.left -= 1;
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> std::result::Result<(), A::Error> {
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = map.next_key()? {
            if seen.contains(&key) {
                let sentence = format!("duplicate field `{}`", key.escape_debug());
                return Err(A::Error::custom(sentence));
            }
            if seen.len() >= MOST_FIELDS {
                let sentence = format!("more than {MOST_FIELDS} fields in one object");
                return Err(A::Error::custom(sentence));
            }
            seen.push(key);
            map.next_value_seed(self.inner())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_refused_at_any_depth() {
        assert!(from_slice::<serde_json::Value>(br#"{"a":1,"b":[{"a":null}]}"#, "x").is_ok());
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"c":[{"b":{"a":1,"a":2}}]}"#,
            "[]",
            r#"{"a":1,"\u0061":2}"#,
            "{} {}",
            "",
        ] {
            assert!(
                from_slice::<serde_json::Value>(bad.as_bytes(), "x").is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn documents_are_small_in_every_direction() {
        let fields = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", all.join(","))
        };
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (document, sound) in [
            (fields(MOST_FIELDS), true),
            (fields(MOST_FIELDS + 1), false),
            (deep(MAX_DEPTH), true),
            (deep(MAX_DEPTH + 1), false),
            (deep(100_000), false),
        ] {
            let read = from_slice::<serde_json::Value>(document.as_bytes(), "x");
            assert_eq!(read.is_ok(), sound, "{document:.80}");
        }
        assert!(check(br#"{"a":[0,0]}"#, "x", 4).is_ok());
        assert!(check(br#"{"a":[0,0]}"#, "x", 3).is_err());
    }
}

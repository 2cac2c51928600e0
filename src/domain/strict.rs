//! JSON as signed documents need it: no key twice in one object, whatever the parser behind would
//! make of it. Two readers that pick different ones of two equal keys would see different documents.

use super::{Error, Result};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Reads a whole document into `T`, refusing duplicate keys at any depth. `what` names the document
/// in the error. The document is an object: serde would take a list for a struct as well.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    let fault = |e: serde_json::Error| Error::Invalid(format!("{what}: {e}"));
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::Invalid(format!(
            "{what}: a list where an object belongs"
        )));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    NoDuplicates.deserialize(&mut reader).map_err(fault)?;
    reader.end().map_err(fault)?;
    serde_json::from_slice(bytes).map_err(fault)
}

/// Visits a value and keeps nothing of it but the keys of the open objects.
struct NoDuplicates;

impl<'de> DeserializeSeed<'de> for NoDuplicates {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
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
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        while seq.next_element_seed(NoDuplicates)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                let sentence = format!("duplicate field `{}`", key.escape_debug());
                return Err(serde::de::Error::custom(sentence));
            }
            seen.insert(key);
            map.next_value_seed(NoDuplicates)?;
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
}

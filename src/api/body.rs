//! The bodies of JSON calls.

use crate::domain::{Error, PeerId, Result};
use crate::transport::Call;
use crate::wire::operator;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Refuses a body of any other content type; parameters such as `charset` do not matter. That no
/// body was sent is said by whoever needs one.
pub fn require_type(call: &Call, wanted: &'static str) -> Result<()> {
    let full = call.header("content-type").unwrap_or("");
    let media = full.split(';').next().unwrap_or("").trim();
    if call.body.is_empty() || media.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::UnsupportedMediaType(wanted))
}

/// The body as `T`. What is wrong with it is said with the field's name.
pub fn read<T: DeserializeOwned>(call: &Call) -> Result<T> {
    require_type(call, JSON)?;
    operator::read_object(&call.body)
}

/// Refuses every field but these: the rest of the object cannot be changed.
pub fn only_mutable(call: &Call, mutable: &[&str]) -> Result<()> {
    let fields: Map<String, Value> = read(call)?;
    match fields.keys().find(|key| !mutable.contains(&key.as_str())) {
        Some(key) => Err(Error::Invalid(format!(
            "field '{key}' is immutable; what can be changed: {}",
            mutable.join(", ")
        ))),
        None => Ok(()),
    }
}

/// A peer id in a field or a query parameter of this name.
pub fn peer_id(field: &str, text: &str) -> Result<PeerId> {
    PeerId::parse(text).map_err(|_| Error::Invalid(format!("{field} is not a peer id")))
}

//! The operator API: what the CLI, curl and jq read and write.

use crate::domain::{Description, Error, License, LicenseState, Name, Result, Timestamp, strict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest body of a request or answer of the operator API that this side accepts, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The most values in one body: more than any call has.
const MOST_VALUES: usize = 1024;
const NOT_JSON: &str = "invalid JSON body";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
    pub code: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub status: String,
    pub timestamp: Timestamp,
    /// Why not ready; or a detail of a ready agent: `isolated`, `duplicate_identity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Bootstrapped {
    pub peer_id: String,
    pub peer_public_key: String,
    pub client_id: String,
    pub client_secret: String,
    pub license_id: String,
    pub cluster_id: String,
    pub expires_at: Timestamp,
    pub max_nodes: u32,
    pub max_services: u32,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenBody {
    pub access_token: String,
    pub token_type: String,
    pub expires_in: u64,
    pub scope: String,
}

/// RFC 6749 section 5.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenError {
    pub error: String,
    pub error_description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LicenseBody {
    pub license_id: String,
    pub customer_id: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub max_nodes: u32,
    pub max_services: u32,
    pub state: LicenseState,
    pub days_left: i64,
    pub nodes_used: u64,
    pub services_used: u64,
    pub over_limit: bool,
    pub fingerprint: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub peer_id: String,
    pub public_key: String,
    pub license_id: String,
    pub cluster_id: String,
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberCounts {
    pub alive: u64,
    pub suspect: u64,
    pub unreachable: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    pub peer_id: String,
    pub cluster_id: String,
    pub register_hash: String,
    pub incarnation: u64,
    pub over_limit: bool,
    pub isolated: bool,
    pub members: MemberCounts,
    /// Where another live agent under this agent's key answers, if there is one.
    pub duplicate: Option<String>,
    /// Members that have deleted this agent from their view, or do not take its license.
    pub refused_by: Vec<String>,
    /// Members that came with no license issue that this agent holds, within the last minute.
    pub refuses: Vec<String>,
    pub last_round_at: Option<Timestamp>,
    pub gossip: GossipCounters,
}

/// Counted since the agent started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GossipCounters {
    pub messages_sent: u64,
    pub messages_received: u64,
    pub messages_refused: u64,
    pub exchanges: u64,
    pub records_merged: u64,
    pub probes_failed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    pub id: String,
    pub name: String,
    pub public_key: String,
    pub is_local: bool,
    pub address: String,
    pub created_at: Timestamp,
    /// `alive`, `suspect`, `unreachable`, or for the local peer `deactivated`.
    pub status: String,
    /// The last signed answer to this agent's own nonce; null before the first.
    pub last_seen: Option<Timestamp>,
    pub incarnation: u64,
    /// The program that the peer runs, as its record says.
    pub version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub source_peer_id: String,
    pub target_peer_id: String,
    /// `tcp` or `kcp`.
    pub transport_type: String,
    /// `active` or `inactive`; computed, never stored.
    pub status: String,
    /// Why inactive; null while active.
    pub inactive_reason: Option<String>,
    pub created_at: Timestamp,
    pub version: u64,
    /// Last names of the ends as this agent knows them, `NAME (departed)` once they are no members.
    pub source_name: String,
    pub target_name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    pub client_id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct NewCredential {
    pub client_id: String,
    pub client_secret: String,
    pub scopes: Vec<String>,
    pub name: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    pub deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deactivated {
    pub deactivated: bool,
    pub announced_to: u64,
    pub pending: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triggered {
    pub triggered: bool,
}

// Requests. A field that does not exist is refused by name.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddPeer {
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdatePeer {
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateService {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_peer_id: Option<String>,
    #[serde(default)]
    pub target_peer_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateService {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateCredential {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The body of bootstrap: the license document itself, or wrapped with a name.
pub struct Bootstrap {
    pub license: License,
    pub name: Name,
    pub description: Description,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrappedLicense {
    #[serde(default)]
    license: Value,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// Reads a JSON body, refusing duplicate and unknown fields by name.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if body.is_empty() {
        return Err(Error::Invalid("the body is empty; send JSON".into()));
    }
    // Anybody may send one, and what is read freely afterwards is as large as it has values.
    strict::check(body, NOT_JSON, MOST_VALUES)?;
    strict::shape(body, NOT_JSON).map_err(|e| name_field::<T>(body, e))
}

/// Reads a JSON object. Without this serde would take an array for a struct, its fields in order.
pub fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') | None => read(body),
        Some(_) => {
            let why = "invalid JSON body: not an object, {\"field\": \"value\"}";
            Err(Error::Invalid(why.into()))
        }
    }
}

/// Adds the field's name to an error about a wrong type, which serde gives only a line and column:
/// a field that alone is refused is the one that was meant.
fn name_field<T: DeserializeOwned>(body: &[u8], error: Error) -> Error {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return error;
    };
    for (name, value) in fields {
        let alone = Value::Object([(name.clone(), value)].into_iter().collect());
        match serde_json::from_value::<T>(alone) {
            Err(e) if e.to_string().starts_with("invalid") => {
                return Error::Invalid(format!("field '{name}': {e}"));
            }
            _ => continue,
        }
    }
    error
}

/// The body of `PUT /v1/license`: the license document itself, or wrapped. At least one of the two
/// is asked for.
pub struct UpdateLicense {
    pub license: Option<License>,
    /// The issue before the current one no longer admits.
    pub forget_previous: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrappedUpdate {
    #[serde(default)]
    license: Value,
    #[serde(default)]
    forget_previous: bool,
}

impl UpdateLicense {
    pub fn read(body: &[u8]) -> Result<UpdateLicense> {
        let value: Value = read_object(body)?;
        if value.get("license").is_none() && value.get("forget_previous").is_none() {
            return Ok(UpdateLicense {
                license: Some(License::parse(body)?),
                forget_previous: false,
            });
        }
        let wrapped: WrappedUpdate = read(body)?;
        if wrapped.license.is_null() && !wrapped.forget_previous {
            return Err(Error::MissingField("license"));
        }
        Ok(UpdateLicense {
            license: parse_wrapped(&wrapped.license)?,
            forget_previous: wrapped.forget_previous,
        })
    }
}

fn parse_wrapped(license: &Value) -> Result<Option<License>> {
    if license.is_null() {
        return Ok(None);
    }
    License::parse(license.to_string().as_bytes()).map(Some)
}

impl Bootstrap {
    /// Reads either form of the body. A license inside the wrapper keeps its exactness: its own
    /// parser sees the fields as they were, duplicates having been refused before.
    pub fn read(body: &[u8]) -> Result<Bootstrap> {
        let value: Value = read_object(body)?;
        if value.get("license").is_none() {
            return Ok(Bootstrap {
                license: License::parse(body)?,
                name: Name::none(),
                description: Description::default(),
            });
        }
        let wrapped: WrappedLicense = read(body)?;
        Ok(Bootstrap {
            license: License::parse(wrapped.license.to_string().as_bytes())?,
            name: Name::parse_optional(wrapped.name.as_deref().unwrap_or(""))?,
            description: Description::parse(wrapped.description.as_deref().unwrap_or(""))?,
        })
    }
}

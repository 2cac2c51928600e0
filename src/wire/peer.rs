//! What agents say to each other, under `POST /v1/gossip/`.
//!
//! A `Frame` carries exact signed bytes; what is inside is a `Message` or an `Answer`. Unknown fields
//! of a later minor version are ignored inside signed bytes, and only there.

use crate::domain::issue::{LicenseTag, Proof, proof_text};
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{
    Address, Error, Goodbye, IssueId, IssueKey, PeerId, PublicKey, Result, SecretKey, Signature,
    Signed, strict,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest body between agents, in bytes.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// The largest hello, and the largest message of somebody who is not stored here, in bytes.
pub const MAX_STRANGERS_MESSAGE: usize = 16 * 1024;
/// How many bytes of records (before base64) one message carries at most; the rest follows.
pub const MAX_ITEMS_BYTES: usize = 120 * 1024;
/// The same for a receiver to whom the sender may be a stranger.
pub const FIRST_ITEMS_BYTES: usize = 6 * 1024;
/// The version of the protocol. Another major version is refused.
pub const VERSION: u32 = 1;

pub const MESSAGE_PATH: &str = "/v1/gossip/message";
pub const HANDSHAKE_PATH: &str = "/v1/gossip/handshake";

/// Exact signed bytes with their signer. The key comes first: whoever has read only the beginning of a
/// body knows whose it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    pub key: PublicKey,
    /// A MAC over the payload for each license issue that the sender holds, checked before the
    /// signature: without the license nothing of a message is read.
    pub macs: Vec<LicenseTag>,
    pub payload: Bytes,
    pub signature: Signature,
    /// The sender's own record, for a receiver that may not know it; the deactivation of one that has
    /// left, which has no record any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Signed>,
}

/// The most MACs of one frame: the current issue of the license and the one before it.
pub const MAX_MACS: usize = 2;

impl Frame {
    /// Signs a message or an answer, with a MAC for each issue that the sender holds.
    pub fn seal(
        context: Context,
        body: &impl Serialize,
        key: &SecretKey,
        issues: &[IssueKey],
    ) -> Frame {
        let payload = to_bytes(body);
        Frame {
            key: key.public(),
            macs: issues
                .iter()
                .take(MAX_MACS)
                .map(|issue| issue.tag(context, &payload))
                .collect(),
            signature: key.sign(context, &payload),
            payload: Bytes(payload),
            record: None,
        }
    }

    /// Whether one of these issues made one of the MACs.
    pub fn opens(&self, context: Context, issues: &[IssueKey]) -> bool {
        self.macs.iter().take(MAX_MACS).any(|tag| {
            let named = issues.iter().find(|issue| issue.id() == tag.issue);
            named.is_some_and(|issue| issue.check(context, &self.payload.0, &tag.mac))
        })
    }

    /// Whether its key signed it.
    pub fn verifies(&self, context: Context) -> bool {
        self.key.verify(context, &self.payload.0, &self.signature)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub v: u32,
    pub from: PeerId,
    pub to: PeerId,
    #[serde(with = "proof_text")]
    pub nonce: [u8; 32],
    /// The sender's start number.
    pub start: u64,
    /// Counts the messages of this start of the sender to this receiver, from 1.
    pub number: u64,
    /// The hash of the sender's register.
    #[serde(with = "proof_text")]
    pub hash: [u8; 32],
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A probe, with whatever news there is.
    Beat { items: Vec<Signed> },
    /// The sender stops. What it knew last comes along.
    Goodbye {
        goodbye: Box<Goodbye>,
        items: Vec<Signed>,
    },
    /// The first half of an exchange: one 8-byte hash for each bucket of ids.
    Digest { buckets: Bytes },
    /// The second half: what the other side lacks, and the keys of what this side lacks.
    Delta {
        items: Vec<Signed>,
        want: Bytes,
        more: bool,
    },
}

/// The head of a message, whatever its body is: the kinds of a later minor version are not known here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Head {
    pub v: u32,
    pub from: PeerId,
    pub to: PeerId,
    #[serde(with = "proof_text")]
    pub nonce: [u8; 32],
    pub start: u64,
    pub number: u64,
    body: Kind,
}

/// The one field of a body is its kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Kind(BTreeMap<String, Nothing>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Nothing, D::Error> {
        IgnoredAny::deserialize(d).map(|_| Nothing)
    }
}

impl Head {
    /// Whether the body is of a kind that this version has no name for.
    pub fn is_of_unknown_kind(&self) -> bool {
        const KINDS: [&str; 4] = ["beat", "goodbye", "digest", "delta"];
        let mut kinds = self.body.0.keys();
        kinds.len() == 1 && kinds.all(|kind| !KINDS.contains(&kind.as_str()))
    }
}

/// Whether whoever compares registers knows which services are gone: their deletions are remembered
/// for 90 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// It has not been in the cluster for long.
    New,
    /// It had contact with members within that time.
    Kept,
    /// It was away for longer: its services are not taken.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The sender is a member here.
    Member,
    /// The sender is deleted from this agent's view; only its own deactivation is read.
    DeletedHere,
    /// This agent has removed itself; only announcements are read.
    Deactivated,
    /// The sender has departed for good; the answer carries what ended it, and nothing was read.
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub v: u32,
    pub from: PeerId,
    pub to: PeerId,
    /// The nonce of the message that this answers.
    #[serde(with = "proof_text")]
    pub nonce: [u8; 32],
    pub start: u64,
    #[serde(with = "proof_text")]
    pub hash: [u8; 32],
    pub standing: Standing,
    /// The subjects of the announcements in the message that are final here now.
    pub ended: Vec<PeerId>,
    pub body: Answered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    Ack {
        items: Vec<Signed>,
    },
    /// For the buckets that differ: their numbers, and a row for each entry in them.
    Summary {
        buckets: Bytes,
        entries: Bytes,
        more: bool,
        touch: Touch,
    },
    Delta {
        items: Vec<Signed>,
        more: bool,
    },
    /// The message is of a kind that this version does not know.
    Unsupported,
    /// This number was read before; nothing was read now.
    Repeated,
    /// The sender's start is not that of its record which is stored here; nothing was read. It is shown
    /// that record: one that lost its database, or has a twin, learns of it in no other way.
    UnknownStart {
        stored: Box<Signed>,
    },
}

/// What a stranger gets: unsigned, and worth nothing as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub error: String,
    pub code: String,
}

// The handshake.

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Handshake {
    Hello(Box<Hello>),
    Proof(Box<InitiatorProof>),
    CallBack(CallBack),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub v: u32,
    pub key: PublicKey,
    pub license_id: String,
    /// The issues that the initiator holds.
    pub issues: Vec<IssueId>,
    #[serde(with = "proof_text")]
    pub challenge: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    pub v: u32,
    pub id: PeerId,
    pub key: PublicKey,
    pub issue: IssueId,
    /// Opaque to the initiator: the responder keeps nothing and knows it again by its own MAC.
    pub challenge: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitiatorProof {
    // These three come first on the wire: by them a responder knows its own challenge again before
    // it reads the rest.
    /// The key of the record below.
    pub key: PublicKey,
    #[serde(with = "proof_text")]
    pub hello_challenge: [u8; 32],
    pub challenge: Bytes,
    pub v: u32,
    /// The issues that the initiator named in its hello, and the one that the responder took of them:
    /// whoever took one away in between, or chose another, is seen.
    pub issues: Vec<IssueId>,
    pub issue: IssueId,
    pub record: Signed,
    /// The address at which the initiator reached the responder.
    pub dialled: Address,
    /// The identities of the initiator's register: 10 bytes each.
    pub members: Bytes,
    pub max_nodes: u32,
    #[serde(with = "proof_text")]
    pub proof: Proof,
    pub signature: Signature,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    pub record: Signed,
    #[serde(with = "proof_text")]
    pub proof: Proof,
    pub signature: Signature,
}

/// The responder's own request to the address that the initiator advertises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallBack {
    #[serde(with = "proof_text")]
    pub hello_challenge: [u8; 32],
    #[serde(with = "proof_text")]
    pub nonce: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalledBack {
    pub signature: Signature,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HandshakeAnswer {
    Challenge(Challenge),
    Welcome(Box<Welcome>),
    CalledBack(CalledBack),
    Refused { why: Refused },
}

/// What the responder proves when it has deleted the initiator: said only to who has proved the
/// license, over the same transcript, in the role of one that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    #[serde(with = "proof_text")]
    pub proof: Proof,
    pub signature: Signature,
}

/// Why a responder will not. The initiator only reports what is neither proved nor proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Refused {
    Version { v: u32 },
    NotBootstrapped,
    LicenseMismatch { license_id: String },
    NoCommonIssue,
    BadProof,
    Deactivated { peer_id: PeerId },
    InitiatorEnded { announcement: Box<Signed> },
    DeletedHere(Denial),
    NodeLimit { limit: u32 },
    CallBack { why: String },
    TooMany,
    Overloaded,
}

/// What both sides sign and prove: everything that was said, under each one's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transcript<'a> {
    pub v: u32,
    pub role: &'static str,
    #[serde(with = "proof_text")]
    pub hello_challenge: [u8; 32],
    pub challenge: &'a Bytes,
    pub issues: &'a [IssueId],
    pub issue: IssueId,
    pub initiator_key: PublicKey,
    pub responder_key: PublicKey,
    pub initiator_record: [u8; 32],
    /// Absent from what the initiator proves: it has not seen it yet.
    pub responder_record: Option<[u8; 32]>,
    pub dialled: &'a Address,
    pub members: &'a Bytes,
    pub max_nodes: u32,
}

impl Transcript<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// Serializes one of these shapes.
pub fn to_bytes(shape: &impl Serialize) -> Vec<u8> {
    // Plain structs of strings, numbers and lists always serialize.
    serde_json::to_vec(shape).expect("a plain struct serializes")
}

/// Reads an outer shape: what no signature covers. Each of them refuses fields that it does not know.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Error::PayloadTooLarge(MAX_MESSAGE));
    }
    strict::shape(bytes, "invalid message")
}

/// Reads what was signed, and verified, where unknown fields are ignored: no key twice, known or not.
pub fn read_signed<T: DeserializeOwned>(payload: &[u8]) -> Result<T> {
    strict::from_slice(payload, "invalid message")
}

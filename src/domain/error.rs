//! One error type, one closed list of codes, one table: code, HTTP status, exit code, hint.
//!
//! A cause that only an administrator of the machine may read (`Internal`, `Storage…`) goes to the
//! log with the request id and never to the wire.

use super::Timestamp;
use std::fmt;

/// The result of everything that can be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with what is needed to say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request is malformed; the sentence names the field. The caller's fault, nothing changed.
    Invalid(String),
    /// A required field is absent. The caller's fault, nothing changed.
    MissingField(&'static str),
    /// The transport of a service is neither tcp nor kcp. Nothing changed.
    InvalidTransport(String),
    /// `peers add` was given this agent's own address. Nothing changed.
    AddressIsSelf,
    /// No or wrong credentials; the sentence never says which part was wrong. Nothing changed.
    Unauthorized(&'static str),
    /// The access token was good once. Nothing changed.
    TokenExpired,
    /// The token lacks this scope. Nothing changed.
    Forbidden(String),
    /// The request carries an `Origin` header: a web page in somebody's browser sent it. Nothing changed.
    FromWebPage,
    /// The thing is not there; the word says what kind of thing. Nothing changed.
    NotFound(&'static str),
    /// The path exists, the method does not; holds the methods that do. Nothing changed.
    MethodNotAllowed(&'static str),
    /// The client was too slow in sending its request. Nothing changed.
    RequestTimeout,
    /// The agent holds no license yet. Nothing changed.
    NotBootstrapped,
    /// The agent holds this license already. Nothing changed.
    AlreadyBootstrapped(String),
    /// This agent has removed itself. Nothing changed.
    Deactivated,
    /// Another live agent uses this agent's key: its address. Nothing changed.
    DuplicateIdentity(String),
    /// The peer is a member already. Nothing changed.
    PeerExists,
    /// `peers delete` of the local peer. Nothing changed.
    LocalPeer,
    /// The body is over its limit, in bytes. Nothing changed.
    PayloadTooLarge(usize),
    /// The body's content type is not the one that this call takes. Nothing changed.
    UnsupportedMediaType(&'static str),
    /// The license does not verify; the sentence says why. Nothing changed.
    LicenseInvalid(String),
    /// The license's term is over: date of the end. Nothing changed.
    LicenseExpired(String),
    /// A license of another id; both ids. Nothing changed.
    LicenseMismatch { ours: String, theirs: String },
    /// The handshake did not succeed. Whether the other side stored something is healed by gossip.
    Handshake(HandshakeFault),
    /// The license allows no more members. Nothing changed.
    NodeLimit(u32),
    /// The license allows no more services. Nothing changed.
    ServiceLimit(u32),
    /// Too many deletions of services are remembered; when the oldest is forgotten. Nothing changed.
    TombstoneLimit(Timestamp),
    /// A caller tried to revoke the credential that it is using. Nothing changed.
    RevokeCurrent,
    /// The last credential with the admin scope cannot be revoked. Nothing changed.
    LastAdmin,
    /// Too many requests from one address, or in all. Nothing changed.
    TooMany,
    /// The request's head is over its limit. Nothing changed.
    HeadersTooLarge,
    /// No free thread, reader or place in a queue before the deadline. Nothing changed.
    Overloaded,
    /// The database cannot be used now; the cause is for the log. Nothing changed.
    StorageUnavailable(String),
    /// The disk is full. Nothing changed; reading goes on.
    StorageFull,
    /// A fault of this program; the cause is for the log.
    Internal(String),
}

/// Why a handshake ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The host answered that nothing listens there.
    Refused,
    /// Nothing answered in time.
    Timeout,
    /// The address could not be reached at all, for instance its name does not resolve.
    Unreachable(String),
    /// The other agent could not call this one back at the address it advertises.
    CallBack(String),
    /// A proof did not verify.
    Signature,
    /// The other agent has no license yet.
    NotBootstrapped,
    /// The other identity was removed for good: its peer id.
    Removed(String),
    /// This identity was removed for good, says the other agent.
    SelfRemoved,
    /// The other agent has deleted this one from its view.
    DeletedThere,
    /// The other agent holds another license; both ids.
    LicenseMismatch { ours: String, theirs: String },
    /// Both hold the license, but no issue of it in common.
    NoCommonIssue,
    /// The other side speaks another version of the protocol.
    Version(String),
    /// The other side answered with something else than the protocol; what it was.
    Protocol(String),
}

/// The codes of the API's error bodies. Closed: a new one gets a row in the table below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    InvalidRequest,
    MissingField,
    InvalidTransport,
    Unauthorized,
    TokenExpired,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    NotBootstrapped,
    AlreadyBootstrapped,
    Deactivated,
    DuplicateIdentity,
    AlreadyExists,
    LocalPeer,
    PayloadTooLarge,
    UnsupportedMediaType,
    LicenseInvalid,
    LicenseExpired,
    LicenseMismatch,
    HandshakeFailed,
    PeerUnreachable,
    NodeLimitExceeded,
    ServiceLimitExceeded,
    TombstoneLimit,
    CannotRevokeCurrent,
    LastAdmin,
    TooManyRequests,
    HeadersTooLarge,
    Internal,
    Overloaded,
    StorageUnavailable,
    StorageFull,
}

/// One row of the table: what a code is on the wire, to the shell and to a person.
pub struct Row {
    pub code: Code,
    pub name: &'static str,
    pub http_status: u16,
    pub exit: u8,
    /// The next command to run; empty where the sentence says all there is to say.
    pub hint: &'static str,
}

const fn row(
    code: Code,
    name: &'static str,
    http_status: u16,
    exit: u8,
    hint: &'static str,
) -> Row {
    Row {
        code,
        name,
        http_status,
        exit,
        hint,
    }
}

/// Every code, in the order of `Code`. The man page's list is held to this table by a test.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Code::InvalidRequest, "INVALID_REQUEST", 400, 1, ""),
    row(Code::MissingField, "MISSING_FIELD", 400, 1, ""),
    row(Code::InvalidTransport, "INVALID_TRANSPORT", 400, 1, "use '--transport-type tcp' or '--transport-type kcp'"),
    row(Code::Unauthorized, "UNAUTHORIZED", 401, 5, "check the saved credentials with 'arctic config view', or add the agent again with 'arctic config add-peer'"),
    row(Code::TokenExpired, "TOKEN_EXPIRED", 401, 5, "get a fresh token with 'arctic token'"),
    row(Code::Forbidden, "FORBIDDEN", 403, 5, "create credentials with that scope: 'arctic credentials create --scopes SCOPE'"),
    row(Code::NotFound, "NOT_FOUND", 404, 1, ""),
    row(Code::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405, 1, ""),
    row(Code::RequestTimeout, "REQUEST_TIMEOUT", 408, 1, "try again"),
    row(Code::NotBootstrapped, "NOT_BOOTSTRAPPED", 409, 1, "give it a license: 'arctic bootstrap --url URL --license-file license.json'"),
    row(Code::AlreadyBootstrapped, "ALREADY_BOOTSTRAPPED", 409, 1, "see 'arctic cluster identity --url URL'; to start over, 'arctic peers remove-self' and then 'arctic agent reset' on that machine"),
    row(Code::Deactivated, "DEACTIVATED", 409, 1, "to come back: stop the agent, 'arctic agent reset --data-dir DIR', start it, 'arctic bootstrap', and 'arctic peers add' from a member"),
    row(Code::DuplicateIdentity, "DUPLICATE_IDENTITY", 409, 1, "on the copy: stop it, 'arctic agent reset --data-dir DIR --force'; 'arctic peers remove-self --force' ends both"),
    row(Code::AlreadyExists, "ALREADY_EXISTS", 409, 1, "see 'arctic peers list'"),
    row(Code::LocalPeer, "LOCAL_PEER", 409, 1, "arctic peers remove-self"),
    row(Code::PayloadTooLarge, "PAYLOAD_TOO_LARGE", 413, 1, ""),
    row(Code::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415, 1, ""),
    row(Code::LicenseInvalid, "LICENSE_INVALID", 422, 1, "check it with 'arctic license verify --file license.json --issuers FILE'"),
    row(Code::LicenseExpired, "LICENSE_EXPIRED", 422, 1, "ask the issuer for a renewal, then 'arctic license update --license-file license.json'"),
    row(Code::LicenseMismatch, "LICENSE_MISMATCH", 422, 1, "compare 'arctic license show' on both agents"),
    row(Code::HandshakeFailed, "HANDSHAKE_FAILED", 422, 1, ""),
    row(Code::PeerUnreachable, "PEER_UNREACHABLE", 422, 1, "check that the agent runs there ('systemctl status arctic') and answers: 'curl http://HOST:PORT/livez'"),
    row(Code::NodeLimitExceeded, "NODE_LIMIT_EXCEEDED", 422, 1, "see 'arctic license show'; ask the issuer for a license with more nodes"),
    row(Code::ServiceLimitExceeded, "SERVICE_LIMIT_EXCEEDED", 422, 1, "see 'arctic license show'; delete services or ask the issuer for more"),
    row(Code::TombstoneLimit, "TOMBSTONE_LIMIT", 422, 1, "change a service with 'arctic services update' where one is deleted and created again"),
    row(Code::CannotRevokeCurrent, "CANNOT_REVOKE_CURRENT", 422, 1, "use other credentials to revoke these; see 'arctic credentials list'"),
    row(Code::LastAdmin, "LAST_ADMIN", 422, 1, "create another first: 'arctic credentials create --scopes admin'"),
    row(Code::TooManyRequests, "TOO_MANY_REQUESTS", 429, 1, "wait a second and try again"),
    row(Code::HeadersTooLarge, "HEADERS_TOO_LARGE", 431, 1, ""),
    row(Code::Internal, "INTERNAL", 500, 1, "the agent's log has the cause: 'journalctl -u arctic'"),
    row(Code::Overloaded, "OVERLOADED", 503, 1, "try again in a moment"),
    row(Code::StorageUnavailable, "STORAGE_UNAVAILABLE", 503, 1, "the agent's log has the cause: 'journalctl -u arctic'"),
    row(Code::StorageFull, "STORAGE_FULL", 507, 1, "free space on the agent's disk and try again"),
];

impl Code {
    /// The code's row. Total, because a test holds the table to the order of the enum.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The code with this name on the wire, if it is one of ours.
    pub fn parse(name: &str) -> Option<Code> {
        TABLE.iter().find(|r| r.name == name).map(|r| r.code)
    }
}

impl Error {
    /// The code that goes to the wire.
    pub fn code(&self) -> Code {
        match self {
            Error::Invalid(_) | Error::AddressIsSelf => Code::InvalidRequest,
            Error::MissingField(_) => Code::MissingField,
            Error::InvalidTransport(_) => Code::InvalidTransport,
            Error::Unauthorized(_) => Code::Unauthorized,
            Error::TokenExpired => Code::TokenExpired,
            Error::Forbidden(_) | Error::FromWebPage => Code::Forbidden,
            Error::NotFound(_) => Code::NotFound,
            Error::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Error::RequestTimeout => Code::RequestTimeout,
            Error::NotBootstrapped => Code::NotBootstrapped,
            Error::AlreadyBootstrapped(_) => Code::AlreadyBootstrapped,
            Error::Deactivated => Code::Deactivated,
            Error::DuplicateIdentity(_) => Code::DuplicateIdentity,
            Error::PeerExists => Code::AlreadyExists,
            Error::LocalPeer => Code::LocalPeer,
            Error::PayloadTooLarge(_) => Code::PayloadTooLarge,
            Error::UnsupportedMediaType(_) => Code::UnsupportedMediaType,
            Error::LicenseInvalid(_) => Code::LicenseInvalid,
            Error::LicenseExpired(_) => Code::LicenseExpired,
            Error::LicenseMismatch { .. } => Code::LicenseMismatch,
            Error::Handshake(fault) => fault.code(),
            Error::NodeLimit(_) => Code::NodeLimitExceeded,
            Error::ServiceLimit(_) => Code::ServiceLimitExceeded,
            Error::TombstoneLimit(_) => Code::TombstoneLimit,
            Error::RevokeCurrent => Code::CannotRevokeCurrent,
            Error::LastAdmin => Code::LastAdmin,
            Error::TooMany => Code::TooManyRequests,
            Error::HeadersTooLarge => Code::HeadersTooLarge,
            Error::Overloaded => Code::Overloaded,
            Error::StorageUnavailable(_) => Code::StorageUnavailable,
            Error::StorageFull => Code::StorageFull,
            Error::Internal(_) => Code::Internal,
        }
    }

    /// What only the log may say, or nothing.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Error::StorageUnavailable(cause) | Error::Internal(cause) => Some(cause),
            _ => None,
        }
    }
}

impl HandshakeFault {
    /// Unreachable: the address could not be connected to, or the call-back failed. Failed: it
    /// answered, and the proof failed.
    fn code(&self) -> Code {
        match self {
            HandshakeFault::Refused
            | HandshakeFault::Timeout
            | HandshakeFault::Unreachable(_)
            | HandshakeFault::CallBack(_) => Code::PeerUnreachable,
            HandshakeFault::LicenseMismatch { .. } => Code::LicenseMismatch,
            HandshakeFault::Signature
            | HandshakeFault::NotBootstrapped
            | HandshakeFault::Removed(_)
            | HandshakeFault::SelfRemoved
            | HandshakeFault::DeletedThere
            | HandshakeFault::NoCommonIssue
            | HandshakeFault::Version(_)
            | HandshakeFault::Protocol(_) => Code::HandshakeFailed,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(sentence) => f.write_str(sentence),
            Error::MissingField(field) => write!(f, "field '{field}' is missing"),
            Error::InvalidTransport(got) => {
                write!(f, "transport_type '{got}' is not one of tcp, kcp")
            }
            Error::AddressIsSelf => f.write_str("address is this agent"),
            Error::Unauthorized(sentence) => f.write_str(sentence),
            Error::TokenExpired => f.write_str("the access token has expired"),
            Error::Forbidden(scope) => write!(f, "permission denied: scope {scope} is required"),
            Error::FromWebPage => f.write_str(
                "web pages change nothing here: a request that could change something must not have an Origin header",
            ),
            Error::NotFound(what) => write!(f, "{what} not found"),
            Error::MethodNotAllowed(allow) => {
                write!(f, "method not allowed here; allowed: {allow}")
            }
            Error::RequestTimeout => f.write_str("the request took too long to arrive"),
            Error::NotBootstrapped => f.write_str("this agent is not bootstrapped"),
            Error::AlreadyBootstrapped(license) => {
                write!(
                    f,
                    "this agent is already bootstrapped with license {license}"
                )
            }
            Error::Deactivated => {
                f.write_str("this agent is deactivated: it has been removed from its cluster")
            }
            Error::DuplicateIdentity(address) => write!(
                f,
                "another running agent at {address} uses this agent's key (a cloned disk?)"
            ),
            Error::PeerExists => f.write_str("peer already exists in cluster"),
            Error::LocalPeer => {
                f.write_str("cannot delete local peer, use 'peers remove-self' instead")
            }
            Error::PayloadTooLarge(limit) => {
                write!(f, "the body is larger than {limit} bytes")
            }
            Error::UnsupportedMediaType(wanted) => {
                write!(f, "the content type must be {wanted}")
            }
            Error::LicenseInvalid(why) => write!(f, "license is invalid: {why}"),
            Error::LicenseExpired(when) => write!(f, "license expired on {when}"),
            Error::LicenseMismatch { ours, theirs } => write!(
                f,
                "license mismatch: this agent has {ours}, that document is {theirs}"
            ),
            Error::Handshake(fault) => write!(f, "handshake failed: {fault}"),
            Error::NodeLimit(limit) => {
                write!(f, "node limit exceeded: the license allows {limit} nodes")
            }
            Error::ServiceLimit(limit) => {
                write!(
                    f,
                    "service limit exceeded: the license allows {limit} services"
                )
            }
            Error::TombstoneLimit(ends) => write!(
                f,
                "too many services were deleted of late; the oldest of these deletions is forgotten on {}",
                ends.for_people()
            ),
            Error::RevokeCurrent => {
                f.write_str("cannot revoke the credentials that this request uses")
            }
            Error::LastAdmin => f.write_str("cannot revoke the last credentials with admin scope"),
            Error::TooMany => f.write_str("too many requests"),
            Error::HeadersTooLarge => f.write_str("the request's head is too large"),
            Error::Overloaded => f.write_str("the agent is busy"),
            Error::StorageUnavailable(_) => f.write_str("the agent's storage is not available"),
            Error::StorageFull => f.write_str("the agent's disk is full"),
            Error::Internal(_) => f.write_str("internal error"),
        }
    }
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFault::Refused => f.write_str("connection refused"),
            HandshakeFault::Timeout => f.write_str("connection timeout"),
            HandshakeFault::Unreachable(why) => f.write_str(why),
            HandshakeFault::CallBack(why) => write!(f, "call-back failed: {why}"),
            HandshakeFault::Signature => f.write_str("invalid signature"),
            HandshakeFault::NotBootstrapped => f.write_str("not bootstrapped"),
            HandshakeFault::Removed(peer) => write!(
                f,
                "{peer} was removed for good; run 'arctic agent reset' on it"
            ),
            HandshakeFault::SelfRemoved => f.write_str(
                "this agent was removed for good; run 'arctic agent reset' on it",
            ),
            HandshakeFault::DeletedThere => {
                f.write_str("that agent has deleted this one; add it from there")
            }
            HandshakeFault::LicenseMismatch { ours, theirs } => write!(
                f,
                "license mismatch: this agent has {ours}, that agent has {theirs}"
            ),
            HandshakeFault::NoCommonIssue => f.write_str(
                "the two agents share no issue of the license; run 'arctic license update' on the older one",
            ),
            HandshakeFault::Version(theirs) => {
                write!(f, "the other agent speaks protocol version {theirs}")
            }
            HandshakeFault::Protocol(why) => write!(f, "unexpected answer: {why}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_follows_the_enum() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, i, "{}", row.name);
            assert_eq!(row.code.row().name, row.name);
            assert_eq!(Code::parse(row.name), Some(row.code));
        }
        assert_eq!(Code::StorageFull as usize + 1, TABLE.len());
    }

    #[test]
    fn causes_stay_out_of_the_sentence() {
        let error = Error::Internal("/secret/path".into());
        assert!(!error.to_string().contains("secret"));
        assert_eq!(error.cause(), Some("/secret/path"));
    }
}

//! What another agent's answer to a handshake message means to the operator.

use super::calls::CallFault;
use super::joins::{CallOutcome, Port};
use crate::domain::{Code, Error, HandshakeFault, Result};
use crate::wire::operator::ErrorBody;
use crate::wire::peer::{self, HandshakeAnswer, Refused};
use std::net::IpAddr;

/// What came back, or why nothing did.
pub(super) fn read_answer(outcome: CallOutcome) -> Result<(HandshakeAnswer, Option<IpAddr>)> {
    let fault = |f| Err(Error::Handshake(f));
    let (status, body, local) = match outcome {
        Ok(answer) => answer,
        Err((CallFault::Refused, _)) => return fault(HandshakeFault::Refused),
        Err((CallFault::NotSent, why)) if !why.is_empty() => {
            return fault(HandshakeFault::Unreachable(why));
        }
        Err((CallFault::NotSent, _)) => return Err(Error::Overloaded),
        Err((CallFault::Unanswered, why)) if !why.is_empty() => {
            return fault(HandshakeFault::Unreachable(why));
        }
        Err((CallFault::Unanswered, _)) => return fault(HandshakeFault::Timeout),
    };
    if let Ok(answer) = peer::read::<HandshakeAnswer>(&body) {
        return Ok((answer, local));
    }
    let code = serde_json::from_slice::<ErrorBody>(&body)
        .map(|b| b.code)
        .unwrap_or_default();
    fault(match Code::parse(&code) {
        Some(Code::NotBootstrapped) => HandshakeFault::NotBootstrapped,
        Some(code) => HandshakeFault::Protocol(format!("HTTP status {status} {}", code.row().name)),
        None => HandshakeFault::Protocol(format!("HTTP status {status}, not an arctic agent")),
    })
}

/// A refusal of the responder as the operator's error.
pub(super) fn unexpected(answer: HandshakeAnswer, port: &mut impl Port) -> Error {
    let HandshakeAnswer::Refused { why } = answer else {
        return Error::Handshake(HandshakeFault::Protocol("a message out of order".into()));
    };
    Error::Handshake(match why {
        Refused::Version { v } => HandshakeFault::Version(v.to_string()),
        Refused::NotBootstrapped => HandshakeFault::NotBootstrapped,
        Refused::LicenseMismatch { license_id } => {
            let theirs: String = license_id
                .chars()
                .filter(|c| !c.is_control())
                .take(64)
                .collect();
            match port.with(move |node, _| node.license_mismatch(theirs)) {
                Ok(fault) => fault,
                Err(e) => return e,
            }
        }
        Refused::NoCommonIssue => HandshakeFault::NoCommonIssue,
        Refused::BadProof => HandshakeFault::Signature,
        Refused::Deactivated { peer_id } => HandshakeFault::Removed(peer_id.to_string()),
        Refused::InitiatorEnded { announcement } => {
            if let Err(e) = port.with(move |node, now| node.told_ended(*announcement, now)) {
                return e;
            }
            HandshakeFault::SelfRemoved
        }
        // Proved over what the initiator proves last; before that it is nobody's word.
        Refused::DeletedHere(_) => HandshakeFault::Signature,
        Refused::NodeLimit { limit } => return Error::NodeLimit(limit),
        Refused::CallBack { why } => {
            HandshakeFault::CallBack(why.chars().filter(|c| !c.is_control()).take(200).collect())
        }
        Refused::TooMany => {
            HandshakeFault::Protocol("too many handshakes from this address; wait a second".into())
        }
        Refused::Overloaded => {
            HandshakeFault::Protocol("the other agent is busy; try again".into())
        }
    })
}

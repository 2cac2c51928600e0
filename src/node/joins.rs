//! Handshakes under way, up to 16 begun here and 16 answered: a machine that never waits. The usher's
//! thread drives it; the simulator drives the same object.

use super::Node;
use super::calls::CallFault;
use super::join::Prepared;
use super::refusals::{read_answer, unexpected};
use crate::core::handshake::{Challenger, chose};
use crate::core::schedule::{AddressBuckets, Now};
use crate::core::settle::Ends;
use crate::domain::{Address, Error, Name, PublicKey, Result};
use crate::wire::operator::Peer;
use crate::wire::peer::{
    self, CallBack, Handshake, HandshakeAnswer, Hello, InitiatorProof, Refused,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

const AT_ONCE: usize = 16;
/// First messages that one address may send a second, and as many proofs.
const WORDS_A_SECOND: u64 = 10;
/// `POST /v1/peers` answers within 10 s: these two one after the other.
const HELLO_TIMEOUT_MS: u64 = 3000;
const PROOF_TIMEOUT_MS: u64 = 6000;
const CALL_BACK_TIMEOUT_MS: u64 = 2000;
/// A machine whose call was never reported back is dropped after this.
const LOST_MS: u64 = 20_000;

/// How the machines reach the node: through the pulse's inbox, or directly in the simulator.
pub trait Port {
    fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Node, Now) -> T + Send + 'static,
    ) -> Result<T>;
}

/// What a handshake wants done.
pub enum JoinOut {
    /// Post a handshake message; `call_back` says which couriers do it.
    Call {
        machine: u64,
        to: Address,
        body: Vec<u8>,
        timeout_ms: u64,
        call_back: bool,
        /// A name may lead to this host or its link.
        near: bool,
    },
    /// The operator's `peers add` is over: whether the peer is new, and the peer.
    Joined {
        ticket: u64,
        outcome: Result<(bool, Peer)>,
    },
    /// The answer to an inbound message.
    Respond { slot: u64, answer: HandshakeAnswer },
}

/// What became of a call: status, body, and this end of the connection.
pub type CallOutcome = std::result::Result<(u16, Vec<u8>, Option<IpAddr>), (CallFault, String)>;

enum Machine {
    /// We sent hello.
    Greeting {
        ticket: u64,
        dialled: Address,
        name: Name,
        hello: Box<Hello>,
    },
    /// We sent our proof.
    Proving {
        ticket: u64,
        name: Name,
        prepared: Box<Prepared>,
    },
    /// We are the responder and called back.
    Calling {
        slot: u64,
        ends: Ends,
        /// The initiator lives on this host, and so does this agent alone.
        near: bool,
        proof: Box<InitiatorProof>,
        call: CallBack,
    },
}

pub struct Joins {
    challenger: Arc<Challenger>,
    machines: BTreeMap<u64, (Machine, u64)>,
    next: u64,
    hellos: AddressBuckets,
    proofs: AddressBuckets,
    out: Vec<JoinOut>,
    entropy: super::Entropy,
}

impl Joins {
    pub fn new(mut entropy: super::Entropy) -> Joins {
        let mut secret = [0u8; 32];
        entropy(&mut secret);
        Joins {
            challenger: Arc::new(Challenger::new(secret)),
            machines: BTreeMap::new(),
            next: 0,
            hellos: AddressBuckets::new(WORDS_A_SECOND, WORDS_A_SECOND),
            proofs: AddressBuckets::new(WORDS_A_SECOND, WORDS_A_SECOND),
            out: Vec::new(),
            entropy,
        }
    }

    /// What knows this agent's challenges again, for who reads messages.
    pub fn challenger(&self) -> Arc<Challenger> {
        self.challenger.clone()
    }

    pub fn take_outputs(&mut self) -> Vec<JoinOut> {
        std::mem::take(&mut self.out)
    }

    /// An operator's `peers add`.
    pub fn begin(
        &mut self,
        ticket: u64,
        dialled: Address,
        name: Name,
        port: &mut impl Port,
        now: Now,
    ) {
        self.drop_lost(now);
        if self.count(false) >= AT_ONCE {
            return self.finish(ticket, Err(Error::Overloaded));
        }
        let hello = match port.with(|node, now| node.hello(now)).and_then(|h| h) {
            Ok(hello) => hello,
            Err(e) => return self.finish(ticket, Err(e)),
        };
        let body = peer::to_bytes(&Handshake::Hello(Box::new(hello.clone())));
        let machine = Machine::Greeting {
            ticket,
            dialled: dialled.clone(),
            name,
            hello: Box::new(hello),
        };
        self.call(machine, dialled, body, HELLO_TIMEOUT_MS, now);
    }

    /// A handshake message from another agent.
    pub fn inbound(
        &mut self,
        slot: u64,
        ends: Ends,
        message: Handshake,
        port: &mut impl Port,
        now: Now,
    ) {
        self.drop_lost(now);
        match message {
            Handshake::Hello(hello) => {
                let answer = self.hello(ends.remote, &hello, port, now);
                self.respond(slot, answer.unwrap_or_else(refused));
            }
            Handshake::Proof(proof) => {
                if let Err(why) = self.proof(slot, ends, proof, port, now) {
                    self.respond(slot, refused(why));
                }
            }
            Handshake::CallBack(call) => {
                let answer = self.called_back(call, port);
                self.respond(slot, answer.unwrap_or_else(refused));
            }
        }
    }

    /// A call came back.
    pub fn completed(
        &mut self,
        machine: u64,
        outcome: CallOutcome,
        port: &mut impl Port,
        now: Now,
    ) {
        let Some((machine, _)) = self.machines.remove(&machine) else {
            return;
        };
        match machine {
            Machine::Greeting {
                ticket,
                dialled,
                name,
                hello,
            } => {
                let step = self.greeted(ticket, dialled, name, hello, outcome, port, now);
                if let Err(e) = step {
                    self.finish(ticket, Err(e));
                }
            }
            Machine::Proving {
                ticket,
                name,
                prepared,
            } => {
                let outcome = conclude(name, prepared, outcome, port);
                self.finish(ticket, outcome);
            }
            Machine::Calling {
                slot,
                ends,
                proof,
                call,
                ..
            } => {
                let answer = called(ends, proof, call, outcome, port);
                self.respond(slot, answer.unwrap_or_else(refused));
            }
        }
    }

    /// The responder's first answer: stateless, and so many a second for one address.
    fn hello(
        &mut self,
        remote: IpAddr,
        hello: &Hello,
        port: &mut impl Port,
        now: Now,
    ) -> std::result::Result<HandshakeAnswer, Refused> {
        if !self.hellos.take(remote, now.mono_ms) {
            return Err(Refused::TooMany);
        }
        let asked = hello.clone();
        let answer = port.with(move |node, now| node.answer_hello(&asked, now));
        let mut answer = answer.map_err(|_| Refused::Overloaded)??;
        let issue = answer.issue;
        answer.challenge = self.challenger.make(now.mono_ms, remote, hello, issue);
        Ok(HandshakeAnswer::Challenge(answer))
    }

    /// The initiator has proved the license: only now is it called back.
    fn proof(
        &mut self,
        slot: u64,
        ends: Ends,
        proof: Box<InitiatorProof>,
        port: &mut impl Port,
        now: Now,
    ) -> std::result::Result<(), Refused> {
        let ours = self.challenger.recognise(
            &proof.challenge,
            now.mono_ms,
            ends.remote,
            &proof.key,
            &proof.hello_challenge,
        );
        if !ours || !chose(&proof.challenge, &proof.issues, proof.issue) {
            return Err(Refused::BadProof);
        }
        // One challenge is good for any number of proofs, and each of them for the node's time.
        if !self.proofs.take(ends.remote, now.mono_ms) {
            return Err(Refused::TooMany);
        }
        if self.count(true) >= AT_ONCE {
            return Err(Refused::Overloaded);
        }
        let checked = proof.clone();
        let (address, near) = port
            .with(move |node, now| node.check_proof(&checked, ends, now))
            .map_err(|_| Refused::Overloaded)??;
        let mut nonce = [0u8; 32];
        (self.entropy)(&mut nonce);
        let call = CallBack {
            hello_challenge: proof.hello_challenge,
            nonce,
        };
        let body = peer::to_bytes(&Handshake::CallBack(call.clone()));
        let machine = Machine::Calling {
            slot,
            ends,
            near,
            proof,
            call,
        };
        self.call(machine, address, body, CALL_BACK_TIMEOUT_MS, now);
        Ok(())
    }

    /// We are the initiator, and the responder calls us back about a handshake that we began.
    fn called_back(
        &mut self,
        call: CallBack,
        port: &mut impl Port,
    ) -> std::result::Result<HandshakeAnswer, Refused> {
        let responder = self
            .machines
            .values()
            .find_map(|(machine, _)| match machine {
                Machine::Proving { prepared, .. }
                    if prepared.proof.hello_challenge == call.hello_challenge =>
                {
                    Some(prepared.responder_key)
                }
                _ => None,
            });
        let responder: PublicKey = responder.ok_or(Refused::BadProof)?;
        let answer = port.with(move |node, _| node.sign_call_back(&call, &responder));
        let answer = answer.and_then(|a| a).map_err(|_| Refused::Overloaded)?;
        Ok(HandshakeAnswer::CalledBack(answer))
    }

    /// The challenge is there: prove.
    #[allow(clippy::too_many_arguments)]
    fn greeted(
        &mut self,
        ticket: u64,
        dialled: Address,
        name: Name,
        hello: Box<Hello>,
        outcome: CallOutcome,
        port: &mut impl Port,
        now: Now,
    ) -> Result<()> {
        let (answer, local) = read_answer(outcome)?;
        let challenge = match answer {
            HandshakeAnswer::Challenge(challenge) => challenge,
            other => return Err(unexpected(other, port)),
        };
        let at = dialled.clone();
        let prepared =
            port.with(move |node, now| node.prepare(&hello, &challenge, &at, local, now))??;
        let body = peer::to_bytes(&Handshake::Proof(Box::new(prepared.proof.clone())));
        let machine = Machine::Proving {
            ticket,
            name,
            prepared: Box::new(prepared),
        };
        self.call(machine, dialled, body, PROOF_TIMEOUT_MS, now);
        Ok(())
    }

    fn call(&mut self, machine: Machine, to: Address, body: Vec<u8>, timeout_ms: u64, now: Now) {
        let id = self.next;
        self.next += 1;
        let (call_back, near) = match &machine {
            Machine::Calling { near, .. } => (true, *near),
            // The operator says where.
            Machine::Greeting { .. } | Machine::Proving { .. } => (false, true),
        };
        self.machines.insert(id, (machine, now.mono_ms + LOST_MS));
        self.out.push(JoinOut::Call {
            machine: id,
            to,
            body,
            timeout_ms,
            call_back,
            near,
        });
    }

    fn finish(&mut self, ticket: u64, outcome: Result<(bool, Peer)>) {
        self.out.push(JoinOut::Joined { ticket, outcome });
    }

    fn respond(&mut self, slot: u64, answer: HandshakeAnswer) {
        self.out.push(JoinOut::Respond { slot, answer });
    }

    fn count(&self, answering: bool) -> usize {
        let kind = |m: &Machine| matches!(m, Machine::Calling { .. }) == answering;
        self.machines.values().filter(|(m, _)| kind(m)).count()
    }

    fn drop_lost(&mut self, now: Now) {
        self.machines
            .retain(|_, (_, lost_at)| *lost_at > now.mono_ms);
    }
}

fn refused(why: Refused) -> HandshakeAnswer {
    HandshakeAnswer::Refused { why }
}

/// The initiator has the responder's last word.
fn conclude(
    name: Name,
    prepared: Box<Prepared>,
    outcome: CallOutcome,
    port: &mut impl Port,
) -> Result<(bool, Peer)> {
    let hash = prepared.responder_key.hash();
    let answer = match read_answer(outcome) {
        Ok((answer, _)) => answer,
        Err(e) => {
            port.with(move |node, _| node.release(hash))?;
            return Err(e);
        }
    };
    match answer {
        HandshakeAnswer::Welcome(welcome) => {
            port.with(move |node, now| node.conclude(&prepared, &welcome, &name, now))?
        }
        HandshakeAnswer::Refused {
            why: Refused::DeletedHere(denial),
        } => {
            let fault = port.with(move |node, now| {
                node.release(hash);
                node.deleted_there(&prepared, &denial, now)
            })??;
            Err(Error::Handshake(fault))
        }
        other => {
            port.with(move |node, _| node.release(hash))?;
            Err(unexpected(other, port))
        }
    }
}

/// The responder's call-back came home: welcome the initiator or say what is wrong with its address.
fn called(
    ends: Ends,
    proof: Box<InitiatorProof>,
    call: CallBack,
    outcome: CallOutcome,
    port: &mut impl Port,
) -> std::result::Result<HandshakeAnswer, Refused> {
    let hash = proof.record.key.hash();
    let why = match read_answer(outcome) {
        Ok((HandshakeAnswer::CalledBack(answer), _)) => {
            let key = proof.record.key;
            let good = port.with(move |node, _| node.check_call_back(&call, &key, &answer));
            match good {
                Ok(true) => None,
                _ => Some("another agent answered at that address".to_string()),
            }
        }
        Ok(_) => Some("another agent answered at that address".to_string()),
        Err(Error::Handshake(fault)) => Some(fault.to_string()),
        Err(e) => Some(e.to_string()),
    };
    if let Some(why) = why {
        port.with(move |node, _| node.release(hash))
            .map_err(|_| Refused::Overloaded)?;
        return Err(Refused::CallBack { why });
    }
    let welcome = port.with(move |node, now| node.welcome(&proof, ends, now));
    let welcome = welcome.map_err(|_| Refused::Overloaded)??;
    Ok(HandshakeAnswer::Welcome(Box::new(welcome)))
}

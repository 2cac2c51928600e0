//! A licensed agent that is nothing but a key, and begins handshakes as a test makes it.

use crate::host::{Direct, Host};
use arctic::core::handshake;
use arctic::core::settle::Ends;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{
    Address, IssueKey, KeyHash, Name, PeerId, PeerRecord, SecretKey, Signature, Version,
};
use arctic::node::JoinOut;
use arctic::wire::peer::{
    self, CallBack, CalledBack, Challenge, Handshake, HandshakeAnswer, Hello, InitiatorProof,
    Refused, VERSION,
};

/// An early instant, for tests in which no time passes.
pub const AT_MS: u64 = 1000;

pub struct Caller {
    pub key: SecretKey,
    /// Where it says that it is.
    pub address: &'static str,
    /// By its own issue of the license.
    pub max_nodes: u32,
    issue: IssueKey,
}

/// A handshake in which the responder waits for the answer to its call-back.
pub struct Begun {
    machine: u64,
    call: CallBack,
    challenge: Challenge,
}

impl Caller {
    pub fn new(seed: u8, issue: &IssueKey) -> Caller {
        Caller {
            key: SecretKey::from_seed(&[seed; 32]),
            address: "10.7.7.7:8080",
            max_nodes: 10,
            issue: issue.clone(),
        }
    }

    pub fn hash(&self) -> KeyHash {
        self.key.public().hash()
    }

    /// Proves itself over a connection with these ends, saying that it dialled this address.
    pub fn begin(
        &self,
        host: &mut Host,
        ends: Ends,
        dialled: &str,
        at_ms: u64,
    ) -> Result<Begun, Refused> {
        let hello = Hello {
            v: VERSION,
            key: self.key.public(),
            license_id: host.license.terms.license_id.to_string(),
            issues: vec![self.issue.id()],
            challenge: [7; 32],
        };
        let word = Handshake::Hello(Box::new(hello.clone()));
        let challenge = match answered(say(host, ends, word, at_ms))? {
            HandshakeAnswer::Challenge(challenge) => challenge,
            other => panic!("no challenge: {other:?}"),
        };
        let proof = self.proof(&hello, &challenge, Address::parse(dialled).unwrap());
        match say(host, ends, Handshake::Proof(Box::new(proof)), at_ms) {
            JoinOut::Call { machine, body, .. } => match peer::read(&body) {
                Ok(Handshake::CallBack(call)) => Ok(Begun {
                    machine,
                    call,
                    challenge,
                }),
                other => panic!("not a call-back: {other:?}"),
            },
            out => Err(answered(out).expect_err("nobody is welcome without a call-back")),
        }
    }

    /// Answers the call-back; gives the responder's last word.
    pub fn go_on(&self, host: &mut Host, begun: &Begun, at_ms: u64) -> HandshakeAnswer {
        let (call, responder) = (&begun.call, &begun.challenge.key);
        let bytes = handshake::call_back_bytes(&call.hello_challenge, &call.nonce, responder);
        let answer = HandshakeAnswer::CalledBack(CalledBack {
            signature: self.key.sign(Context::CallBack, &bytes),
        });
        let now = host.now(at_ms);
        let node = host.node.as_mut().unwrap();
        let outcome = Ok((200, peer::to_bytes(&answer), None));
        let mut port = Direct(node, now);
        host.joins.completed(begun.machine, outcome, &mut port, now);
        match host.joins.take_outputs().pop() {
            Some(JoinOut::Respond { answer, .. }) => answer,
            _ => panic!("no last word"),
        }
    }

    fn proof(&self, hello: &Hello, challenge: &Challenge, dialled: Address) -> InitiatorProof {
        let fields = PeerFields {
            v: VERSION,
            id: PeerId::derive(&self.key.public(), 1),
            key: self.key.public(),
            address: Some(Address::parse(self.address).unwrap()),
            name: Name::none(),
            incarnation: 1,
            start: 1,
            version: Version::own(),
        };
        let record = PeerRecord::seal(fields, &self.key, std::slice::from_ref(&self.issue));
        let mut proof = InitiatorProof {
            v: VERSION,
            issue: challenge.issue,
            key: self.key.public(),
            hello_challenge: hello.challenge,
            challenge: challenge.challenge.clone(),
            record: record.signed,
            issues: hello.issues.clone(),
            dialled,
            members: Bytes(self.hash().0.to_vec()),
            max_nodes: self.max_nodes,
            proof: [0; 32],
            signature: Signature([0; 64]),
        };
        let transcript = handshake::initiator_transcript(&proof, challenge.key).bytes();
        let role = Context::HandshakeInitiator;
        (proof.proof, proof.signature) =
            handshake::prove(role, &transcript, &self.issue, &self.key);
        proof
    }
}

/// One message of a handshake, and the one thing that follows from it.
fn say(host: &mut Host, ends: Ends, word: Handshake, at_ms: u64) -> JoinOut {
    let now = host.now(at_ms);
    let node = host.node.as_mut().unwrap();
    let mut port = Direct(node, now);
    host.joins.inbound(1, ends, word, &mut port, now);
    let mut out = host.joins.take_outputs();
    assert_eq!(out.len(), 1);
    out.remove(0)
}

fn answered(out: JoinOut) -> Result<HandshakeAnswer, Refused> {
    match out {
        JoinOut::Respond {
            answer: HandshakeAnswer::Refused { why },
            ..
        } => Err(why),
        JoinOut::Respond { answer, .. } => Ok(answer),
        _ => panic!("no answer"),
    }
}

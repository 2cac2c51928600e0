//! A fake agent: a key, perhaps a license, and the words of the protocol. It says what a test makes it
//! say: every field can be changed before it is signed, and after.

use super::agent::Agent;
use super::http::{Answer as Http, Request};
use arctic::core::handshake;
use arctic::domain::announcement::AnnouncementFields;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{
    Address, Announcement, IssueKey, License, LicenseId, Name, PeerId, PeerRecord, PublicKey,
    SecretKey, Signature, Signed, Version,
};
use arctic::wire::peer::{
    self, Answer, Answered, Body, CallBack, CalledBack, Challenge, Frame, HANDSHAKE_PATH,
    Handshake, HandshakeAnswer, Hello, InitiatorProof, MESSAGE_PATH, Message, Standing, VERSION,
    Welcome,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Whom a puppet talks to.
#[derive(Debug, Clone)]
pub struct Target {
    pub address: Address,
    pub id: PeerId,
    pub key: PublicKey,
}

impl Target {
    /// A real agent, which says itself who it is.
    #[track_caller]
    pub fn of(agent: &Agent) -> Target {
        let identity = Request::new("GET", "/v1/cluster/identity").send(&agent.address);
        let identity = identity.is(200);
        let text = |field: &str| identity[field].as_str().expect("text").to_string();
        Target {
            address: Address::parse(&agent.address).expect("an agent has an address"),
            id: PeerId::parse(&text("peer_id")).expect("an agent has an id"),
            key: PublicKey::parse(&text("public_key")).expect("an agent has a key"),
        }
    }
}

/// A fake agent. Clones are the same agent.
#[derive(Clone)]
pub struct Puppet {
    pub key: SecretKey,
    pub id: PeerId,
    /// What it claims to be reachable at.
    pub address: Address,
    pub incarnation: u64,
    pub start: u64,
    /// The next message's, to whomever.
    pub number: Arc<AtomicU64>,
    /// The program that it says it is.
    pub version: Version,
    pub max_nodes: u32,
    /// The license of whose issues it makes tags and proofs, the newest first; none: it has none.
    pub issues: Vec<IssueKey>,
    /// The license id that it names; a puppet without the license can know that.
    pub license_id: String,
    /// With whom it began which handshake: what it needs to know when it is called back.
    met: Arc<Mutex<BTreeMap<[u8; 32], PublicKey>>>,
}

/// 32 bytes that nobody has seen.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has entropy");
    bytes
}

impl Puppet {
    /// A new identity without a license, at an address where nothing need listen.
    pub fn at(address: &str) -> Puppet {
        let key = SecretKey::from_seed(&random());
        Puppet {
            id: PeerId::derive(&key.public(), 1_780_000_000_000),
            key,
            address: Address::parse(address).expect("host:port"),
            incarnation: 1,
            start: 1,
            number: Arc::new(AtomicU64::new(1)),
            version: Version::own(),
            max_nodes: 20,
            issues: Vec::new(),
            license_id: String::new(),
            met: Arc::default(),
        }
    }

    /// The same with this license; called again, the next file is the issue before.
    #[track_caller]
    pub fn licensed(mut self, file: &Path) -> Puppet {
        let document = std::fs::read(file).expect("the license can be read");
        let license = License::parse(&document).expect("a license");
        self.license_id = license.terms.license_id.to_string();
        self.max_nodes = license.terms.max_nodes;
        self.issues.push(IssueKey::of(&license));
        self
    }

    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    // Records.

    pub fn fields(&self) -> PeerFields {
        PeerFields {
            v: VERSION,
            id: self.id,
            key: self.public(),
            address: Some(self.address.clone()),
            name: Name::none(),
            incarnation: self.incarnation,
            start: self.start,
            version: self.version.clone(),
        }
    }

    /// Its own record, tagged with the issues that it has.
    pub fn record(&self) -> Signed {
        PeerRecord::seal(self.fields(), &self.key, &self.issues).signed
    }

    /// Its own end.
    pub fn deactivation(&self) -> Signed {
        let fields = AnnouncementFields {
            v: VERSION,
            subject: self.id,
            subject_key: self.public(),
            // Whoever knows no license leaves one that there is not.
            license_id: LicenseId::parse(&self.license_id)
                .unwrap_or(LicenseId::from_parts(1, [0; 10])),
            incarnation: self.incarnation + 1,
        };
        Announcement::seal(fields, &self.key, &self.issues).signed
    }

    // The handshake as its initiator.

    pub fn hello(&self) -> Hello {
        Hello {
            v: VERSION,
            key: self.public(),
            license_id: self.license_id.clone(),
            issues: self.issues.iter().map(IssueKey::id).collect(),
            challenge: random(),
        }
    }

    /// Says hello and gets the challenge.
    #[track_caller]
    pub fn greet(&self, to: &Address) -> (Hello, Challenge) {
        let hello = self.hello();
        let answer = say(to, &Handshake::Hello(Box::new(hello.clone())));
        match answer.1 {
            Some(HandshakeAnswer::Challenge(challenge)) => (hello, challenge),
            other => panic!("no challenge: {} {other:?}", answer.0),
        }
    }

    /// What it proves, not proved yet: see `prove`.
    pub fn unproved(&self, hello: &Hello, challenge: &Challenge, at: &Address) -> InitiatorProof {
        let mut met = self.met.lock().expect("no test panics here");
        met.insert(hello.challenge, challenge.key);
        InitiatorProof {
            key: self.public(),
            hello_challenge: hello.challenge,
            challenge: challenge.challenge.clone(),
            v: VERSION,
            issues: hello.issues.clone(),
            issue: challenge.issue,
            record: self.record(),
            dialled: at.clone(),
            members: Bytes(self.public().hash().0.to_vec()),
            max_nodes: self.max_nodes,
            proof: [0; 32],
            signature: Signature([0; 64]),
        }
    }

    /// Fills in the license's proof, where it has the issue, and its signature.
    pub fn prove(&self, proof: &mut InitiatorProof, responder: PublicKey) {
        let transcript = handshake::initiator_transcript(proof, responder).bytes();
        if let Some(issue) = self.issues.iter().find(|i| i.id() == proof.issue) {
            proof.proof = issue.prove(Context::HandshakeInitiator, &transcript);
        }
        proof.signature = self.key.sign(Context::HandshakeInitiator, &transcript);
    }

    /// A whole proof for this agent, with what is changed before it is signed.
    #[track_caller]
    pub fn proof(
        &self,
        to: &Address,
        before: impl FnOnce(&mut InitiatorProof),
    ) -> Box<InitiatorProof> {
        let (hello, challenge) = self.greet(to);
        let mut proof = self.unproved(&hello, &challenge, to);
        before(&mut proof);
        self.prove(&mut proof, challenge.key);
        Box::new(proof)
    }

    /// The whole handshake, as an honest agent goes through it.
    #[track_caller]
    pub fn join(&self, to: &Address) -> (u16, Option<HandshakeAnswer>) {
        say(to, &Handshake::Proof(self.proof(to, |_| {})))
    }

    /// Its answer to whom it has begun a handshake with.
    pub fn called_back(&self, call: &CallBack) -> Option<CalledBack> {
        let met = self.met.lock().expect("no test panics here");
        let responder = met.get(&call.hello_challenge)?;
        let bytes = handshake::call_back_bytes(&call.hello_challenge, &call.nonce, responder);
        Some(CalledBack {
            signature: self.key.sign(Context::CallBack, &bytes),
        })
    }

    // The handshake as its responder.

    /// The first answer. An opaque challenge is bytes that only its maker reads.
    pub fn challenge(&self, hello: &Hello) -> Challenge {
        let ours = self.issues.iter().map(IssueKey::id);
        let common = ours.into_iter().find(|id| hello.issues.contains(id));
        Challenge {
            v: VERSION,
            id: self.id,
            key: self.public(),
            issue: common.or(hello.issues.first().copied()).expect("an issue"),
            challenge: Bytes(random().to_vec()),
        }
    }

    /// The last answer to this proof. What an agent without the license cannot prove is zeros.
    pub fn welcome(&self, proof: &InitiatorProof) -> Welcome {
        self.welcome_as(proof, &self.record())
    }

    /// The same with this record.
    pub fn welcome_as(&self, proof: &InitiatorProof, record: &Signed) -> Welcome {
        let transcript =
            handshake::responder_transcript(proof, self.public(), record.version()).bytes();
        let issue = self.issues.iter().find(|i| i.id() == proof.issue);
        Welcome {
            record: record.clone(),
            proof: issue.map_or([0; 32], |i| {
                i.prove(Context::HandshakeResponder, &transcript)
            }),
            signature: self.key.sign(Context::HandshakeResponder, &transcript),
        }
    }

    // Messages.

    pub fn message(&self, to: PeerId, body: Body) -> Message {
        Message {
            v: VERSION,
            from: self.id,
            to,
            nonce: random(),
            start: self.start,
            number: self.number.fetch_add(1, Ordering::Relaxed),
            hash: random(),
            body,
        }
    }

    /// Signs exact bytes. Every frame of a puppet, question or answer, is made here.
    pub fn frame(&self, context: Context, payload: Vec<u8>, record: Option<Signed>) -> Frame {
        Frame {
            key: self.public(),
            macs: self
                .issues
                .iter()
                .map(|issue| issue.tag(context, &payload))
                .collect(),
            signature: self.key.sign(context, &payload),
            payload: Bytes(payload),
            record,
        }
    }

    pub fn seal(&self, message: &Message, record: Option<Signed>) -> Frame {
        self.frame(Context::Message, peer::to_bytes(message), record)
    }

    /// Sends a message with its own record beside it; gives the answer if it is a good one.
    #[track_caller]
    pub fn tell(&self, to: &Target, body: Body) -> (u16, Option<Answer>) {
        let message = self.message(to.id, body);
        let http = post(
            &to.address,
            MESSAGE_PATH,
            &self.seal(&message, Some(self.record())),
        );
        (http.status, read_answer(&message, &to.key, &http.body))
    }

    /// An answer as a member gives it.
    pub fn answer(&self, message: &Message) -> Answer {
        Answer {
            v: VERSION,
            from: self.id,
            to: message.from,
            nonce: message.nonce,
            start: self.start,
            hash: message.hash,
            standing: Standing::Member,
            ended: Vec::new(),
            body: Answered::Ack { items: Vec::new() },
        }
    }

    pub fn seal_answer(&self, answer: &Answer) -> Frame {
        self.frame(Context::Answer, peer::to_bytes(answer), None)
    }
}

/// The signed answer to this message, if it is one: its key, its signature, its nonce, its addressee.
pub fn read_answer(message: &Message, key: &PublicKey, body: &str) -> Option<Answer> {
    let frame: Frame = peer::read(body.as_bytes()).ok()?;
    let good = frame.key == *key && key.verify(Context::Answer, &frame.payload.0, &frame.signature);
    let answer: Answer = good
        .then(|| peer::read_signed(&frame.payload.0).ok())
        .flatten()?;
    let fits = answer.nonce == message.nonce
        && answer.from == message.to
        && answer.to == message.from
        && answer.v == VERSION;
    fits.then_some(answer)
}

/// Posts one of the shapes between agents.
#[track_caller]
pub fn post(to: &Address, path: &str, shape: &impl serde::Serialize) -> Http {
    Request::new("POST", path)
        .json(peer::to_bytes(shape))
        .send(&to.to_string())
}

/// One message of a handshake, and what came back: the status, and the answer if it is one.
#[track_caller]
pub fn say(to: &Address, word: &Handshake) -> (u16, Option<HandshakeAnswer>) {
    let http = post(to, HANDSHAKE_PATH, word);
    (http.status, peer::read(http.body.as_bytes()).ok())
}

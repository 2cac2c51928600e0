//! What a responder makes of the words of a handshake, and when: its challenge is good for ten
//! seconds, and an address has ten first messages a second.

use crate::host::{Direct, Host, license};
use crate::rng::Rng;
use arctic::core::settle::Ends;
use arctic::domain::{Name, SecretKey};
use arctic::node::JoinOut;
use arctic::wire::peer::{self, Handshake, HandshakeAnswer, Refused};
use std::net::IpAddr;

/// Two agents of one license that have not met. Every word goes through the test's hands.
struct Doorstep {
    alice: Host,
    bob: Host,
    /// The number of the call that bob waits for.
    waits: u64,
}

impl Doorstep {
    fn new() -> Doorstep {
        let mut rng = Rng::new(7);
        let issuer = SecretKey::from_seed(&rng.seed32());
        let license = license(&issuer, 1, 10);
        let mut host = |index| {
            let mut host = Host::new(index, license.clone(), issuer.public(), &mut rng);
            host.bootstrap(0).unwrap();
            host
        };
        Doorstep {
            alice: host(1),
            bob: host(2),
            waits: 0,
        }
    }

    /// Bob begins to add alice: his first message.
    fn hello(&mut self) -> Handshake {
        let (now, to) = (self.bob.now(0), self.alice.address());
        let mut port = Direct(self.bob.node.as_mut().unwrap(), now);
        self.bob.joins.begin(1, to, Name::none(), &mut port, now);
        self.bobs_word()
    }

    /// Bob hears the answer to his first message: his proof.
    fn proof(&mut self, answer: &HandshakeAnswer) -> Handshake {
        let now = self.bob.now(0);
        let outcome = Ok((200, peer::to_bytes(answer), Some(self.bob.ip)));
        let mut port = Direct(self.bob.node.as_mut().unwrap(), now);
        let joins = &mut self.bob.joins;
        joins.completed(self.waits, outcome, &mut port, now);
        self.bobs_word()
    }

    fn bobs_word(&mut self) -> Handshake {
        match self.bob.joins.take_outputs().remove(0) {
            JoinOut::Call { machine, body, .. } => {
                self.waits = machine;
                peer::read(&body).unwrap()
            }
            _ => panic!("bob gave up"),
        }
    }

    /// What alice does about a word from this address at this time.
    fn hears(&mut self, from: IpAddr, at_ms: u64, word: &Handshake) -> JoinOut {
        let now = self.alice.now(at_ms);
        let mut port = Direct(self.alice.node.as_mut().unwrap(), now);
        let joins = &mut self.alice.joins;
        let ends = Ends {
            remote: from,
            local: self.alice.ip,
        };
        joins.inbound(1, ends, word.clone(), &mut port, now);
        self.alice.joins.take_outputs().remove(0)
    }

    fn says(&mut self, from: IpAddr, at_ms: u64, word: &Handshake) -> Option<HandshakeAnswer> {
        match self.hears(from, at_ms, word) {
            JoinOut::Respond { answer, .. } => Some(answer),
            _ => None,
        }
    }
}

const BAD_PROOF: Option<HandshakeAnswer> = Some(HandshakeAnswer::Refused {
    why: Refused::BadProof,
});

#[test]
fn a_challenge_is_good_for_ten_seconds_one_address_and_one_start() {
    let mut step = Doorstep::new();
    let here = step.bob.ip;
    let elsewhere: IpAddr = "10.0.0.77".parse().unwrap();
    let hello = step.hello();
    let challenge = step.says(here, 50_000, &hello).unwrap();
    let proof = step.proof(&challenge);
    assert_eq!(step.says(here, 60_001, &proof), BAD_PROOF, "old");
    assert_eq!(step.says(here, 49_999, &proof), BAD_PROOF, "to come");
    assert_eq!(step.says(elsewhere, 60_000, &proof), BAD_PROOF, "whose?");
    let in_time = step.hears(here, 60_000, &proof);
    assert!(matches!(
        in_time,
        JoinOut::Call {
            call_back: true,
            ..
        }
    ));
    // Only its secret tells that a challenge was made before a start.
    step.alice.joins = Doorstep::new().bob.joins;
    assert_eq!(step.says(here, 60_000, &proof), BAD_PROOF, "another life's");
}

#[test]
fn an_address_has_ten_first_messages_a_second() {
    let mut step = Doorstep::new();
    let hello = step.hello();
    let mut passes = |from: &str, at_ms: u64| {
        let from = from.parse().unwrap();
        match step.says(from, at_ms, &hello) {
            Some(HandshakeAnswer::Challenge(_)) => true,
            Some(HandshakeAnswer::Refused {
                why: Refused::TooMany,
            }) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!((0..10).all(|_| passes("10.0.0.1", 50_000)));
    assert!(!passes("10.0.0.1", 50_000), "the eleventh at once");
    assert!(passes("10.0.0.2", 50_000), "another address has its own");
    assert!(!passes("10.0.0.1", 50_099), "not yet");
    assert!(passes("10.0.0.1", 50_100) && !passes("10.0.0.1", 50_100));
    let later = (0..99).filter(|_| passes("10.0.0.1", 60_000)).count();
    assert_eq!(later, 10);
}

const TOO_MANY: Option<HandshakeAnswer> = Some(HandshakeAnswer::Refused {
    why: Refused::TooMany,
});

#[test]
fn the_addresses_of_one_ipv6_host_have_ten_first_messages_together() {
    let mut step = Doorstep::new();
    let hello = step.hello();
    for host in 0..12 {
        let from = format!("2001:db8::{host:x}:1").parse().unwrap();
        assert_eq!(step.says(from, 0, &hello) == TOO_MANY, host >= 10, "{host}");
    }
    let next = "2001:db8:0:1::1".parse().unwrap();
    assert!(step.says(next, 0, &hello) != TOO_MANY, "another network's");
}

#[test]
fn an_address_has_ten_proofs_a_second_too() {
    let mut step = Doorstep::new();
    let here = step.bob.ip;
    let hello = step.hello();
    let challenge = step.says(here, 0, &hello).unwrap();
    let Handshake::Proof(mut proof) = step.proof(&challenge) else {
        panic!("bob proves nothing")
    };
    // Whoever knows no license, with one challenge for all of them.
    proof.proof = [0; 32];
    let forged = Handshake::Proof(proof);
    for number in 0..12 {
        let answer = step.says(here, 0, &forged);
        let expected = if number < 10 { BAD_PROOF } else { TOO_MANY };
        assert_eq!(answer, expected, "{number}");
    }
    let elsewhere = "10.0.0.77".parse().unwrap();
    assert_eq!(step.says(elsewhere, 0, &forged), BAD_PROOF, "its own");
    assert_eq!(step.says(here, 100, &forged), BAD_PROOF, "a moment later");
}

//! Where an agent without `--advertise` is reached: nobody's word moves it but the first one's, and what
//! this end of a connection shows.

use crate::host::{Direct, Host, PORT};
use crate::plan::Step;
use crate::story::until;
use crate::world::World;
use arctic::core::handshake;
use arctic::core::settle::Ends;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{Address, IssueKey, Name, PeerId, PeerRecord, SecretKey, Signature, Version};
use arctic::node::JoinOut;
use arctic::wire::peer::{
    self, CallBack, CalledBack, Challenge, Handshake, HandshakeAnswer, Hello, InitiatorProof,
    VERSION,
};
use std::net::IpAddr;

const AT_MS: u64 = 1000;

/// An agent that was not told its address, with an issue of its license.
fn untold() -> (World, usize, IssueKey) {
    let mut world = World::new(30, 8, 0, 10);
    world.net.heal();
    for host in 0..8 {
        world.at(0, Step::Bootstrap(host));
    }
    until(&mut world, AT_MS);
    let free = |host: &Host| address(host) == format!("0.0.0.0:{PORT}");
    let victim = world
        .hosts
        .iter()
        .position(free)
        .expect("half are not told");
    let issue = IssueKey::of(&world.hosts[victim].license);
    (world, victim, issue)
}

/// What the agent shows as its own address.
fn address(host: &Host) -> String {
    let peers = host.node.as_ref().unwrap().peers().unwrap();
    peers[0].address.clone()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A licensed agent, which says what a test makes it say.
struct Caller {
    key: SecretKey,
    issue: IssueKey,
}

impl Caller {
    fn new(seed: u8, issue: &IssueKey) -> Caller {
        Caller {
            key: SecretKey::from_seed(&[seed; 32]),
            issue: issue.clone(),
        }
    }

    /// A whole handshake over a connection with these ends, in which it says that it dialled this
    /// address. It is welcomed.
    fn dials(&self, host: &mut Host, dialled: &str, remote: &str, local: &str) {
        let ends = Ends {
            remote: ip(remote),
            local: ip(local),
        };
        let hello = Hello {
            v: VERSION,
            key: self.key.public(),
            license_id: host.license.terms.license_id.to_string(),
            issues: vec![self.issue.id()],
            challenge: [7; 32],
        };
        let first = say(host, ends, Handshake::Hello(Box::new(hello.clone())));
        let JoinOut::Respond {
            answer: HandshakeAnswer::Challenge(challenge),
            ..
        } = first
        else {
            panic!("no challenge")
        };
        let proof = self.proof(&hello, &challenge, Address::parse(dialled).unwrap());
        let JoinOut::Call { machine, body, .. } =
            say(host, ends, Handshake::Proof(Box::new(proof)))
        else {
            panic!("not called back")
        };
        let Ok(Handshake::CallBack(call)) = peer::read(&body) else {
            panic!("not a call-back")
        };
        let answer = peer::to_bytes(&self.called_back(&call, &challenge));
        let now = host.now(AT_MS);
        let node = host.node.as_mut().unwrap();
        let outcome = Ok((200, answer, None));
        host.joins
            .completed(machine, outcome, &mut Direct(node, now), now);
        let welcomed = host.joins.take_outputs().into_iter().any(|out| {
            matches!(
                out,
                JoinOut::Respond {
                    answer: HandshakeAnswer::Welcome(_),
                    ..
                }
            )
        });
        assert!(welcomed, "dialled {dialled} over {ends:?}");
    }

    fn proof(&self, hello: &Hello, challenge: &Challenge, dialled: Address) -> InitiatorProof {
        let fields = PeerFields {
            v: VERSION,
            id: PeerId::derive(&self.key.public(), 1),
            key: self.key.public(),
            address: Some(Address::parse("10.7.7.7:8080").unwrap()),
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
            members: Bytes(self.key.public().hash().0.to_vec()),
            max_nodes: 10,
            proof: [0; 32],
            signature: Signature([0; 64]),
        };
        let transcript = handshake::initiator_transcript(&proof, challenge.key).bytes();
        let role = Context::HandshakeInitiator;
        (proof.proof, proof.signature) =
            handshake::prove(role, &transcript, &self.issue, &self.key);
        proof
    }

    fn called_back(&self, call: &CallBack, challenge: &Challenge) -> HandshakeAnswer {
        let bytes = handshake::call_back_bytes(&call.hello_challenge, &call.nonce, &challenge.key);
        HandshakeAnswer::CalledBack(CalledBack {
            signature: self.key.sign(Context::CallBack, &bytes),
        })
    }
}

/// One message of a handshake, and the one thing that follows from it.
fn say(host: &mut Host, ends: Ends, word: Handshake) -> JoinOut {
    let now = host.now(AT_MS);
    let node = host.node.as_mut().unwrap();
    host.joins
        .inbound(1, ends, word, &mut Direct(node, now), now);
    let mut out = host.joins.take_outputs();
    assert_eq!(out.len(), 1);
    out.remove(0)
}

#[test]
fn the_first_handshake_settles_what_was_dialled() {
    for dialled in ["203.0.113.7:7000", "alice.example:8080"] {
        let (mut world, victim, issue) = untold();
        let host = &mut world.hosts[victim];
        Caller::new(1, &issue).dials(host, dialled, "198.51.100.1", "10.0.0.1");
        assert_eq!(address(host), dialled);
    }
}

#[test]
fn no_other_word_moves_an_agent_once_it_is_settled() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let (bob, carol) = (Caller::new(1, &issue), Caller::new(2, &issue));
    bob.dials(host, "10.0.0.1:8080", "10.0.0.2", "10.0.0.1");
    // A member, a newcomer that is one afterwards, and that one again.
    for (caller, dialled) in [
        (&bob, "192.0.2.66:9"),
        (&carol, "192.0.2.66:9"),
        (&carol, "192.0.2.66:8080"),
        (&bob, "alice.example:8080"),
        (&bob, "10.0.0.1:9"),
        (&bob, "127.0.0.1:8080"),
        (&bob, "localhost:8080"),
    ] {
        caller.dials(host, dialled, "10.0.0.2", "10.0.0.1");
        assert_eq!(address(host), "10.0.0.1:8080", "{dialled}");
    }
}

#[test]
fn an_agent_behind_a_translation_stays_where_it_was_dialled_first() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    bob.dials(host, "203.0.113.7:7000", "198.51.100.1", "10.0.0.1");
    for dialled in ["192.0.2.66:9", "198.51.100.9:7000", "alice.example:7000"] {
        bob.dials(host, dialled, "198.51.100.1", "10.0.0.1");
        assert_eq!(address(host), "203.0.113.7:7000", "{dialled}");
    }
}

#[test]
fn an_agent_is_where_this_end_of_the_connection_is() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    bob.dials(host, "10.0.0.1:8080", "10.0.0.2", "10.0.0.1");
    bob.dials(host, "10.5.5.5:8080", "10.0.0.2", "10.5.5.5");
    assert_eq!(address(host), "10.5.5.5:8080");
    bob.dials(host, "10.6.6.6:8080", "10.0.0.2", "::ffff:10.6.6.6");
    assert_eq!(
        address(host),
        "10.6.6.6:8080",
        "as a socket for both families shows it"
    );
    // The port is its own to know, not the caller's to say.
    bob.dials(host, "10.8.8.8:9", "10.0.0.2", "10.8.8.8");
    assert_eq!(address(host), "10.8.8.8:8080");
}

#[test]
fn loopback_is_never_an_address_for_another_host() {
    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    let bob = Caller::new(1, &issue);
    // A tunnel of the caller's.
    bob.dials(host, "127.0.0.1:7777", "10.0.0.2", "10.0.0.1");
    assert_eq!(address(host), "10.0.0.1:8080");
    // A process of this host.
    bob.dials(host, "127.0.0.1:8080", "127.0.0.1", "127.0.0.1");
    assert_eq!(address(host), "10.0.0.1:8080");

    let (mut world, victim, issue) = untold();
    let host = &mut world.hosts[victim];
    bob.dials(host, "127.0.0.1:8080", "127.0.0.1", "127.0.0.1");
    assert_eq!(address(host), "127.0.0.1:8080", "all are on one host");
    Caller::new(2, &issue).dials(host, "192.0.2.66:9", "10.0.0.2", "10.0.0.1");
    assert_eq!(address(host), "10.0.0.1:8080", "another host has joined");
}

//! What strangers may send, and what it costs.

use crate::harness::{Lab, Puppet, Target, say};
use arctic::wire::peer::{Handshake, HandshakeAnswer, Refused};

#[test]
fn a_proof_is_of_the_key_that_it_begins_with() {
    let lab = Lab::new();
    let alice = lab.member("alice");
    let target = Target::of(&alice);
    let (greeter, _stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (other, _other_stage) = Puppet::honest_at_work(&lab.path("license.json"));
    let (hello, challenge) = greeter.greet(&target.address);
    let mut proof = other.unproved(&hello, &challenge, &target.address);
    proof.key = greeter.public();
    other.prove(&mut proof, challenge.key);
    let (_, answer) = say(&target.address, &Handshake::Proof(Box::new(proof)));
    let refused = HandshakeAnswer::Refused {
        why: Refused::BadProof,
    };
    assert_eq!(answer, Some(refused));
}

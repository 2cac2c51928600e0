//! The responder's part in a handshake: who may enter, and the commit that makes it a member.

use super::join::exceeds;
use super::merge::Reads;
use super::{Life, Node};
use crate::core::schedule::Now;
use crate::core::settle::{self, Ends};
use crate::core::{admission, handshake};
use crate::domain::keys::Context;
use crate::domain::{Address, Error, KeyHash, PeerRecord, Result};
use crate::wire::peer::{Denial, InitiatorProof, Refused, VERSION, Welcome};

type Welcomed = std::result::Result<Welcome, Refused>;

impl Node {
    /// The responder checks the initiator's proof and reserves its place. Gives the address to call
    /// back, and whether a name there may lead to this host.
    pub fn check_proof(
        &mut self,
        proof: &InitiatorProof,
        ends: Ends,
        now: Now,
    ) -> std::result::Result<(Address, bool), Refused> {
        let record = self.proved(proof, now)?;
        let hash = record.fields.id.hash();
        self.may_enter(hash, proof, now)?;
        // Whoever cannot be called back takes no place.
        let address = record.fields.address.ok_or(Refused::BadProof)?;
        let life = self.life.as_mut().ok_or(Refused::NotBootstrapped)?;
        let near = settle::is_near_to(life.address.as_ref(), ends);
        if !settle::may_dial(near, &address) {
            return Err(Refused::CallBack {
                why: format!(
                    "{address} means another host there; start this agent with --advertise HOST:PORT"
                ),
            });
        }
        life.reserved.take(hash, now);
        Ok((address, near))
    }

    /// The license's MAC first, then the signatures.
    fn proved(&self, proof: &InitiatorProof, now: Now) -> std::result::Result<PeerRecord, Refused> {
        let life = self.life.as_ref().ok_or(Refused::NotBootstrapped)?;
        let issue = life
            .admitting_issue(proof.issue, now)
            .ok_or(Refused::NoCommonIssue)?;
        let transcript = handshake::initiator_transcript(proof, life.key.public()).bytes();
        let good = handshake::check(
            Context::HandshakeInitiator,
            &transcript,
            issue,
            &proof.record.key,
            &proof.proof,
            &proof.signature,
        );
        let fits = good
            && proof.v == VERSION
            && proof.key == proof.record.key
            && proof.record.tagged_by(life.admitting(now))
            && proof.members.0.len() % 10 == 0;
        let record = fits
            .then(|| PeerRecord::open(proof.record.clone()).ok())
            .flatten();
        record.ok_or(Refused::BadProof)
    }

    /// The responder's own view of the initiator, and the limit over the members of both.
    fn may_enter(
        &self,
        hash: KeyHash,
        proof: &InitiatorProof,
        now: Now,
    ) -> std::result::Result<(), Refused> {
        let life = self.life.as_ref().ok_or(Refused::NotBootstrapped)?;
        if life.deactivated {
            return Err(Refused::Deactivated { peer_id: life.id });
        }
        if hash == life.hash() {
            return Err(Refused::BadProof);
        }
        if let Some(announcement) = life.register.ended(hash) {
            let announcement = Box::new(announcement.signed.clone());
            return Err(Refused::InitiatorEnded { announcement });
        }
        if life.view.hidden.contains_key(&hash) {
            return Err(life.deleted_here(proof).unwrap_or(Refused::NoCommonIssue));
        }
        let others = || {
            let hashes = proof.members.0.chunks_exact(10);
            hashes.filter_map(|c| Some(KeyHash(c.try_into().ok()?)))
        };
        let count = |reserved: Vec<KeyHash>| {
            let reserved = reserved.into_iter().chain([hash]);
            admission::union_count(&life.register, reserved, others())
        };
        let limit = life.max_nodes().min(proof.max_nodes);
        // Whoever brings nobody new needs no place, however many others have taken one.
        let grows = count(Vec::new()) > life.register.member_count();
        let full = admission::room_for_member(&life.register, hash, life.max_nodes()).is_err();
        match full || (grows && exceeds(count(life.reserved.held(now).collect()), limit)) {
            true => Err(Refused::NodeLimit { limit }),
            false => Ok(()),
        }
    }

    /// The responder's commit: the initiator is a member here from now on.
    pub fn welcome(&mut self, proof: &InitiatorProof, ends: Ends, now: Now) -> Welcomed {
        self.release(proof.record.key.hash());
        let record = self.proved(proof, now)?;
        let hash = record.fields.id.hash();
        self.may_enter(hash, proof, now)?;
        let overloaded = |e: Error| {
            log::error!(
                "a handshake could not be stored: {e} {}",
                e.cause().unwrap_or("")
            );
            Refused::Overloaded
        };
        self.settle_as_dialled(&proof.dialled, ends, now)
            .map_err(overloaded)?;
        self.take_items(vec![record.signed.clone()], None, Reads::All, now)
            .map_err(overloaded)?;
        self.greet(hash, now).map_err(overloaded)?;
        let life = self.life.as_ref().ok_or(Refused::NotBootstrapped)?;
        let issue = life.issue(proof.issue).ok_or(Refused::NoCommonIssue)?;
        let own = life
            .register
            .member(life.hash())
            .ok_or(Refused::Deactivated { peer_id: life.id })?;
        let transcript =
            handshake::responder_transcript(proof, life.key.public(), own.signed.version()).bytes();
        let (mac, signature) =
            handshake::prove(Context::HandshakeResponder, &transcript, issue, &life.key);
        Ok(Welcome {
            record: own.signed.clone(),
            proof: mac,
            signature,
        })
    }

    /// The responder's address, where it was not given one: see `core::settle`.
    fn settle_as_dialled(&mut self, dialled: &Address, ends: Ends, now: Now) -> Result<()> {
        match self
            .own_word()?
            .and_then(|own| own.as_responder(dialled, ends))
        {
            Some(address) => self.move_to(address, now),
            None => Ok(()),
        }
    }
}

impl Life {
    /// The one refusal that changes something at the initiator, so it is proved as a welcome is.
    fn deleted_here(&self, proof: &InitiatorProof) -> Option<Refused> {
        let transcript = handshake::deleted_here_transcript(proof, self.key.public()).bytes();
        let issue = self.issue(proof.issue)?;
        let (proof, signature) =
            handshake::prove(Context::HandshakeResponder, &transcript, issue, &self.key);
        Some(Refused::DeletedHere(Denial { proof, signature }))
    }
}

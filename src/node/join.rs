//! The node's part in a handshake: what may be said, who may enter, and the commit on either side.

use super::merge::Reads;
use super::{Life, Node};
use crate::core::gossip::AUTHOR_FANOUT;
use crate::core::liveness::Status;
use crate::core::register::Item;
use crate::core::schedule::Now;
use crate::core::settle::Own;
use crate::core::{admission, handshake};
use crate::domain::keys::Context;
use crate::domain::signed::Bytes;
use crate::domain::{
    Address, Error, HandshakeFault, IssueKey, KeyHash, Name, PeerRecord, PublicKey, Result,
    Signature,
};
use crate::wire::operator::Peer;
use crate::wire::peer::{
    self, CallBack, CalledBack, Challenge, Denial, Hello, InitiatorProof, Refused, VERSION, Welcome,
};
use std::net::IpAddr;

/// How the initiator found the responder's identity before it proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    No,
    /// A member already, at this address.
    Member(Option<Address>),
}

/// What the initiator sends after the challenge, and what it will compare with.
pub struct Prepared {
    pub proof: InitiatorProof,
    pub responder_key: PublicKey,
    pub known: Known,
}

impl Node {
    /// The first message of `peers add`.
    pub fn hello(&mut self, now: Now) -> Result<Hello> {
        let challenge = self.random::<32>();
        let life = self.writable(now)?;
        Ok(Hello {
            v: VERSION,
            key: life.key.public(),
            license_id: life.license().terms.license_id.to_string(),
            issues: life.admitting(now).iter().map(IssueKey::id).collect(),
            challenge,
        })
    }

    /// What the responder says of itself; it proves and stores nothing yet. The newest issue that
    /// both hold is used. The challenge itself is for the caller to fill in.
    pub fn answer_hello(&self, hello: &Hello, now: Now) -> std::result::Result<Challenge, Refused> {
        let life = self.life.as_ref().ok_or(Refused::NotBootstrapped)?;
        if hello.v != VERSION {
            return Err(Refused::Version { v: VERSION });
        }
        let license_id = life.license().terms.license_id.to_string();
        if hello.license_id != license_id {
            return Err(Refused::LicenseMismatch { license_id });
        }
        if life.deactivated {
            return Err(Refused::Deactivated { peer_id: life.id });
        }
        let mut admitting = life.admitting(now).iter();
        let common = admitting.find(|i| hello.issues.contains(&i.id()));
        Ok(Challenge {
            v: VERSION,
            id: life.id,
            key: life.key.public(),
            issue: common.ok_or(Refused::NoCommonIssue)?.id(),
            challenge: Bytes::default(),
        })
    }

    /// The initiator's proof. Duplicate, tombstone and limit are checked, the place is reserved, and
    /// this agent's own address is settled and stored before it is sent.
    pub fn prepare(
        &mut self,
        hello: &Hello,
        challenge: &Challenge,
        dialled: &Address,
        local: Option<IpAddr>,
        now: Now,
    ) -> Result<Prepared> {
        let fault = |f| Err(Error::Handshake(f));
        if challenge.v != VERSION {
            return fault(HandshakeFault::Version(challenge.v.to_string()));
        }
        let life = self.writable(now)?;
        if challenge.key == life.key.public() {
            // Or its double's; whoever it is shall say so.
            self.look_for_double(Some(dialled.clone()), now);
            self.check_single()?;
            return Err(Error::AddressIsSelf);
        }
        if !challenge.id.matches(&challenge.key) {
            return fault(HandshakeFault::Signature);
        }
        let hash = challenge.key.hash();
        if life.register.ended(hash).is_some() {
            return fault(HandshakeFault::Removed(challenge.id.to_string()));
        }
        let known = life.known(hash);
        if known == Known::Member(Some(dialled.clone())) {
            return Err(Error::PeerExists);
        }
        self.reserve(hash, now)?;
        let proof = self
            .settle(local, now)
            .and_then(|()| self.sign_proof(hello, challenge, dialled, now));
        match proof {
            Ok(proof) => Ok(Prepared {
                proof,
                responder_key: challenge.key,
                known,
            }),
            Err(e) => {
                self.release(hash);
                Err(e)
            }
        }
    }

    /// Takes a place in the license for a handshake under way.
    fn reserve(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        let reserved = life.reserved.held(now);
        let count = admission::union_count(&life.register, reserved, [hash].into_iter());
        let limit = life.max_nodes();
        let full = admission::room_for_member(&life.register, hash, limit).is_err();
        if full || (life.register.member(hash).is_none() && exceeds(count, limit)) {
            return Err(Error::NodeLimit(limit));
        }
        life.reserved.take(hash, now);
        Ok(())
    }

    /// The handshake is over, however it went.
    pub fn release(&mut self, hash: KeyHash) {
        if let Some(life) = &mut self.life {
            life.reserved.release(hash);
        }
    }

    /// The initiator's address, where it was not given one: see `core::settle`.
    fn settle(&mut self, local: Option<IpAddr>, now: Now) -> Result<()> {
        let Some(own) = self.own_word()? else {
            return Ok(());
        };
        let known = own.address.is_some();
        match local.and_then(|ip| own.as_initiator(ip)) {
            Some(address) => self.move_to(address, now),
            None if known => Ok(()),
            None => Err(Error::Handshake(HandshakeFault::Unreachable(
                "this agent cannot tell its own address; start it with --advertise HOST:PORT"
                    .into(),
            ))),
        }
    }

    /// What this agent knows of its own address, unless it was told it.
    pub(super) fn own_word(&self) -> Result<Option<Own<'_>>> {
        let life = self.life()?;
        let register = &life.register;
        let own = Own {
            address: life.address.as_ref(),
            met: register.member_count() > 1 || register.ended_count() > 0,
            port: self.config.listen.port(),
        };
        Ok(self.fixed_address().is_none().then_some(own))
    }

    /// Stored and signed before it is sent.
    pub(super) fn move_to(&mut self, address: Address, now: Now) -> Result<()> {
        let next = self.life()?.incarnation + 1;
        self.renew_record(next, Some(address), now)
    }

    fn sign_proof(
        &self,
        hello: &Hello,
        challenge: &Challenge,
        dialled: &Address,
        now: Now,
    ) -> Result<InitiatorProof> {
        let life = self.life()?;
        let issue = life
            .admitting_issue(challenge.issue, now)
            .ok_or(Error::Handshake(HandshakeFault::NoCommonIssue))?;
        let own = life
            .register
            .member(life.hash())
            .ok_or(Error::Deactivated)?;
        let mut proof = InitiatorProof {
            key: own.signed.key,
            hello_challenge: hello.challenge,
            challenge: challenge.challenge.clone(),
            v: VERSION,
            issues: hello.issues.clone(),
            issue: issue.id(),
            record: own.signed.clone(),
            dialled: dialled.clone(),
            members: life.member_list(),
            max_nodes: life.max_nodes(),
            proof: [0; 32],
            signature: Signature([0; 64]),
        };
        let transcript = handshake::initiator_transcript(&proof, challenge.key).bytes();
        (proof.proof, proof.signature) =
            handshake::prove(Context::HandshakeInitiator, &transcript, issue, &life.key);
        Ok(proof)
    }

    /// A handshake is evidence of life, and a reason to compare registers at once.
    pub(super) fn greet(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        self.note_alive(hash, now)?;
        if let Some(life) = &mut self.life {
            life.gossip.want_fresh_exchange(hash);
        }
        Ok(())
    }

    /// The initiator's commit. Gives whether the peer is new here.
    pub fn conclude(
        &mut self,
        prepared: &Prepared,
        welcome: &Welcome,
        name: &Name,
        now: Now,
    ) -> Result<(bool, Peer)> {
        let fault = Error::Handshake(HandshakeFault::Signature);
        self.release(prepared.responder_key.hash());
        let record = self.welcomed(prepared, welcome, now).ok_or(fault.clone())?;
        let (hash, id) = (record.fields.id.hash(), record.fields.id);
        if self.active()?.register.ended(hash).is_some() {
            return Err(Error::Handshake(HandshakeFault::Removed(id.to_string())));
        }
        self.lift_deletion(hash, now)?;
        let item = Item::Peer(record);
        let change = self.active()?.register.consider(&item);
        self.commit_changes(change.into_iter().collect(), None, now, AUTHOR_FANOUT, None)?;
        self.greet(hash, now)?;
        let new = match &prepared.known {
            Known::No => true,
            Known::Member(before) if *before != self.address_of(hash) => false,
            // A refusal changes no name.
            Known::Member(_) => return Err(Error::PeerExists),
        };
        self.name_added(hash, name)?;
        let peer = self.peer(self.active()?.register.id_of(hash).ok_or(fault)?)?;
        Ok((new, peer))
    }

    fn address_of(&self, hash: KeyHash) -> Option<Address> {
        let record = self.life.as_ref()?.register.member(hash)?;
        record.fields.address.clone()
    }

    fn welcomed(&self, prepared: &Prepared, welcome: &Welcome, now: Now) -> Option<PeerRecord> {
        let life = self.life.as_ref()?;
        let key = prepared.responder_key;
        let issue = life.admitting_issue(prepared.proof.issue, now)?;
        let transcript =
            handshake::responder_transcript(&prepared.proof, key, welcome.record.version()).bytes();
        let good = handshake::check(
            Context::HandshakeResponder,
            &transcript,
            issue,
            &key,
            &welcome.proof,
            &welcome.signature,
        );
        let fits =
            good && welcome.record.key == key && welcome.record.tagged_by(life.admitting(now));
        fits.then(|| PeerRecord::open(welcome.record.clone()).ok())
            .flatten()
    }

    /// The responder has deleted this agent. The operator wants that peer here: were our own deletion to
    /// stand until the other side has lifted its own, two that deleted each other could never meet
    /// again. What is not proved by that peer lifts nothing.
    pub fn deleted_there(
        &mut self,
        prepared: &Prepared,
        denial: &Denial,
        now: Now,
    ) -> Result<HandshakeFault> {
        let key = prepared.responder_key;
        let transcript = handshake::deleted_here_transcript(&prepared.proof, key).bytes();
        let proved = self.life()?.issue(prepared.proof.issue).is_some_and(|i| {
            let role = Context::HandshakeResponder;
            handshake::check(role, &transcript, i, &key, &denial.proof, &denial.signature)
        });
        if !proved {
            return Ok(HandshakeFault::Signature);
        }
        self.lift_deletion(key.hash(), now)?;
        // It signed our own challenge: it is there.
        self.note_alive(key.hash(), now)?;
        Ok(HandshakeFault::DeletedThere)
    }

    /// Only `peers add` lifts a local deletion. The peer is watched again.
    pub fn lift_deletion(&mut self, hash: KeyHash, now: Now) -> Result<()> {
        if self.active()?.view.hidden.contains_key(&hash) {
            self.store.write(|tx| tx.unhide(hash))?;
        }
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        life.view.hidden.remove(&hash);
        if life.register.member(hash).is_some() {
            life.liveness.watch(hash, Status::Suspect, None, now);
        }
        Ok(())
    }

    fn name_added(&mut self, hash: KeyHash, name: &Name) -> Result<()> {
        if name.is_none() {
            return Ok(());
        }
        self.store.write(|tx| tx.set_local_name(hash, name))?;
        if let Some(life) = &mut self.life {
            life.view.names.insert(hash, name.clone());
        }
        Ok(())
    }

    /// The initiator is called back: it signs that it is who it says.
    pub fn sign_call_back(&self, call: &CallBack, responder: &PublicKey) -> Result<CalledBack> {
        // An agent that has left meanwhile is nobody's new member.
        let life = self.active()?;
        let bytes = handshake::call_back_bytes(&call.hello_challenge, &call.nonce, responder);
        Ok(CalledBack {
            signature: life.key.sign(Context::CallBack, &bytes),
        })
    }

    /// Whether this is the initiator's signature over the responder's call-back.
    pub fn check_call_back(
        &self,
        call: &CallBack,
        initiator: &PublicKey,
        answer: &CalledBack,
    ) -> bool {
        let Some(life) = &self.life else { return false };
        let bytes =
            handshake::call_back_bytes(&call.hello_challenge, &call.nonce, &life.key.public());
        initiator.verify(Context::CallBack, &bytes, &answer.signature)
    }

    /// The responder says that this agent has departed; its word is an announcement that proves
    /// itself.
    pub fn told_ended(&mut self, announcement: crate::domain::Signed, now: Now) {
        let own = self.life.as_ref().map(Life::hash);
        if let Err(e) = self.take_items(vec![announcement], own, Reads::OwnEnd, now) {
            log::error!("an announcement could not be stored: {e}");
        }
    }

    /// Both license ids, for the error.
    pub fn license_mismatch(&self, theirs: String) -> HandshakeFault {
        let ours = self
            .life
            .as_ref()
            .map_or_else(String::new, |l| l.license().terms.license_id.to_string());
        HandshakeFault::LicenseMismatch { ours, theirs }
    }
}

impl Life {
    fn known(&self, hash: KeyHash) -> Known {
        match self.register.member(hash) {
            Some(record) if !self.view.hidden.contains_key(&hash) => {
                Known::Member(record.fields.address.clone())
            }
            _ => Known::No,
        }
    }

    fn member_list(&self) -> Bytes {
        let hashes = self.register.members().flat_map(|(hash, _)| hash.0);
        // The message is bounded; a register near its capacity is over every limit anyway.
        Bytes(hashes.take(peer::MAX_MESSAGE / 4 / 10 * 10).collect())
    }
}

pub(super) fn exceeds(count: usize, limit: u32) -> bool {
    count > usize::try_from(limit).unwrap_or(usize::MAX)
}

//! Taking claims: admission, the merge rule, one transaction, and telling others what changed.

use super::Node;
use super::touch::is_forgotten;
use crate::core::admission;
use crate::core::gossip::{AUTHOR_FANOUT, relay_fanout};
use crate::core::liveness::Status;
use crate::core::register::{Change, EntryKey, Item, Register};
use crate::core::schedule::Now;
use crate::domain::peer::PeerFields;
use crate::domain::signed::{MAX_RECORD, MAX_TAGS};
use crate::domain::{
    Announcement, IssueKey, KeyHash, Name, PeerId, PeerRecord, Result, Signed, SignedKind,
};

/// Which claims of a message are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    All,
    /// Announcements, whoever relays them: an agent that has left takes nothing else.
    Ends,
    /// The sender's own deactivation. Whoever is no member of the view says nothing of others.
    OwnEnd,
}

impl Reads {
    fn takes(self, signed: &Signed, from: Option<KeyHash>) -> bool {
        let end = signed.kind == SignedKind::Announcement;
        match self {
            Reads::All => true,
            Reads::Ends => end,
            // An announcement is signed by its subject.
            Reads::OwnEnd => end && from == Some(signed.key.hash()),
        }
    }
}

/// What became of the claims of one message.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Subjects of the announcements that are final here now.
    pub ended: Vec<PeerId>,
}

/// Claims that passed admission, against a copy of the register that already holds the earlier ones.
#[derive(Default)]
struct Staged {
    work: Option<Register>,
    changes: Vec<Change>,
    /// The highest incarnation under which somebody showed us a record of our own that is not ours.
    overtaken: Option<PeerFields>,
    ends_us: Option<Announcement>,
    ended: Vec<PeerId>,
}

impl Node {
    /// Takes what a member (or an author's own handshake) sent.
    pub(super) fn take_items(
        &mut self,
        items: Vec<Signed>,
        from: Option<KeyHash>,
        reads: Reads,
        now: Now,
    ) -> Result<Taken> {
        let mut staged = Staged::default();
        for signed in items {
            if reads.takes(&signed, from) {
                self.stage(signed, &mut staged, now);
            }
        }
        let members = self.life()?.register.member_count();
        let fanout = match from {
            Some(_) => relay_fanout(members),
            None => AUTHOR_FANOUT,
        };
        let ended = std::mem::take(&mut staged.ended);
        let (overtaken, ends_us) = (staged.overtaken.take(), staged.ends_us.take());
        self.commit_changes(staged.changes, staged.work, now, fanout, from)?;
        if let Some(announcement) = ends_us {
            self.be_ended(announcement, now)?;
        } else if let Some(overtaken) = overtaken {
            self.overtake(overtaken, now)?;
        }
        Ok(Taken { ended })
    }

    fn stage(&mut self, signed: Signed, staged: &mut Staged, now: Now) {
        let Some(item) = self.open_claim(signed, staged, now) else {
            return;
        };
        if self.concerns_us(&item, staged) {
            return;
        }
        let Some(life) = &mut self.life else { return };
        let register = staged.work.as_ref().unwrap_or(&life.register);
        if is_forgotten(register, &item, now) {
            return;
        }
        if admission::room_for(register, &item, &life.license().terms).is_err() {
            log::debug!("no room for one more identity; nobody is displaced");
            return;
        }
        if let Item::Announcement(a) = &item {
            staged.ended.push(a.fields.subject);
        }
        let item = life.pace.join(item);
        let Some(change) = register.consider(&item) else {
            return;
        };
        if !life.pace.may_change(register, &item, now.mono_ms) {
            return life.pace.wait(item);
        }
        staged
            .work
            .get_or_insert_with(|| life.register.clone())
            .apply(&change);
        staged.changes.push(change);
    }

    /// A claim whose signer is heard, whose signature is good, and that is of this cluster; none for
    /// one that is stored as it is.
    fn open_claim(&mut self, mut signed: Signed, staged: &mut Staged, now: Now) -> Option<Item> {
        let life = self.life.as_ref()?;
        let register = staged.work.as_ref().unwrap_or(&life.register);
        signed.tags.truncate(MAX_TAGS);
        let too_long = signed.payload.0.len() > MAX_RECORD;
        // The license tag, a MAC, is checked before the signature.
        if too_long || admission::heard(register, &signed, life.admitting(now)).is_err() {
            self.counters.messages_refused += 1;
            return None;
        }
        if let Some(known) = unchanged(register, &signed, &life.issues) {
            staged.ended.extend(known);
            return None;
        }
        signed.add_tags(&life.issues);
        let item = Item::open(signed).ok().filter(|item| life.is_meant(item));
        self.counters.messages_refused += u64::from(item.is_none());
        item
    }

    /// Claims about this agent itself are not merged: it answers them.
    fn concerns_us(&self, item: &Item, staged: &mut Staged) -> bool {
        let Some(life) = &self.life else { return true };
        match item {
            Item::Peer(record) if record.fields.id.hash() == life.hash() => {
                let ours = life.register.member(life.hash());
                let newer = |ours: &PeerRecord| {
                    ours.signed.payload != record.signed.payload
                        && record.fields.incarnation >= ours.fields.incarnation
                };
                if ours.is_some_and(newer) {
                    let shown = staged.overtaken.as_ref().map(|f| f.incarnation);
                    if shown.is_none_or(|highest| record.fields.incarnation > highest) {
                        staged.overtaken = Some(record.fields.clone());
                    }
                }
                true
            }
            Item::Announcement(a) if a.subject() == life.hash() && !life.deactivated => {
                staged.ended.push(a.fields.subject);
                staged.ends_us = Some(a.clone());
                true
            }
            _ => false,
        }
    }

    /// Writes changes in one transaction, believes them, and passes them on.
    pub(super) fn commit_changes(
        &mut self,
        changes: Vec<Change>,
        work: Option<Register>,
        now: Now,
        fanout: usize,
        from: Option<KeyHash>,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let life = self
            .life
            .as_mut()
            .ok_or(crate::domain::Error::NotBootstrapped)?;
        self.store.write(|tx| {
            for change in &changes {
                let name = life.last_name(change);
                tx.put(change, &name, now.wall)?;
                match change {
                    Change::Put(Item::Peer(r)) => {
                        if let Some((hash, name)) = life.first_suggestion(&r.fields) {
                            tx.set_local_name(hash, name)?;
                        }
                    }
                    // Reported gone: it owes no acknowledgement.
                    Change::Put(Item::Announcement(a)) => tx.take_outbox(a.subject())?,
                    _ => {}
                }
            }
            Ok(())
        })?;
        for change in &changes {
            life.believe(change, now);
        }
        match work {
            Some(staged) => life.register = staged,
            None => changes.iter().for_each(|c| life.register.apply(c)),
        }
        self.publish();
        self.counters.records_merged += changes.len() as u64;
        for change in changes {
            if let Change::Put(item) = change {
                self.spread(item.key(), fanout, from, now);
            }
        }
        Ok(())
    }

    /// Tells up to `fanout` members, chosen at random, of an entry.
    pub(super) fn spread(&mut self, key: EntryKey, fanout: usize, from: Option<KeyHash>, now: Now) {
        let Some(life) = &self.life else { return };
        if life.deactivated {
            return;
        }
        let subject = match key {
            EntryKey::Peer(hash) => Some(hash),
            EntryKey::Ended(_) | EntryKey::Service(_) => None,
        };
        let mut targets = life.partners();
        // Whoever does not answer has it from the exchange after its next answer; a letter to it would
        // keep a courier waiting.
        targets.retain(|t| Some(*t) != from && Some(*t) != subject && life.liveness.hears(*t));
        for _ in 0..fanout.min(targets.len()) {
            let target = targets.swap_remove(self.pick(targets.len()));
            if let Some(life) = &mut self.life {
                life.gossip.tell(target, key, now);
            }
        }
    }

    /// Somebody holds a record under our key that we do not: from a database that was lost or
    /// restored, or from a clone that is alive. We take its incarnation plus one; and when it was
    /// another start, we ask at its address who answers there.
    fn overtake(&mut self, other: PeerFields, now: Now) -> Result<()> {
        let own = self.life()?.address.clone();
        // A database that was lost took the settled address along, and no handshake may follow: a
        // record without one would make everybody forget where this agent is.
        let address = own.or_else(|| other.address.clone());
        // Asked even if the address is our own: a cloned disk holds the settled address of the
        // original, so that the clone finds the original there, and the original only itself.
        if other.start != self.start {
            self.look_for_double(other.address, now);
        }
        self.renew_record(other.incarnation.saturating_add(1), address, now)
    }

    /// The final word on this agent itself.
    fn be_ended(&mut self, announcement: Announcement, now: Now) -> Result<()> {
        let life = self
            .life
            .as_mut()
            .ok_or(crate::domain::Error::NotBootstrapped)?;
        let change = Change::Put(Item::Announcement(announcement));
        self.store.write(|tx| {
            tx.set_deactivated()?;
            tx.put(&change, &life.name, now.wall)
        })?;
        log::warn!("this agent was removed from its cluster for good");
        life.register.apply(&change);
        life.deactivate();
        self.publish();
        Ok(())
    }
}

/// An item that is stored byte for byte with a tag of each issue that we hold: nothing to verify.
/// Gives the subject if it is an announcement.
fn unchanged(register: &Register, signed: &Signed, issues: &[IssueKey]) -> Option<Option<PeerId>> {
    let hash = signed.key.hash();
    let (stored, ended) = match signed.kind {
        SignedKind::Peer => (register.get(EntryKey::Peer(hash))?, None),
        SignedKind::Announcement => {
            let subject = register.id_of(hash);
            (register.get(EntryKey::Ended(hash))?, subject)
        }
        // Its id is inside the bytes, which are not to be read before they are verified.
        SignedKind::Service => return None,
    };
    let same =
        stored.signed().payload == signed.payload && stored.signed().signature == signed.signature;
    let tagged = |issue: &IssueKey| stored.signed().tags.iter().any(|t| t.issue == issue.id());
    (same && issues.iter().all(tagged)).then_some(ended)
}

impl super::Life {
    /// Whether a claim is of this cluster: a key may once have left another.
    fn is_meant(&self, item: &Item) -> bool {
        match item {
            Item::Announcement(a) => a.fields.license_id == self.license().terms.license_id,
            Item::Peer(_) | Item::Service(_) => true,
        }
    }

    /// The last name of whoever a change ends.
    fn last_name(&self, change: &Change) -> Name {
        match change {
            Change::Put(Item::Announcement(a)) => self.name_of(a.subject()),
            _ => Name::none(),
        }
    }

    /// The name that a new member brings along becomes its name here. A name that it has on this
    /// agent already is never replaced by a later suggestion.
    fn first_suggestion<'a>(&self, fields: &'a PeerFields) -> Option<(KeyHash, &'a Name)> {
        let hash = fields.id.hash();
        let known = hash == self.hash() || self.register.member(hash).is_some();
        let wanted = !known && !fields.name.is_none() && !self.view.names.contains_key(&hash);
        wanted.then_some((hash, &fields.name))
    }

    /// What follows from a committed change for observations and for the view. The register itself
    /// still is what it was before.
    fn believe(&mut self, change: &Change, now: Now) {
        let Change::Put(item) = change else { return };
        match item {
            Item::Peer(record) => {
                let hash = record.fields.id.hash();
                if self.register.member(hash).is_none() {
                    self.view.created.insert(hash, now.wall);
                }
                if let Some((hash, name)) = self.first_suggestion(&record.fields) {
                    self.view.names.insert(hash, name.clone());
                }
                if hash != self.hash() && !self.view.hidden.contains_key(&hash) {
                    self.liveness.watch(hash, Status::Suspect, None, now);
                    self.liveness.hurry(hash, now);
                }
            }
            Item::Announcement(a) => {
                let name = self.name_of(a.subject());
                self.view.departed.insert(a.subject(), name);
                self.drop_traces(a.subject());
            }
            Item::Service(_) => {}
        }
    }

    /// What this agent kept of a peer beside the register.
    fn drop_traces(&mut self, hash: KeyHash) {
        self.liveness.forget(hash);
        self.gossip.forget(hash);
        self.view.hidden.remove(&hash);
        self.view.names.remove(&hash);
        self.view.created.remove(&hash);
        self.introduced.remove(&hash);
        self.refused_by.remove(&hash);
        self.numbers.remove(&hash);
        self.parted.remove(&hash);
        self.reserved.release(hash);
        self.outbox.remove(&hash);
    }
}

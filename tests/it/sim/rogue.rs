//! Whoever should not get in: a stranger on the wire that replays and alters what it heard, an agent
//! of another license that tries to join, and a member that relays what it made up.

use super::rng::Rng;
use super::world::{Checked, Path, World};
use arctic::domain::announcement::AnnouncementFields;
use arctic::domain::keys::Context;
use arctic::domain::peer::PeerFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{Announcement, IssueKey, PeerRecord, SecretKey, Signature, Signed};
use arctic::wire::peer::{self, Body, Frame, Handshake, Hello, Message, VERSION};
use std::collections::VecDeque;

/// What a wiretap has heard lately.
pub struct Tap {
    heard: VecDeque<Vec<u8>>,
    kept: usize,
    per_mille: u64,
}

impl Default for Tap {
    fn default() -> Tap {
        Tap {
            heard: VecDeque::new(),
            kept: 64,
            per_mille: 50,
        }
    }
}

impl Tap {
    /// A tap that misses nothing.
    pub fn all() -> Tap {
        Tap {
            kept: 4096,
            per_mille: 1000,
            ..Tap::default()
        }
    }

    pub fn hear(&mut self, bytes: &[u8], rng: &mut Rng) {
        if !rng.chance(self.per_mille) {
            return;
        }
        if self.heard.len() == self.kept {
            self.heard.pop_front();
        }
        self.heard.push_back(bytes.to_vec());
    }

    pub fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.heard).into()
    }

    fn any(&self, rng: &mut Rng) -> Option<Vec<u8>> {
        match self.heard.len() {
            0 => None,
            n => Some(self.heard[rng.below(n)].clone()),
        }
    }

    /// A record that went over the wire, with the tags that it had.
    fn record(&self, rng: &mut Rng) -> Option<Signed> {
        let frame: Frame = peer::read(&self.any(rng)?).ok()?;
        frame.record
    }
}

/// One attempt.
pub fn act(world: &mut World) -> Checked {
    let rogue = world.members;
    let victim = world.rng.below(world.members);
    if rogue >= world.hosts.len() {
        return Ok(());
    }
    let mut path = Path::Message;
    let body = match world.rng.below(9) {
        0 => world.tap.any(&mut world.rng),
        1 | 2 => altered(world),
        3 => introduced_as_another(world),
        4 => stranger(world, victim),
        5 => malicious_member(world, victim),
        6 => {
            path = Path::Handshake;
            Some(hello(world))
        }
        7 => {
            path = Path::Handshake;
            altered(world)
        }
        _ => return join(world, rogue, victim),
    };
    if let Some(body) = body {
        world.send(rogue, victim, path, body.into(), None);
    }
    Ok(())
}

/// The other license's agent adds, or is added.
fn join(world: &mut World, rogue: usize, victim: usize) -> Checked {
    match world.rng.chance(500) {
        true => world.add(rogue, victim),
        false => world.add(victim, rogue),
    }
}

/// A few bytes changed: anywhere, or only where the text stays base64.
fn altered(world: &mut World) -> Option<Vec<u8>> {
    let mut bytes = world.tap.any(&mut world.rng)?;
    alter(&mut bytes, &mut world.rng);
    Some(bytes)
}

pub fn alter(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.between(1, 3) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.below(bytes.len());
        match rng.below(5) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = b"ABCDEFabcdef0123456789+/=\"{}[],:"[rng.below(32)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.next() as u8),
            _ => {
                let (a, b) = (rng.below(bytes.len()), rng.below(bytes.len()));
                bytes.swap(a, b);
            }
        }
    }
}

/// A member's frame with another's record, or a frame of our own with a member's record.
fn introduced_as_another(world: &mut World) -> Option<Vec<u8>> {
    let mut frame: Frame = peer::read(&world.tap.any(&mut world.rng)?).ok()?;
    frame.record = world.tap.record(&mut world.rng);
    if world.rng.chance(500) {
        frame.key = SecretKey::from_seed(&world.rng.seed32()).public();
    }
    Some(peer::to_bytes(&frame))
}

/// Our own frame and record, with tags that claim to be of the cluster's issue.
fn stranger(world: &mut World, victim: usize) -> Option<Vec<u8>> {
    let key = SecretKey::from_seed(&world.rng.seed32());
    let record = forged_record(world, &key);
    let items = vec![record.clone()];
    Some(frame(world, &key, victim, items, Some(record)))
}

/// A record of an identity that nobody licensed: the tags are invented, or another record's.
fn forged_record(world: &mut World, key: &SecretKey) -> Signed {
    let rogue = &world.hosts[world.members];
    let (own, address) = (IssueKey::of(&rogue.license), rogue.address());
    let fields = PeerFields {
        v: VERSION,
        id: arctic::domain::PeerId::derive(&key.public(), 1),
        key: key.public(),
        address: Some(address),
        name: arctic::domain::Name::none(),
        incarnation: 1 << 40,
        start: 1,
        version: arctic::domain::Version::own(),
    };
    let mut signed = PeerRecord::seal(fields, key, &[own]).signed;
    let genuine = IssueKey::of(&world.hosts[0].license).id();
    match world.tap.record(&mut world.rng) {
        Some(other) if world.rng.chance(500) => signed.tags = other.tags,
        _ => signed.tags.iter_mut().for_each(|t| t.issue = genuine),
    }
    signed
}

/// A member whose key was stolen sends what others never signed.
fn malicious_member(world: &mut World, victim: usize) -> Option<Vec<u8>> {
    let liar = world.rng.below(world.members);
    if liar == victim || world.hosts[liar].departed {
        return None;
    }
    let stranger = SecretKey::from_seed(&world.rng.seed32());
    let mut items = vec![forged_record(world, &stranger)];
    if let Some(record) = world.tap.record(&mut world.rng) {
        items.push(raised(record, &mut world.rng));
    }
    let key = world.hosts[liar].key.clone();
    items.push(false_end(world, victim, &key));
    Some(frame(world, &key, victim, items, None))
}

/// Another's record, its incarnation raised or its signature bent.
fn raised(mut record: Signed, rng: &mut Rng) -> Signed {
    match rng.below(3) {
        0 => {
            let text = String::from_utf8_lossy(&record.payload.0);
            let text = text.replacen("\"incarnation\":", "\"incarnation\":9", 1);
            record.payload = Bytes(text.into_bytes());
        }
        1 => rng.fill(&mut record.signature.0),
        _ => alter(&mut record.payload.0, rng),
    }
    record
}

/// A deactivation of a third host that the liar signs, with tags that verify: it holds the license.
fn false_end(world: &mut World, victim: usize, liar: &SecretKey) -> Signed {
    let others = world.hosts[..world.members].iter();
    let mut others = others.filter(|h| h.key.public() != liar.public());
    let subject = others
        .nth(victim % (world.members - 1))
        .expect("there are others");
    let fields = AnnouncementFields {
        v: VERSION,
        subject: subject.id,
        subject_key: subject.key.public(),
        license_id: subject.license.terms.license_id,
        incarnation: 1,
    };
    let issue = IssueKey::of(&subject.license);
    let mut signed = Announcement::seal(fields, liar, &[issue]).signed;
    if world.rng.chance(500) {
        signed.key = subject.key.public();
    }
    signed
}

/// What this key says to one host; now and then the signature is none.
fn frame(
    world: &mut World,
    key: &SecretKey,
    victim: usize,
    items: Vec<Signed>,
    record: Option<Signed>,
) -> Vec<u8> {
    let mut frame = said(world, key, victim, items);
    frame.record = record;
    if world.rng.chance(100) {
        frame.signature = Signature([0; 64]);
    }
    // The rogue's own license is another one; most hold this one, so that the door's first check is not
    // all that keeps them out.
    if world.rng.chance(200) {
        frame.macs.clear();
    }
    peer::to_bytes(&frame)
}

/// What this key says to one host, well signed.
pub fn said(world: &mut World, key: &SecretKey, victim: usize, items: Vec<Signed>) -> Frame {
    // Inside of the window whatever the real one counts to: a stolen key costs it some messages, not all.
    let number = world.rng.between(1, 900);
    numbered(world, key, victim, items, number)
}

/// The same under this number.
pub fn numbered(
    world: &mut World,
    key: &SecretKey,
    victim: usize,
    items: Vec<Signed>,
    number: u64,
) -> Frame {
    let known = world.hosts.iter().find(|h| h.key.public() == key.public());
    let from = known.map_or_else(
        || arctic::domain::PeerId::derive(&key.public(), 1),
        |host| host.id,
    );
    // As a member that the victim knows would say it, if it is one.
    let node = world.hosts[victim].node.as_ref();
    let stored = node.and_then(|n| n.register()?.member(from.hash()));
    let start = stored.map(|record| record.fields.start);
    let message = Message {
        v: VERSION,
        from,
        to: world.hosts[victim].id,
        nonce: world.rng.seed32(),
        start: start.unwrap_or_else(|| world.rng.next() >> 11),
        number,
        hash: world.rng.seed32(),
        body: Body::Beat { items },
    };
    let issue = IssueKey::of(&world.hosts[0].license);
    Frame::seal(Context::Message, &message, key, &[issue])
}

/// A first message that claims the cluster's license.
fn hello(world: &mut World) -> Vec<u8> {
    let key = SecretKey::from_seed(&world.rng.seed32());
    let license = &world.hosts[0].license;
    let hello = Hello {
        v: VERSION,
        key: key.public(),
        license_id: license.terms.license_id.to_string(),
        issues: vec![IssueKey::of(license).id()],
        challenge: [7; 32],
    };
    peer::to_bytes(&Handshake::Hello(Box::new(hello)))
}

//! What one agent believes of another's messages and answers.

use crate::harness::*;
use arctic::core::register::EntryKey;
use arctic::domain::issue::LicenseTag;
use arctic::domain::keys::Context;
use arctic::domain::signed::{Bytes, MAX_TAGS};
use arctic::domain::{Address, IssueId, Signed};
use arctic::wire::peer::{Answer, Answered, Body, HandshakeAnswer, Standing};

/// Alice, a real agent, and carol, a puppet that is its member; erin holds the license and is unknown.
pub struct Pair {
    pub alice: Agent,
    pub to: Target,
    pub carol: Puppet,
    pub erin: Puppet,
    stage: Stage,
    lab: Lab,
}

impl Pair {
    #[track_caller]
    pub fn new() -> Pair {
        Pair::with(Lab::new(), |_, _| {})
    }

    /// Each of carol's answers brings erin's record along and is bent in this way.
    #[track_caller]
    fn with(lab: Lab, bend: impl Fn(&mut Answer, &Puppet) + Send + 'static) -> Pair {
        let license = lab.path("license.json");
        let booked = Stage::book();
        let carol = Puppet::at(&booked.address()).licensed(&license);
        let erin = Puppet::at("127.0.0.1:9").licensed(&license);
        let (own, other) = (carol.clone(), erin.clone());
        let stage = booked.play(move |heard| match heard.message() {
            Some(message) => {
                let mut answer = own.answer(&message);
                bend(&mut answer, &other);
                Line::of(&own.seal_answer(&answer))
            }
            None => own.honest(heard),
        });
        let alice = lab.member("alice");
        let to = Target::of(&alice);
        let (_, answer) = carol.join(&to.address);
        let welcome = matches!(answer, Some(HandshakeAnswer::Welcome(_)));
        assert!(welcome, "{answer:?}");
        Pair {
            alice,
            to,
            carol,
            erin,
            stage,
            lab,
        }
    }

    pub fn stranger(&self) -> Puppet {
        Puppet::at("127.0.0.1:9").licensed(&self.lab.path("license.json"))
    }

    /// Carol says this; the answer, which is a good one.
    #[track_caller]
    pub fn told(&self, items: Vec<Signed>) -> Answer {
        let (status, answer) = self.carol.tell(&self.to, Body::Beat { items });
        answer.unwrap_or_else(|| panic!("no answer: {status}"))
    }

    /// Whether alice lists this identity.
    #[track_caller]
    pub fn lists(&self, puppet: &Puppet) -> bool {
        self.alice.peer(&puppet.id.to_string()).is_some()
    }

    #[track_caller]
    fn status_of_carol(&self) -> String {
        let carol = self.alice.peer(&self.carol.id.to_string());
        let carol = carol.expect("carol is a member");
        carol["status"].as_str().expect("text").to_string()
    }
}

fn bring_erin(answer: &mut Answer, erin: &Puppet) {
    let items = vec![erin.record()];
    answer.body = Answered::Ack { items };
}

#[test]
fn an_answer_is_evidence_and_brings_news() {
    let pair = Pair::with(Lab::new(), bring_erin);
    wait_until("erin is known", SOON, || pair.lists(&pair.erin));
    wait_until("carol is alive", SOON, || pair.status_of_carol() == "alive");
}

/// Answers that are bent in this way are no evidence of life, and nothing in them is read.
fn such_answers_are_nothing(bend: impl Fn(&mut Answer, &Puppet) + Send + 'static) {
    let pair = Pair::with(Lab::new(), move |answer, erin| {
        bring_erin(answer, erin);
        bend(answer, erin);
    });
    let messages = || {
        let heard = pair.stage.heard();
        heard.iter().filter(|h| h.message().is_some()).count()
    };
    wait_until("carol has answered, and counts as silent", LATER, || {
        assert!(!pair.lists(&pair.erin), "the answer was read");
        messages() >= 3 && pair.status_of_carol() != "alive"
    });
}

#[test]
fn an_answer_over_another_nonce_is_nothing() {
    such_answers_are_nothing(|answer, _| answer.nonce = random());
}

#[test]
fn an_answer_to_another_agent_is_nothing() {
    such_answers_are_nothing(|answer, erin| answer.to = erin.id);
}

#[test]
fn an_answer_from_another_agent_is_nothing() {
    such_answers_are_nothing(|answer, erin| answer.from = erin.id);
}

#[test]
fn a_deleted_peer_still_announces_its_end_and_nothing_else() {
    let pair = Pair::new();
    let path = format!("/v1/peers/{}", pair.carol.id);
    pair.alice.call("DELETE", &path, None).is(200);
    let nodes_used = || pair.alice.get("/v1/license")["nodes_used"].clone();
    let gone = pair.stranger();
    let answer = pair.told(vec![pair.erin.record(), gone.deactivation()]);
    assert_eq!(answer.standing, Standing::DeletedHere);
    assert!(answer.ended.is_empty(), "another's end: {answer:?}");
    assert!(!pair.lists(&pair.erin), "another's record");
    assert_eq!(nodes_used(), 2, "hidden, not gone");
    let answer = pair.told(vec![pair.carol.deactivation()]);
    assert_eq!(answer.ended, [pair.carol.id], "not acknowledged");
    assert_eq!(nodes_used(), 1, "not taken");
    // From now on it is told what ended it.
    let answer = pair.told(Vec::new());
    assert_eq!(answer.standing, Standing::Ended);
}

/// The entry as alice gives it to whoever lacks it.
#[track_caller]
fn asked_for(pair: &Pair, puppet: &Puppet) -> Signed {
    let want = EntryKey::Peer(puppet.id.hash()).to_bytes();
    let delta = Body::Delta {
        items: Vec::new(),
        want: Bytes(want.to_vec()),
        more: false,
    };
    let (status, answer) = pair.carol.tell(&pair.to, delta);
    match answer.map(|a| a.body) {
        Some(Answered::Delta { mut items, .. }) if items.len() == 1 => items.remove(0),
        other => panic!("no delta: {status} {other:?}"),
    }
}

#[test]
fn no_record_gathers_more_than_four_tags() {
    let pair = Pair::new();
    let mut erin = pair.erin.clone();
    let own = &pair.erin.issues[0];
    for round in 1..5 {
        erin.incarnation += 1;
        let mut record = erin.record();
        // Whoever is known needs no tag, and may bring any.
        record.tags.truncate(if round == 1 { 1 } else { 0 });
        record.tags.extend((0..8).map(|n| LicenseTag {
            issue: IssueId([0, 0, 0, 0, 0, 0, round, n]),
            mac: [n; 32],
        }));
        let bytes = record.payload.clone();
        pair.told(vec![record]);
        let kept = asked_for(&pair, &erin);
        assert_eq!(kept.payload, bytes, "round {round}");
        assert!(kept.tags.len() <= MAX_TAGS && MAX_TAGS == 4, "{kept:?}");
        let genuine = |tag: &LicenseTag| {
            tag.issue == own.id() && own.check(Context::PeerRecord, &bytes.0, &tag.mac)
        };
        assert!(kept.tags.iter().any(genuine), "pushed out: {kept:?}");
    }
}

#[test]
fn a_full_register_refuses_and_displaces_nobody() {
    // Four times as many as the license allows.
    const ROOM: usize = 64;
    let pair = Pair::with(Lab::with_limits(16, 10), |_, _| {});
    let mut strangers: Vec<Puppet> = (0..ROOM + 6).map(|_| pair.stranger()).collect();
    for some in strangers.chunks(20) {
        pair.told(some.iter().map(Puppet::record).collect());
    }
    let mut known: Vec<bool> = vec![true; ROOM - 2];
    known.resize(strangers.len(), false);
    let listed = || -> Vec<bool> {
        let peers = pair.alice.peers();
        let has = |p: &Puppet| peers.iter().any(|l| l["id"] == p.id.to_string().as_str());
        strangers.iter().map(has).collect()
    };
    assert_eq!(
        listed(),
        known,
        "the first have a place, the last have none"
    );
    assert_eq!(pair.alice.get("/v1/license")["nodes_used"], ROOM);
    assert!(pair.lists(&pair.carol), "displaced");
    // Who is in is heard as before.
    strangers[0].incarnation += 1;
    strangers[0].address = Address::parse("127.0.0.1:10").expect("an address");
    pair.told(vec![strangers[0].record()]);
    let moved = pair.alice.peer(&strangers[0].id.to_string());
    assert_eq!(moved.expect("a member")["address"], "127.0.0.1:10");
}

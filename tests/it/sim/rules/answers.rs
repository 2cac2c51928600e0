//! What an answer to one's own message proves: only a signed one, with the license, over the nonce.

use crate::story::cluster;
use crate::world::World;
use arctic::core::schedule::Now;
use arctic::domain::keys::Context;
use arctic::domain::{IssueKey, PeerRecord};
use arctic::node::{Call, CallFault};
use arctic::wire::peer::{self, Answer, Answered, Frame, Message, Refusal, Standing, VERSION};

const ALICE: usize = 0;
const BOB: usize = 1;

/// Alice, who has not heard of bob for long enough to call him unreachable, and asks him again.
struct Asking {
    world: World,
    now: Now,
    call: Call,
    message: Message,
}

impl Asking {
    fn new() -> Asking {
        let mut world = cluster(32, 2, 0);
        world.crash(BOB);
        let mut asking = Asking {
            now: world.hosts[ALICE].now(world.now_ms),
            call: Call {
                id: 0,
                to: world.hosts[BOB].address(),
                body: Vec::new(),
                timeout_ms: 0,
                near: false,
            },
            message: Message {
                v: 0,
                from: world.hosts[BOB].id,
                to: world.hosts[BOB].id,
                nonce: [0; 32],
                start: 0,
                number: 0,
                hash: [0; 32],
                body: peer::Body::Beat { items: Vec::new() },
            },
            world,
        };
        while asking.status() != "unreachable" {
            asking.ask();
            asking.completed(Err(CallFault::Refused));
        }
        asking.ask();
        asking
    }

    /// Until alice's next call.
    fn ask(&mut self) {
        for _ in 0..100 {
            let node = self.world.hosts[ALICE].node.as_mut().unwrap();
            self.now.mono_ms = node.next_deadline(self.now).max(self.now.mono_ms + 1);
            node.tick(self.now).unwrap();
            if let Some(call) = node.take_calls().pop() {
                let frame: Frame = peer::read(&call.body).unwrap();
                self.message = peer::read(&frame.payload.0).unwrap();
                self.call = call;
                return;
            }
        }
        panic!("alice asks nobody");
    }

    fn completed(&mut self, outcome: Result<(u16, Vec<u8>), CallFault>) {
        let node = self.world.hosts[ALICE].node.as_mut().unwrap();
        node.completed(self.call.id, outcome, self.now).unwrap();
    }

    fn status(&self) -> String {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.peer(self.world.hosts[BOB].id).unwrap().status
    }

    fn refused_by(&self) -> Vec<String> {
        let node = self.world.hosts[ALICE].node.as_ref().unwrap();
        node.status(self.now).unwrap().refused_by
    }

    /// What bob would answer.
    fn answer(&self, body: Answered) -> Answer {
        Answer {
            v: VERSION,
            from: self.world.hosts[BOB].id,
            to: self.message.from,
            nonce: self.message.nonce,
            start: 5,
            hash: self.message.hash,
            standing: Standing::Member,
            ended: Vec::new(),
            body,
        }
    }

    fn seal(&self, answer: &Answer) -> Frame {
        let bob = &self.world.hosts[BOB];
        Frame::seal(
            Context::Answer,
            answer,
            &bob.key,
            &[IssueKey::of(&bob.license)],
        )
    }

    fn hears(&mut self, frame: &Frame) {
        self.completed(Ok((200, peer::to_bytes(frame))));
    }
}

fn ack() -> Answered {
    Answered::Ack { items: Vec::new() }
}

/// The status that alice shows after this answer.
fn after(answer: impl FnOnce(&mut Asking) -> Frame) -> String {
    let mut asking = Asking::new();
    let frame = answer(&mut asking);
    asking.hears(&frame);
    asking.status()
}

#[test]
fn an_answer_counts_with_license_and_signature_over_the_nonce() {
    assert_eq!(after(|a| a.seal(&a.answer(ack()))), "alive");
    let changed = |change: fn(&mut Frame)| {
        after(|a| {
            let mut frame = a.seal(&a.answer(ack()));
            change(&mut frame);
            frame
        })
    };
    assert_eq!(changed(|f| f.macs.clear()), "unreachable");
    assert_eq!(changed(|f| f.macs[0].mac[0] ^= 1), "unreachable");
    assert_eq!(changed(|f| f.signature.0[0] ^= 1), "unreachable");
    let said = |change: fn(&mut Answer)| {
        after(|a| {
            let mut answer = a.answer(ack());
            change(&mut answer);
            a.seal(&answer)
        })
    };
    assert_eq!(said(|a| a.nonce[0] ^= 1), "unreachable");
    assert_eq!(said(|a| a.to = a.from), "unreachable");
    assert_eq!(said(|a| a.from = a.to), "unreachable");
    assert_eq!(said(|a| a.v += 1), "unreachable");
    let as_message = after(|a| {
        let bob = &a.world.hosts[BOB];
        let issue = IssueKey::of(&bob.license);
        Frame::seal(Context::Message, &a.answer(ack()), &bob.key, &[issue])
    });
    assert_eq!(as_message, "unreachable");
    // Whoever is asked answers, and no other holder of the license in its place.
    let by_another = after(|a| {
        let alice = &a.world.hosts[ALICE];
        let mut answer = a.answer(ack());
        answer.from = alice.id;
        let issue = IssueKey::of(&alice.license);
        Frame::seal(Context::Answer, &answer, &alice.key, &[issue])
    });
    assert_eq!(by_another, "unreachable");
}

#[test]
fn that_nothing_was_read_is_an_answer_too() {
    for body in [Answered::Repeated, Answered::Unsupported] {
        assert_eq!(after(|a| a.seal(&a.answer(body))), "alive");
    }
}

#[test]
fn whoever_is_told_that_its_start_is_not_known_shows_its_record_again() {
    let mut asking = Asking::new();
    asking.hears(&asking.seal(&asking.answer(ack())));
    asking.ask();
    let beside = |asking: &Asking| {
        let frame: Frame = peer::read(&asking.call.body).unwrap();
        frame.record
    };
    assert_eq!(beside(&asking), None);
    let node = asking.world.hosts[ALICE].node.as_ref().unwrap();
    let own = asking.world.hosts[ALICE].hash();
    let record = node.register().unwrap().member(own).unwrap().signed.clone();
    let stored = Box::new(record.clone());
    let frame = asking.seal(&asking.answer(Answered::UnknownStart { stored }));
    asking.hears(&frame);
    assert_eq!(asking.status(), "alive");
    asking.ask();
    assert_eq!(beside(&asking), Some(record));
}

/// An agent restored from an old backup: others hold a record of it that it does not know.
#[test]
fn whoever_is_shown_a_later_record_of_its_own_takes_it_over() {
    let mut asking = Asking::new();
    let alice = &asking.world.hosts[ALICE];
    let node = alice.node.as_ref().unwrap();
    let mut fields = node
        .register()
        .unwrap()
        .member(alice.hash())
        .unwrap()
        .fields
        .clone();
    fields.incarnation += 40;
    fields.start += 1;
    let wanted = fields.incarnation + 1;
    let later = PeerRecord::seal(fields, &alice.key, &[IssueKey::of(&alice.license)]);
    let stored = Box::new(later.signed);
    let frame = asking.seal(&asking.answer(Answered::UnknownStart { stored }));
    asking.hears(&frame);
    let alice = &asking.world.hosts[ALICE];
    let register = alice.node.as_ref().unwrap().register().unwrap();
    assert_eq!(
        register.member(alice.hash()).unwrap().fields.incarnation,
        wanted
    );
}

#[test]
fn whoever_shuts_us_out_is_suspect_and_listed_until_it_answers() {
    let mut asking = Asking::new();
    let bob = asking.world.hosts[BOB].id.to_string();
    let refusal = |code: &str| {
        peer::to_bytes(&Refusal {
            error: "no".into(),
            code: code.into(),
        })
    };
    asking.completed(Ok((403, refusal("FORBIDDEN"))));
    assert_eq!(
        (asking.status(), asking.refused_by()),
        ("unreachable".into(), vec![])
    );
    asking.ask();
    asking.completed(Ok((200, refusal("LICENSE_MISMATCH"))));
    assert_eq!(asking.status(), "unreachable");
    for _ in 0..10 {
        asking.ask();
        asking.completed(Ok((403, refusal("LICENSE_MISMATCH"))));
        assert_eq!(asking.status(), "suspect", "neither alive nor silent");
        assert_eq!(asking.refused_by(), [bob.as_str()]);
    }
    asking.ask();
    asking.hears(&asking.seal(&asking.answer(ack())));
    assert_eq!(
        (asking.status(), asking.refused_by()),
        ("alive".into(), vec![])
    );
}

/// What somebody else at one's own address asks of another agent too often is refused to both.
#[test]
fn an_answer_that_there_is_too_much_to_do_is_no_silence() {
    for status in [429, 503] {
        let mut asking = Asking::new();
        let ack = asking.seal(&asking.answer(ack()));
        asking.hears(&ack);
        assert_eq!(asking.status(), "alive");
        for _ in 0..10 {
            asking.ask();
            asking.completed(Ok((status, b"{}".to_vec())));
            assert_eq!(asking.status(), "suspect", "{status}");
        }
        // It proves nobody's life either, and what is wrong with it counts as before.
        for _ in 0..4 {
            asking.ask();
            asking.completed(Ok((500, Vec::new())));
        }
        assert_eq!(asking.status(), "unreachable", "{status}");
        asking.ask();
        asking.completed(Ok((status, Vec::new())));
        assert_eq!(asking.status(), "suspect", "{status}");
        assert!(asking.refused_by().is_empty(), "{status}");
    }
}

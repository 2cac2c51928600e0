//! What goes over the wire: a call becomes a request, its answer or silence; HTTP as far as a node
//! can see it.

use super::host::{Direct, PORT};
use super::trace::digest;
use super::world::{Asked, Back, Checked, Event, Outcome, Path, World};
use arctic::core::settle::Ends;
use arctic::domain::{Address, address::Host as AddressHost};
use arctic::node::{CallFault, Inbound};
use arctic::wire::peer::{self, Handshake};
use std::rc::Rc;

impl World {
    pub(super) fn call(
        &mut self,
        from: usize,
        asked: Asked,
        to: &Address,
        path: Path,
        body: Vec<u8>,
        timeout_ms: u64,
    ) {
        self.messages += 1;
        let back = Back {
            host: from,
            epoch: self.hosts[from].epoch,
            asked,
        };
        self.open.insert(back);
        let outcome = Err(CallFault::Unanswered);
        self.push(self.now_ms + timeout_ms, Event::Reply { back, outcome });
        self.tap.hear(&body, &mut self.rng);
        if let Some(to) = self.resolve(to) {
            self.send(from, to, path, body.into(), Some(back));
        }
    }

    fn resolve(&self, address: &Address) -> Option<usize> {
        match address.host() {
            AddressHost::Ip(ip) if address.port() == PORT => self.by_ip.get(ip).copied(),
            _ => None,
        }
    }

    /// Puts a request on the wire, once or twice.
    pub fn send(&mut self, from: usize, to: usize, path: Path, body: Rc<[u8]>, back: Option<Back>) {
        let copies = 1 + usize::from(self.rng.chance(self.net.duplicates));
        for _ in 0..copies {
            let Some(at_ms) = self.net.carry(from, to, self.now_ms, &mut self.rng) else {
                self.trace.note(self.now_ms, "lost", from, to, 0);
                continue;
            };
            let event = Event::Request {
                from,
                to,
                path,
                body: body.clone(),
                back,
            };
            self.push(at_ms, event);
        }
    }

    pub(super) fn answer(&mut self, from: usize, to: usize, back: Back, outcome: Outcome) {
        match self.net.carry(from, to, self.now_ms, &mut self.rng) {
            Some(at_ms) => self.push(at_ms, Event::Reply { back, outcome }),
            None => self.trace.note(self.now_ms, "lost-reply", from, to, 0),
        }
    }

    pub(super) fn request(
        &mut self,
        from: usize,
        to: usize,
        path: Path,
        body: &[u8],
        back: Option<Back>,
    ) -> Checked {
        self.trace
            .note(self.now_ms, "request", from, to, digest(body));
        if !self.hosts[to].is_up() {
            if let (false, Some(back)) = (self.hosts[to].silent, back) {
                self.answer(to, from, back, Err(CallFault::Refused));
            }
            return Ok(());
        }
        match path {
            Path::Message => self.message(from, to, body, back),
            Path::Handshake => self.handshake(from, to, body, back),
        }
        self.settle(to)
    }

    fn message(&mut self, from: usize, to: usize, body: &[u8], back: Option<Back>) {
        let remote = self.hosts[from].ip;
        let now = self.hosts[to].now(self.now_ms);
        let Some(node) = &mut self.hosts[to].node else {
            return;
        };
        let answer = match node.receive(body, remote, now) {
            Ok(Inbound::Answer(bytes)) => (200, bytes),
            Ok(Inbound::Stranger(refusal)) => (403, peer::to_bytes(&refusal)),
            Ok(Inbound::TooMany) => (429, Vec::new()),
            Err(e) => (400, e.to_string().into_bytes()),
        };
        if let Some(back) = back {
            self.tap.hear(&answer.1, &mut self.rng);
            self.answer(to, from, back, Ok(answer));
        }
    }

    fn handshake(&mut self, from: usize, to: usize, body: &[u8], back: Option<Back>) {
        let remote = self.hosts[from].ip;
        let now = self.hosts[to].now(self.now_ms);
        let Ok(message) = peer::read::<Handshake>(body) else {
            if let Some(back) = back {
                self.answer(to, from, back, Ok((400, Vec::new())));
            }
            return;
        };
        let slot = self.next;
        self.next += 1;
        if let Some(back) = back {
            self.slots.insert(slot, (from, back));
        }
        let host = &mut self.hosts[to];
        if let Some(node) = &mut host.node {
            let mut port = Direct(node, now);
            let ends = Ends {
                remote,
                local: host.ip,
            };
            host.joins.inbound(slot, ends, message, &mut port, now);
        }
    }

    pub(super) fn reply(&mut self, back: Back, outcome: Outcome) -> Checked {
        if !self.open.remove(&back) || self.hosts[back.host].epoch != back.epoch {
            return Ok(());
        }
        let what = match &outcome {
            Ok((_, body)) => digest(body),
            Err(_) => 0,
        };
        self.trace.note(self.now_ms, "reply", back.host, 0, what);
        let host = &mut self.hosts[back.host];
        let (ip, now) = (host.ip, host.now(self.now_ms));
        let Some(node) = &mut host.node else {
            return Ok(());
        };
        match back.asked {
            Asked::Gossip(id) => node
                .completed(id, outcome, now)
                .map_err(|e| format!("completed: {e}"))?,
            Asked::Join(machine) => {
                let outcome = outcome
                    .map(|(status, body)| (status, body, Some(ip)))
                    .map_err(|fault| (fault, String::new()));
                host.joins
                    .completed(machine, outcome, &mut Direct(node, now), now);
            }
        }
        self.settle(back.host)
    }
}

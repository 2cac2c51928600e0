//! One connection: read a request, have it answered, write the answer, again.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::answer::{Shape, print};
use super::book::{Guest, Phase};
use super::chunks::Chunks;
use super::head::{Framing, Head, Refusal, Scan};
use super::intake::{Accounts, Intake};
use super::limits::Limits;
use super::peer::{Fault, PIECE, Peer, deadline};
use super::throttle::{Throttle, escaped};
use super::{Call, Handler, Reply};
use crate::domain::Error;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What every connection of a server uses.
pub(super) struct Service {
    pub(super) limits: Limits,
    pub(super) accounts: Accounts,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) panics: Throttle,
}

/// Serves a connection until it ends.
pub(super) fn serve(guest: &Guest, service: &Service) {
    let Ok(local) = guest.stream.local_addr() else {
        return; // The client has reset the connection already.
    };
    let mut connection = Connection {
        guest,
        service,
        local: local.ip().to_canonical(),
        peer: Peer::new(guest, &service.limits),
        intake: Intake::new(&service.accounts),
        shape: Shape::default(),
    };
    connection.run();
}

struct Connection<'a> {
    guest: &'a Guest,
    service: &'a Service,
    local: IpAddr,
    peer: Peer<'a>,
    /// Of the body that is being read or answered.
    intake: Intake<'a>,
    /// Of the answer to the request that is being read or answered.
    shape: Shape,
}

impl<'a> Connection<'a> {
    fn run(&mut self) {
        while self.peer.await_request().is_ok() {
            self.shape = Shape::default();
            let sent = match self.read_call() {
                Ok(call) => self.answer(call),
                Err(fault) => self.refuse(fault),
            };
            if sent.is_err() {
                return;
            }
            if self.shape.last {
                return self.peer.linger();
            }
        }
    }

    fn read_call(&mut self) -> Result<Call, Fault> {
        let head = self.read_head()?;
        self.shape = Shape {
            bodiless: head.method == "HEAD",
            last: !head.keeps,
            old: head.minor == 0,
        };
        let method = match head.method.as_str() {
            "HEAD" => "GET".into(),
            _ => head.method.clone(),
        };
        let limit = self.service.handler.body_limit(&method, &head.path);
        let body = self.read_body(&head, limit)?;
        Ok(Call {
            method,
            path: head.path,
            query: head.query,
            headers: head.headers,
            body,
            remote: self.guest.remote,
            local: self.local,
        })
    }

    fn read_head(&mut self) -> Result<Head, Fault> {
        let until = deadline(self.service.limits.head);
        let most = self.service.limits.head_bytes;
        self.skip_empty_line(until).map_err(|_| Fault::Gone)?;
        let mut scan = Scan::default();
        loop {
            let end = scan.end(&self.peer.buffer)?;
            if end.unwrap_or(self.peer.buffer.len()) > most {
                return Err(Refusal::from(Error::HeadersTooLarge).into());
            }
            if let Some(end) = end {
                let head = Head::parse(&self.peer.buffer[..end])?;
                self.peer.buffer.drain(..end);
                self.peer.buffer.shrink_to(PIECE);
                return Ok(head);
            }
            self.fill(until, "the request ends in its head")?;
        }
    }

    /// One empty line before a request is ignored (RFC 9112 section 2.2): old clients send it after
    /// a body. It is no request, so a client that sends nothing else gets no answer.
    fn skip_empty_line(&mut self, until: Instant) -> Result<(), Fault> {
        while self.peer.buffer == b"\r" {
            self.peer.fill(until)?;
        }
        if self.peer.buffer.starts_with(b"\r\n") {
            self.peer.buffer.drain(..2);
        }
        while self.peer.buffer.is_empty() {
            self.peer.fill(until)?;
        }
        Ok(())
    }

    fn read_body(&mut self, head: &Head, limit: usize) -> Result<Vec<u8>, Fault> {
        if let Framing::Length(length) = head.framing {
            if length > limit as u64 {
                return Err(Refusal::from(Error::PayloadTooLarge(limit)).into());
            }
        }
        let until = deadline(self.service.limits.body);
        let wants = head.framing != Framing::Length(0);
        if wants && head.expects && self.peer.buffer.is_empty() {
            self.peer.send(CONTINUE, until)?;
        }
        match head.framing {
            Framing::Length(length) => self.read_length(head, length as usize, until),
            Framing::Chunked => self.read_chunks(head, limit, until),
        }
    }

    /// Memory grows with what arrives, never with what was announced.
    fn read_length(
        &mut self,
        head: &Head,
        length: usize,
        until: Instant,
    ) -> Result<Vec<u8>, Fault> {
        let sender = self.sender(head);
        loop {
            let there = self.peer.buffer.len().min(length);
            self.intake
                .hold(&self.peer.buffer[..there], length, sender)?;
            if there == length {
                break;
            }
            self.fill(until, "the request ends in its body")?;
        }
        if length == 0 {
            return Ok(Vec::new());
        }
        let rest = self.peer.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.peer.buffer, rest))
    }

    fn read_chunks(&mut self, head: &Head, limit: usize, until: Instant) -> Result<Vec<u8>, Fault> {
        let mut chunks = Chunks::new(limit);
        let mut body = Vec::new();
        loop {
            let whole = chunks.take(&mut self.peer.buffer, &mut body)?;
            self.intake.hold(&body, body.len(), self.sender(head))?;
            if whole {
                return Ok(body);
            }
            self.fill(until, "the request ends in its body")?;
        }
    }

    /// Whom the handler is asked about.
    fn sender<'h>(&self, head: &'h Head) -> (&'a dyn Handler, &'h str, IpAddr) {
        (&*self.service.handler, &head.path, self.guest.remote)
    }

    /// A client that closes in the middle of its request may still read why that was no request.
    fn fill(&mut self, until: Instant, sentence: &str) -> Result<(), Fault> {
        self.peer.fill(until).map_err(|fault| match fault {
            Fault::Gone => Refusal::invalid(sentence).into(),
            other => other,
        })
    }

    fn answer(&mut self, call: Call) -> Result<(), Fault> {
        self.peer.enter(Phase::Working)?;
        let line = format!("{} {}", call.method, call.path);
        let handler = &self.service.handler;
        // The handler keeps its state in the store, whose transactions end with the panic.
        let reply = catch_unwind(AssertUnwindSafe(|| handler.answer(call))).unwrap_or_else(|why| {
            self.shape.last = true;
            let why = panic_text(why.as_ref());
            self.service
                .panics
                .warn(|| format!("{} panicked: {}", escaped(&line), escaped(why)));
            refusal_of(self.service, &Error::Internal(why.into()))
        });
        self.intake = Intake::new(&self.service.accounts);
        self.send(reply)
    }

    fn refuse(&mut self, fault: Fault) -> Result<(), Fault> {
        let refusal = match fault {
            Fault::Refused(refusal) => refusal,
            Fault::Late => Error::RequestTimeout.into(),
            Fault::Stopping => Error::Overloaded.into(),
            Fault::Gone => return Err(Fault::Gone),
        };
        log::debug!(
            "refused a request of {}: {}",
            self.guest.remote,
            refusal.error
        );
        self.shape.last = true;
        self.peer.buffer = Vec::new();
        self.intake = Intake::new(&self.service.accounts);
        let mut reply = refusal_of(self.service, &refusal.error);
        reply.status = refusal.status.unwrap_or(reply.status);
        self.send(reply)
    }

    fn send(&mut self, reply: Reply) -> Result<(), Fault> {
        self.shape.last |= self.guest.stopped().is_some();
        let bytes = print(reply, self.shape);
        self.peer.send(&bytes, deadline(self.service.limits.write))
    }
}

/// The handler's answer to what never reached it.
pub(super) fn refusal_of(service: &Service, error: &Error) -> Reply {
    let reply = catch_unwind(AssertUnwindSafe(|| service.handler.refuse(error)));
    reply.unwrap_or_else(|why| {
        let why = escaped(panic_text(why.as_ref()));
        service.panics.warn(|| format!("a refusal panicked: {why}"));
        Reply {
            status: 500,
            ..Reply::default()
        }
    })
}

fn panic_text(why: &(dyn std::any::Any + Send)) -> &str {
    why.downcast_ref::<&str>()
        .copied()
        .or_else(|| why.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

//! Couriers: threads that post one message each and bring back what became of it. A bounded pool;
//! threads come when there is work and go when there is none.

use super::threads;
use crate::domain::Address;
use crate::node::CallFault;
use crate::transport::client::{CallError, Client, Request};
use crate::transport::local;
use crate::wire::peer::{HANDSHAKE_PATH, MAX_MESSAGE, MAX_STRANGERS_MESSAGE};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Status, body, this end of the connection; or how it failed and, for people, why.
pub type Outcome = std::result::Result<(u16, Vec<u8>, Option<IpAddr>), (CallFault, String)>;
pub type Deliver = Box<dyn FnOnce(Outcome) + Send>;

/// Letters that wait for a courier, at most.
const QUEUE: usize = 64;
/// An idle courier goes home after this.
const IDLE: Duration = Duration::from_secs(5);

/// One message to be posted.
pub struct Letter {
    pub to: Address,
    pub path: &'static str,
    pub body: Vec<u8>,
    pub timeout_ms: u64,
    /// A name may lead to this host or its link.
    pub near: bool,
    pub deliver: Deliver,
}

#[derive(Clone)]
pub struct Couriers {
    name: &'static str,
    cap: usize,
    give: Sender<Letter>,
    take: Receiver<Letter>,
    /// Started and not yet gone.
    running: Arc<AtomicUsize>,
    /// Started and waiting for work.
    idle: Arc<AtomicUsize>,
    client: Arc<Client>,
    /// Each courier holds one end; when all are gone the other end says so.
    alive: Sender<()>,
}

/// Says when the last courier has gone.
pub struct Farewell(Receiver<()>);

impl Farewell {
    /// Waits for the couriers, for so long at most.
    pub fn wait(self, patience: Duration) {
        let _ = self.0.recv_timeout(patience);
    }
}

impl Couriers {
    pub fn new(name: &'static str, cap: usize, client: Arc<Client>) -> (Couriers, Farewell) {
        let (give, take) = bounded(QUEUE);
        let (alive, farewell) = bounded(0);
        let couriers = Couriers {
            name,
            cap,
            give,
            take,
            running: Arc::new(AtomicUsize::new(0)),
            idle: Arc::new(AtomicUsize::new(0)),
            client,
            alive,
        };
        (couriers, Farewell(farewell))
    }

    /// Hands a letter over; false when every courier is out and the queue is full.
    pub fn post(&self, letter: Letter) -> bool {
        let sent = !matches!(
            self.give.try_send(letter),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_))
        );
        let waiting = self.take.len();
        if waiting > self.idle.load(Ordering::SeqCst) {
            self.start_one();
        }
        sent
    }

    fn start_one(&self) {
        let number = self.running.fetch_add(1, Ordering::SeqCst);
        if number >= self.cap {
            self.running.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        let (take, client, alive) = (self.take.clone(), self.client.clone(), self.alive.clone());
        let (running, idle) = (self.running.clone(), self.idle.clone());
        let work = move || {
            let _alive = alive;
            let _running = Counted(running);
            serve(&take, &client, &idle);
        };
        if let Err(e) = threads::spawn(&format!("{}-{number}", self.name), work) {
            self.running.fetch_sub(1, Ordering::SeqCst);
            log::error!("no thread for a courier: {e}");
        }
    }
}

/// Counts a courier out, also when its work panics.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for letters; goes after a while without any, or when nobody can send more.
fn serve(take: &Receiver<Letter>, client: &Client, idle: &Arc<AtomicUsize>) {
    loop {
        idle.fetch_add(1, Ordering::SeqCst);
        let letter = {
            let _idle = Counted(idle.clone());
            take.recv_timeout(IDLE)
        };
        // Whoever posted while this courier was still counted idle started no other: look once more
        // after saying that it goes, or the letter would lie there until the next one.
        let Some(letter) = letter.ok().or_else(|| take.try_recv().ok()) else {
            return;
        };
        let outcome = carry(client, &letter);
        (letter.deliver)(outcome);
    }
}

/// Only a handshake settles addresses.
fn this_end(letter: &Letter) -> Option<IpAddr> {
    (letter.path == HANDSHAKE_PATH)
        .then(|| local::ip_towards(&letter.to))
        .flatten()
}

/// Whoever answers a handshake is a stranger.
fn longest_answer(path: &str) -> usize {
    match path {
        HANDSHAKE_PATH => MAX_STRANGERS_MESSAGE,
        _ => MAX_MESSAGE,
    }
}

fn carry(client: &Client, letter: &Letter) -> Outcome {
    let timeout = Duration::from_millis(letter.timeout_ms);
    let request = Request {
        method: "POST".into(),
        url_base: format!("http://{}", letter.to),
        path: letter.path.into(),
        query: String::new(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: Some(letter.body.clone()),
        connect_timeout: timeout.min(Duration::from_secs(2)),
        timeout,
        near: letter.near,
        max_answer: longest_answer(letter.path),
        // A repeated message changes nothing: merging is idempotent, and nonces are compared.
        retry_idempotent: true,
    };
    match client.call(&request) {
        Ok(answer) => Ok((answer.status, answer.body, this_end(letter))),
        Err(CallError::Refused) => Err((CallFault::Refused, String::new())),
        Err(CallError::NotSent(why)) => Err((CallFault::NotSent, why)),
        Err(CallError::Timeout) => Err((CallFault::Unanswered, String::new())),
        Err(CallError::Unreachable(why)) => Err((CallFault::Unanswered, why)),
        Err(CallError::TooLarge) => Err((CallFault::Unanswered, "the answer is too large".into())),
        Err(CallError::Broken(why)) => Err((CallFault::Unanswered, why)),
    }
}

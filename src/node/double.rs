//! Two live agents with one key: a disk that was cloned. A message proves nothing, since it may be an
//! old one that somebody plays again; an answer under our own key to our own nonce does.

use super::Node;
use super::calls::Purpose;
use crate::core::schedule::{Now, TokenBucket};
use crate::domain::{Address, Error, PeerRecord, Result, Signed};
use crate::wire::peer::{Answer, Body};
use std::net::IpAddr;

/// A known double is asked this often, and forgotten when it has not answered for so long.
const ASK_EVERY_MS: u64 = 20_000;
const FORGET_AFTER_MS: u64 = 60_000;
/// What others say of a double makes us ask so often a second, and so often at once.
const LOOKS_A_SECOND: u64 = 1;
const LOOKS_AT_ONCE: u64 = 4;

/// The other agent under our key.
pub(super) struct Double {
    address: Address,
    heard_at_ms: u64,
    ask_at_ms: u64,
}

pub(super) fn looks() -> TokenBucket {
    TokenBucket::new(LOOKS_AT_ONCE, LOOKS_A_SECOND)
}

impl Double {
    pub(super) fn deadline(&self) -> u64 {
        self.ask_at_ms.min(self.heard_at_ms + FORGET_AFTER_MS)
    }
}

impl Node {
    /// The address of the other agent under our key, if there is one.
    pub(super) fn double(&self) -> Option<&Address> {
        let life = self.life.as_ref()?;
        life.double.as_ref().map(|double| &double.address)
    }

    /// What only the one agent of this key may do is refused while there are two.
    pub(super) fn check_single(&self) -> Result<()> {
        match self.double() {
            Some(address) => Err(Error::DuplicateIdentity(address.to_string())),
            None => Ok(()),
        }
    }

    /// A message under our own key, of another start: of a double, or an old one of ours. We ask where it
    /// says it is, else where it came from.
    pub(super) fn met_ourselves(&mut self, record: Option<Signed>, from: IpAddr, now: Now) {
        let told = record.and_then(|signed| PeerRecord::open(signed).ok()?.fields.address);
        let own = self.life.as_ref().and_then(|life| life.address.clone());
        // The clone of a disk has the address of the original in its record.
        let told = told.filter(|address| Some(address) != own.as_ref());
        let port = self.config.listen.port();
        let address = told.or_else(|| Address::new(from, port).ok());
        self.look_for_double(address, now);
    }

    /// Asks at an address who answers there, unless that was asked too often already.
    pub(super) fn look_for_double(&mut self, address: Option<Address>, now: Now) {
        let Some(life) = &mut self.life else { return };
        let Some(address) = address.filter(|_| life.double.is_none()) else {
            return;
        };
        if life.looks.take(now.mono_ms) {
            self.ask_double(address, now);
        }
    }

    fn ask_double(&mut self, address: Address, now: Now) {
        let Some(life) = &self.life else { return };
        let (id, key) = (life.id, life.key.public());
        let body = Body::Beat { items: Vec::new() };
        self.post(id, key, address, body, Purpose::Double, now);
    }

    /// Somebody answered under our own key.
    pub(super) fn double_answered(&mut self, at: Address, answer: &Answer, now: Now) {
        let ours = answer.start == self.start;
        let Some(life) = self.life.as_mut().filter(|_| !ours) else {
            return;
        };
        if life.double.is_none() {
            log::error!(
                "another running agent at {at} uses this agent's key (a cloned disk?); stop one of the two, and on the copy run 'arctic agent reset --force', not 'arctic peers remove-self', which would end both"
            );
        }
        life.double = Some(Double {
            address: at,
            heard_at_ms: now.mono_ms,
            ask_at_ms: now.mono_ms + ASK_EVERY_MS,
        });
    }

    /// A known double is asked again, and forgotten a minute after it was last heard.
    pub(super) fn mind_double(&mut self, now: Now) {
        let Some(life) = &mut self.life else { return };
        let Some(double) = &mut life.double else {
            return;
        };
        if double.heard_at_ms + FORGET_AFTER_MS <= now.mono_ms {
            log::info!("no other agent uses this agent's key any more");
            life.double = None;
        } else if double.ask_at_ms <= now.mono_ms {
            double.ask_at_ms = now.mono_ms + ASK_EVERY_MS;
            let address = double.address.clone();
            self.ask_double(address, now);
        }
    }
}

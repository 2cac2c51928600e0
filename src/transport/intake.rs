//! How much of a body is taken in: each connection may hold a little on its own account; for more the
//! handler says, by the beginning, how much this sender may send and on which account the rest stands.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::head::Refusal;
use super::limits::Limits;
use super::{Allowance, Handler};
use crate::domain::Error;

/// The accounts of one server: what bodies may hold together, beyond each connection's own.
pub(super) struct Accounts {
    own: usize,
    strangers: Account,
    known: Account,
}

/// Bytes that are free.
struct Account(AtomicUsize);

impl Accounts {
    pub(super) fn new(limits: &Limits) -> Accounts {
        let account = |bytes| Account(AtomicUsize::new(bytes));
        Accounts {
            own: limits.own_bytes,
            strangers: account(limits.stranger_bytes),
            known: account(limits.known_bytes),
        }
    }
}

/// What the body of one request holds. Dropping it gives everything back.
pub(super) struct Intake<'a> {
    accounts: &'a Accounts,
    allowance: Option<Allowance>,
    taken: usize,
}

impl<'a> Intake<'a> {
    pub(super) fn new(accounts: &'a Accounts) -> Intake<'a> {
        Intake {
            accounts,
            allowance: None,
            taken: 0,
        }
    }

    /// Takes in what is there of a body that is `announced` bytes long, or longer than that: 413 when
    /// this sender may not send so much, 503 when others hold what there is.
    pub(super) fn hold(
        &mut self,
        body: &[u8],
        announced: usize,
        ask: (&dyn Handler, &str, IpAddr),
    ) -> Result<(), Refusal> {
        let beyond = body.len().saturating_sub(self.accounts.own);
        if beyond == 0 {
            return Ok(());
        }
        let (handler, path, remote) = ask;
        let allowance = *self
            .allowance
            .get_or_insert_with(|| handler.allowance(path, remote, body));
        if announced.max(body.len()) > allowance.limit {
            return Err(Error::PayloadTooLarge(allowance.limit).into());
        }
        match self.account(allowance).take(beyond - self.taken) {
            true => self.taken = beyond,
            false => return Err(Error::Overloaded.into()),
        }
        Ok(())
    }

    fn account(&self, allowance: Allowance) -> &'a Account {
        match allowance.stranger {
            true => &self.accounts.strangers,
            false => &self.accounts.known,
        }
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        if let Some(allowance) = self.allowance {
            self.account(allowance).give(self.taken);
        }
    }
}

impl Account {
    fn take(&self, bytes: usize) -> bool {
        let less = |free: usize| free.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        taken.is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }
}

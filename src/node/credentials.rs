//! Credentials of the operator API: made and revoked here, checked by readers.

use super::Node;
use crate::core::schedule::Now;
use crate::domain::{ClientId, Error, Name, Result, Scope, Scopes};
use crate::wire::operator::NewCredential;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// More than any appliance needs; a bound all the same.
const MAX_CREDENTIALS: i64 = 1000;

/// A fresh id and secret. No `Debug`.
pub(super) struct Drawn {
    pub id: ClientId,
    secret: Zeroizing<String>,
}

impl Drawn {
    /// What is stored: the secret has 256 random bits, so a plain hash is enough.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    /// The only time that the secret is told.
    pub fn shown(&self, scopes: &Scopes, name: &Name, now: Now) -> NewCredential {
        NewCredential {
            client_id: self.id.to_string(),
            client_secret: self.secret.to_string(),
            scopes: scopes.iter().map(|s| s.to_string()).collect(),
            name: name.to_string(),
            created_at: now.wall,
        }
    }
}

impl Node {
    pub(super) fn draw_credential(&mut self, now: Now) -> Drawn {
        let time_ms = u64::try_from(now.wall.0).unwrap_or(0);
        let id = ClientId::from_parts(time_ms, self.random());
        let secret = Zeroizing::new(self.random::<32>());
        Drawn {
            id,
            secret: Zeroizing::new(format!("sec_{}", URL_SAFE_NO_PAD.encode(secret.as_slice()))),
        }
    }

    pub fn create_credential(
        &mut self,
        scopes: Scopes,
        name: Name,
        now: Now,
    ) -> Result<NewCredential> {
        self.writable(now)?;
        let drawn = self.draw_credential(now);
        self.store.write(|tx| {
            if tx.credential_count()? >= MAX_CREDENTIALS {
                return Err(Error::Invalid(format!(
                    "there are {MAX_CREDENTIALS} credentials; revoke some first"
                )));
            }
            tx.put_credential(drawn.id, &drawn.hash(), &name, &scopes, now.wall)
        })?;
        Ok(drawn.shown(&scopes, &name, now))
    }

    /// The rules are checked inside the transaction: nobody takes what they could not give, and one with
    /// the admin scope always remains.
    pub fn revoke_credential(
        &mut self,
        id: ClientId,
        current: ClientId,
        own: &Scopes,
    ) -> Result<()> {
        self.life()?;
        self.store.write(|tx| {
            let scopes = tx
                .credential_scopes(id)?
                .ok_or(Error::NotFound("credential"))?;
            if let Some(scope) = own.lacks(&scopes) {
                return Err(Error::Forbidden(scope.to_string()));
            }
            let admin = Scope::Admin.to_string();
            if scopes.iter().any(|s| s == Scope::Admin) && tx.others_with(&admin, id)? == 0 {
                return Err(Error::LastAdmin);
            }
            if id == current {
                return Err(Error::RevokeCurrent);
            }
            tx.delete_credential(id)
        })
    }

    /// When credentials were last exchanged for a token.
    pub fn note_use(&mut self, id: ClientId, now: Now) -> Result<()> {
        self.store.write(|tx| tx.set_used(id, now.wall))
    }
}

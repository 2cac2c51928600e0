//! `/v1/credentials`.

use super::{Request, body, reply};
use crate::domain::{ClientId, Error, Name, Result, Scope, Scopes};
use crate::transport::Reply;
use crate::wire::operator::{CreateCredential, Deleted};

pub fn list(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.credentials()?)
}

/// Nobody gives away what they do not have themselves.
pub fn create(request: &Request) -> Result<Reply> {
    let asked: CreateCredential = body::read(request.call)?;
    let own = &request.caller()?.scopes;
    let scopes = match &asked.scopes {
        Some(list) => parse(list)?,
        None => own.clone(),
    };
    if let Some(scope) = own.lacks(&scopes) {
        return Err(Error::Forbidden(scope.to_string()));
    }
    let name = Name::parse_optional(asked.name.as_deref().unwrap_or(""))?;
    reply::created(&request.backend.create_credential(scopes, name)?)
}

fn parse(list: &[String]) -> Result<Scopes> {
    let scopes: Vec<Scope> = list
        .iter()
        .map(|text| Scope::parse(text))
        .collect::<Result<_>>()?;
    if scopes.is_empty() {
        let why = "scopes is empty; leave it out for the caller's own";
        return Err(Error::Invalid(why.to_string()));
    }
    Ok(Scopes::of(&scopes))
}

pub fn revoke(request: &Request, id: ClientId) -> Result<Reply> {
    let current = request.caller()?.client;
    request.backend.revoke_credential(id, current)?;
    reply::ok(&Deleted { deleted: true })
}

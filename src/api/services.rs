//! `/v1/services`.

use super::{NewService, Request, body, reply};
use crate::domain::{Error, Name, PeerId, Result, ServiceId, Transport};
use crate::transport::Reply;
use crate::wire::operator::{CreateService, Deleted, UpdateService};

pub fn list(request: &Request, source: Option<PeerId>, target: Option<PeerId>) -> Result<Reply> {
    reply::ok(&request.backend.services(source, target)?)
}

pub fn get(request: &Request, id: ServiceId) -> Result<Reply> {
    reply::ok(&request.backend.service(id)?)
}

pub fn create(request: &Request) -> Result<Reply> {
    let new = parse(body::read(request.call)?)?;
    let source = new.source.unwrap_or(request.local()?.peer_id);
    // The hash is the identity; two ids of one peer may differ in their time.
    if source.hash() == new.target.hash() {
        let why = "source_peer_id and target_peer_id are the same peer";
        return Err(Error::Invalid(why.to_string()));
    }
    reply::created(&request.backend.create_service(new)?)
}

fn parse(asked: CreateService) -> Result<NewService> {
    let target = asked
        .target_peer_id
        .ok_or(Error::MissingField("target_peer_id"))?;
    let source = asked.source_peer_id.as_deref();
    Ok(NewService {
        source: source
            .map(|id| body::peer_id("source_peer_id", id))
            .transpose()?,
        target: body::peer_id("target_peer_id", &target)?,
        transport: Transport::parse(asked.transport_type.as_deref().unwrap_or("tcp"))?,
        name: Name::parse_optional(asked.name.as_deref().unwrap_or(""))?,
    })
}

pub fn update(request: &Request, id: ServiceId) -> Result<Reply> {
    body::only_mutable(request.call, &["name", "transport_type"])?;
    let asked: UpdateService = body::read(request.call)?;
    let name = asked
        .name
        .as_deref()
        .map(Name::parse_optional)
        .transpose()?;
    let transport = asked.transport_type.as_deref().map(Transport::parse);
    let transport = transport.transpose()?;
    if name.is_none() && transport.is_none() {
        let why = "nothing to change: give name, transport_type or both";
        return Err(Error::Invalid(why.to_string()));
    }
    reply::ok(&request.backend.update_service(id, name, transport)?)
}

pub fn delete(request: &Request, id: ServiceId) -> Result<Reply> {
    request.backend.delete_service(id)?;
    reply::ok(&Deleted { deleted: true })
}

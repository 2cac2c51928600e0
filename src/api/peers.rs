//! `/v1/peers`.

use super::{Request, body, reply};
use crate::domain::{Address, Error, Name, PeerId, Result};
use crate::transport::Reply;
use crate::wire::operator::{AddPeer, Deleted, UpdatePeer};

pub fn list(request: &Request, is_local: Option<bool>) -> Result<Reply> {
    let mut peers = request.backend.peers()?;
    peers.retain(|peer| is_local.is_none_or(|wanted| peer.is_local == wanted));
    reply::ok(&peers)
}

pub fn get(request: &Request, id: PeerId) -> Result<Reply> {
    reply::ok(&request.backend.peer(id)?)
}

pub fn add(request: &Request) -> Result<Reply> {
    let asked: AddPeer = body::read(request.call)?;
    let address = asked.address.ok_or(Error::MissingField("address"))?;
    let address = Address::parse(&address)?;
    let name = Name::parse_optional(asked.name.as_deref().unwrap_or(""))?;
    match request.backend.add_peer(address, name)? {
        (true, peer) => reply::created(&peer),
        (false, peer) => reply::ok(&peer),
    }
}

pub fn rename(request: &Request, id: PeerId) -> Result<Reply> {
    body::only_mutable(request.call, &["name"])?;
    let asked: UpdatePeer = body::read(request.call)?;
    let name = Name::parse(&asked.name.ok_or(Error::MissingField("name"))?)?;
    reply::ok(&request.backend.rename_peer(id, name)?)
}

pub fn delete(request: &Request, id: PeerId) -> Result<Reply> {
    request.backend.delete_peer(id)?;
    reply::ok(&Deleted { deleted: true })
}

pub fn remove_self(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.remove_self()?)
}

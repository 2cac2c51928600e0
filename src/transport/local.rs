//! Which of this machine's addresses faces another agent.

use crate::domain::Address;
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};

/// This end of a connection to that address, as the system would route it. Nothing is sent: connecting
/// a UDP socket only looks up the route.
pub fn ip_towards(to: &Address) -> Option<IpAddr> {
    let far = to.to_string().to_socket_addrs().ok()?.next()?;
    let any: IpAddr = match far {
        std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

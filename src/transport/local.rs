//! Which of this machine's addresses faces another agent.

use crate::domain::Address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// This end of a connection to that address, as the system would route it.
pub fn ip_towards(to: &Address) -> Option<IpAddr> {
    let far = to.to_string().to_socket_addrs().ok()?.next()?;
    end_towards(far)
}

/// None where there is no route. Nothing is sent: connecting a UDP socket only looks the route up.
pub(super) fn end_towards(far: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match far {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

//! Where an agent is reached that was not told its address: what a handshake settles, and that no
//! other word moves it afterwards.
//!
//! An address that others were told is theirs to rely on. It changes only where this end of a
//! connection shows that it changed, never because somebody says so.

use crate::domain::Address;
use crate::domain::address::Host;
use std::net::IpAddr;

/// Both ends of the connection that a message came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub remote: IpAddr,
    pub local: IpAddr,
}

/// What an agent knows of its own address.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    pub address: Option<&'a Address>,
    /// Another agent has met this one. Until then nobody holds its address, and what a handshake that
    /// failed has settled is settled again.
    pub met: bool,
    /// Where it listens.
    pub port: u16,
}

impl Own<'_> {
    /// The address that a responder has from now on, if that is another one.
    pub fn as_responder(&self, dialled: &Address, ends: Ends) -> Option<Address> {
        let far = !ends.remote.is_loopback();
        let here = self.at(ends.local).filter(|a| !(far && a.is_loopback()));
        let settled = match self.address {
            Some(own) if far && own.is_loopback() => here,
            // Nothing shows which port was dialled, so it is not the caller's to say.
            Some(own) if self.met => {
                let shown = *dialled.host() == Host::Ip(ends.local.to_canonical());
                let moved = shown && dialled.host() != own.host() && !hides(own, dialled);
                here.filter(|_| moved)
            }
            Some(own) if hides(own, dialled) => None,
            _ if far && dialled.is_loopback() => here,
            _ => Some(dialled.clone()),
        };
        settled.filter(|a| self.address != Some(a))
    }

    /// The address that an initiator has from now on, if that is another one: its end of the connection.
    pub fn as_initiator(&self, local: IpAddr) -> Option<Address> {
        let here = self.at(local)?;
        let settled = match self.address {
            None => true,
            Some(own) if own.is_loopback() => !here.is_loopback(),
            Some(own) => !self.met && !hides(own, &here),
        };
        (settled && self.address != Some(&here)).then_some(here)
    }

    fn at(&self, local: IpAddr) -> Option<Address> {
        Address::new(local, self.port).ok()
    }
}

/// Whether everybody lives on this host, by this agent's own address: then loopback is an address like
/// any other.
pub fn is_near(own: Option<&Address>) -> bool {
    own.is_some_and(Address::is_loopback)
}

/// The same with whoever came over this connection, also before there is an own address.
pub fn is_near_to(own: Option<&Address>, ends: Ends) -> bool {
    ends.remote.is_loopback() && own.is_none_or(Address::is_loopback)
}

/// Whether an address that somebody told is dialled: from another host what is local there would lead to
/// a service of this host or of its link that speaks to nobody else.
pub fn may_dial(near: bool, told: &Address) -> bool {
    near || !told.is_local()
}

/// Nobody on another host could use it any more.
fn hides(own: &Address, new: &Address) -> bool {
    new.is_loopback() && !own.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_responder_s_address() {
        // Its own and whether others have met it; what was dialled, from where, to which end; its own
        // from now on.
        for (own, met, dialled, remote, local, then) in [
            (
                "",
                false,
                "n.example:7",
                "10.0.0.2",
                "10.0.0.1",
                "n.example:7",
            ),
            (
                "",
                true,
                "192.0.2.1:7",
                "10.0.0.2",
                "10.0.0.1",
                "192.0.2.1:7",
            ),
            (
                "",
                false,
                "127.0.0.1:7",
                "10.0.0.2",
                "10.0.0.1",
                "10.0.0.1:8080",
            ),
            (
                "",
                false,
                "127.0.0.1:7",
                "127.0.0.1",
                "127.0.0.1",
                "127.0.0.1:7",
            ),
            (
                "10.9.9.9:8080",
                false,
                "10.0.0.1:7",
                "10.0.0.2",
                "10.0.0.1",
                "10.0.0.1:7",
            ),
            ("10.9.9.9:8080", false, "localhost:7", "::1", "::1", ""),
            (
                "10.9.9.9:8080",
                true,
                "192.0.2.1:8080",
                "10.0.0.2",
                "10.0.0.1",
                "",
            ),
            (
                "10.9.9.9:8080",
                true,
                "10.0.0.1:7",
                "10.0.0.2",
                "10.0.0.1",
                "10.0.0.1:8080",
            ),
            ("10.9.9.9:8080", true, "[::1]:8080", "::1", "::1", ""),
            (
                "10.0.0.1:80",
                true,
                "10.0.0.1:8080",
                "10.0.0.2",
                "10.0.0.1",
                "",
            ),
            (
                "10.0.0.1:80",
                true,
                "10.0.0.1:80",
                "10.0.0.2",
                "10.0.0.1",
                "",
            ),
            (
                "127.0.0.1:8080",
                true,
                "192.0.2.1:7",
                "10.0.0.2",
                "10.0.0.1",
                "10.0.0.1:8080",
            ),
            (
                "127.0.0.1:8080",
                true,
                "127.0.0.1:7",
                "127.0.0.1",
                "127.0.0.1",
                "",
            ),
            (
                "127.0.0.1:8080",
                true,
                "127.0.0.2:8080",
                "127.0.0.1",
                "127.0.0.2",
                "127.0.0.2:8080",
            ),
            (
                "127.0.0.1:8080",
                false,
                "127.0.0.1:8080",
                "127.0.0.1",
                "127.0.0.1",
                "",
            ),
        ] {
            let address = (!own.is_empty()).then(|| at(own));
            let own_word = Own {
                address: address.as_ref(),
                met,
                port: 8080,
            };
            let ends = Ends {
                remote: ip(remote),
                local: ip(local),
            };
            let settled = own_word.as_responder(&at(dialled), ends);
            let wanted = (!then.is_empty()).then(|| at(then));
            assert_eq!(
                settled, wanted,
                "{own:?} met {met}: {dialled} over {ends:?}"
            );
        }
    }

    #[test]
    fn an_initiator_s_address() {
        for (own, met, local, then) in [
            ("", false, "10.0.0.1", "10.0.0.1:8080"),
            ("", true, "127.0.0.1", "127.0.0.1:8080"),
            ("", false, "0.0.0.0", ""),
            ("10.9.9.9:8080", false, "10.0.0.1", "10.0.0.1:8080"),
            ("10.9.9.9:8080", false, "127.0.0.1", ""),
            ("10.9.9.9:8080", true, "10.0.0.1", ""),
            ("10.0.0.1:8080", false, "10.0.0.1", ""),
            ("127.0.0.1:8080", true, "10.0.0.1", "10.0.0.1:8080"),
            ("127.0.0.1:8080", true, "127.0.0.2", ""),
        ] {
            let address = (!own.is_empty()).then(|| at(own));
            let own_word = Own {
                address: address.as_ref(),
                met,
                port: 8080,
            };
            let wanted = (!then.is_empty()).then(|| at(then));
            assert_eq!(
                own_word.as_initiator(ip(local)),
                wanted,
                "{own:?} met {met}: {local}"
            );
        }
    }

    #[test]
    fn whom_loopback_means() {
        let ends = |remote: &str| Ends {
            remote: ip(remote),
            local: ip("10.0.0.1"),
        };
        for (own, near, near_to_near) in [
            ("", false, true),
            ("127.0.0.1:8080", true, true),
            ("10.0.0.1:8080", false, false),
        ] {
            let address = (!own.is_empty()).then(|| at(own));
            let own = address.as_ref();
            assert_eq!(is_near(own), near);
            assert_eq!(is_near_to(own, ends("127.0.0.1")), near_to_near);
            assert!(!is_near_to(own, ends("10.0.0.2")));
        }
        let [here, there] = ["127.0.0.1:1", "10.0.0.2:1"].map(at);
        let may = [may_dial(true, &here), may_dial(false, &there)];
        assert_eq!((may, may_dial(false, &here)), ([true, true], false));
    }
}

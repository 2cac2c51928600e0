//! Host to addresses on the calling thread. ureq's own resolver starts a thread for each request that
//! has a timeout, also for plain addresses.

use crate::domain::address::is_local;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// An attempt at more would only take its time from the first ones.
const MOST_ADDRESSES: usize = 4;
/// Of so many, those with a route are looked for.
const MOST_FOUND: usize = 16;

/// Reads addresses in line, and asks the system for names.
#[derive(Debug)]
pub(super) struct Inline;

impl Resolver for Inline {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(80);
        let found = match literal(host) {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => lookup_in_time(host, port, &timeout)?,
        };
        let mut resolved = self.empty();
        routed(elsewhere(host, found)?).for_each(|address| resolved.push(address));
        match resolved.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(resolved),
        }
    }
}

/// An IPv4 address, or an IPv6 address in its brackets.
fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match inner {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// The system's lookup has a patience of its own. What it takes is no silence of the host.
fn lookup_in_time(
    host: &str,
    port: u16,
    timeout: &NextTimeout,
) -> Result<Vec<SocketAddr>, ureq::Error> {
    let asked = Instant::now();
    let found = lookup(host, port)?;
    match asked.elapsed() > *timeout.after {
        true => fail(format!("looking up the name '{host}' took too long")),
        false => Ok(found),
    }
}

fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, ureq::Error> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.take(MOST_FOUND).collect()),
        Err(error) => {
            let text = error.to_string();
            let why = text.rsplit(": ").next().unwrap_or_default();
            fail(format!("the name '{host}' does not resolve: {why}"))
        }
    }
}

/// Those that do not lead back here, unless the call may.
fn elsewhere(host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ureq::Error> {
    let may = |a: &SocketAddr| super::client::near() || !is_local(a.ip());
    match found.is_empty() || found.iter().any(may) {
        true => Ok(found.into_iter().filter(may).collect()),
        false => fail(format!("'{host}' leads to this host or its link")),
    }
}

/// Those to which this host has a route, if there are any: that it cannot send to the other ones must
/// not be the last word on a host that does not answer.
fn routed(addresses: Vec<SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    let reached = |a: &SocketAddr| super::local::end_towards(*a).is_some();
    let alone = addresses.len() == 1;
    let (mut best, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|a| alone || reached(a));
    if best.is_empty() {
        best = others;
    }
    best.into_iter().take(MOST_ADDRESSES)
}

/// Why there is no address; the client says it on.
fn fail<T>(why: String) -> Result<T, ureq::Error> {
    Err(ureq::Error::Other(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_route_are_tried_only_where_there_are_no_others() {
        // Nothing is sent to a broadcast address without asking for it.
        let [none, near] = ["255.255.255.255:9", "127.0.0.1:9"].map(|a| a.parse().unwrap());
        let routed = |all| routed(all).collect::<Vec<SocketAddr>>();
        assert_eq!(routed(vec![none, near]), [near]);
        assert_eq!(routed(vec![none]), [none]);
        assert_eq!(routed(vec![none, none]), [none, none]);
        assert_eq!(routed(vec![near; 16]).len(), MOST_ADDRESSES);
    }

    #[test]
    fn literals_are_no_names() {
        for (host, address) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("::1")),
            ("::1", None),
            ("[127.0.0.1]", None),
            ("localhost", None),
            ("1.2.3", None),
            ("", None),
        ] {
            let wanted = address.map(|a| a.parse::<IpAddr>().unwrap());
            assert_eq!(literal(host), wanted, "{host}");
        }
    }
}

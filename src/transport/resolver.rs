//! Host to addresses on the calling thread. ureq's own resolver starts a thread for each request that
//! has a timeout, also for plain addresses.

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
        let mut found = self.empty();
        match literal(host) {
            Some(address) => found.push(SocketAddr::new(address, port)),
            None => {
                let asked = Instant::now();
                let addresses = lookup(host, port)?;
                addresses.into_iter().for_each(|a| found.push(a));
                // The system's lookup has a patience of its own. What it takes is no silence of the host.
                if asked.elapsed() > *timeout.after {
                    let why = format!("looking up the name '{host}' took too long");
                    return Err(ureq::Error::Other(why.into()));
                }
            }
        }
        match found.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(found),
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

fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, ureq::Error> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(routed(addresses.take(MOST_FOUND).collect())),
        Err(error) => {
            let text = error.to_string();
            let why = text.rsplit(": ").next().unwrap_or_default();
            Err(ureq::Error::Other(
                format!("the name '{host}' does not resolve: {why}").into(),
            ))
        }
    }
}

/// Those to which this host has a route, if there are any: that it cannot send to the other ones must
/// not be the last word on a host that does not answer.
fn routed(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let near = |a: &SocketAddr| super::local::end_towards(*a).is_some();
    let (mut best, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(near);
    if best.is_empty() {
        best = others;
    }
    best.truncate(MOST_ADDRESSES);
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_route_are_tried_only_where_there_are_no_others() {
        // Nothing is sent to a broadcast address without asking for it.
        let [none, near] = ["255.255.255.255:9", "127.0.0.1:9"].map(|a| a.parse().unwrap());
        assert_eq!(routed(vec![none, near]), [near]);
        assert_eq!(routed(vec![none]), [none]);
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

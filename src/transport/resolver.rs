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
                lookup(host, port)?.for_each(|address| found.push(address));
                // The system's lookup has a patience of its own.
                if asked.elapsed() > *timeout.after {
                    return Err(ureq::Error::Timeout(timeout.reason));
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

fn lookup(host: &str, port: u16) -> Result<impl Iterator<Item = SocketAddr>, ureq::Error> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.take(MOST_ADDRESSES)),
        Err(error) => {
            let text = error.to_string();
            let why = text.rsplit(": ").next().unwrap_or_default();
            Err(ureq::Error::Other(
                format!("the name '{host}' does not resolve: {why}").into(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! Where an agent is reached: `host:port`, without scheme, path or user.

use super::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host of an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Ip(IpAddr),
    /// A DNS name, in lower case.
    Dns(String),
}

/// `host:port`; an IPv6 host stands in brackets. The port is never 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: Host,
    port: u16,
}

impl Address {
    /// An address that other agents may be told: neither unspecified nor port 0.
    pub fn new(ip: IpAddr, port: u16) -> Result<Address> {
        Address::checked(Host::Ip(ip.to_canonical()), port)
    }

    /// Reads `host:port`. The error says which form is expected.
    pub fn parse(text: &str) -> Result<Address> {
        let (host, port) = split(text)?;
        let port = parse_port(port).ok_or_else(|| malformed("its port is not 1 to 65535"))?;
        Address::checked(host, port)
    }

    fn checked(host: Host, port: u16) -> Result<Address> {
        if port == 0 {
            return Err(malformed("its port is not 1 to 65535"));
        }
        if matches!(host, Host::Ip(ip) if ip.is_unspecified() || ip.is_multicast()) {
            return Err(malformed("nobody can be reached at that host"));
        }
        Ok(Address { host, port })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether every host means itself by it, or its own link: told to another host it leads astray.
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => is_local(*ip),
            Host::Dns(_) => self.is_loopback(),
        }
    }

    /// Whether the host is this machine itself, as seen from itself.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Dns(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

/// Loopback, link-local, multicast, broadcast or unspecified.
pub fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
                || ip.is_unspecified()
        }
    }
}

fn malformed(why: &str) -> Error {
    Error::Invalid(format!("address must be HOST:PORT: {why}"))
}

fn split(text: &str) -> Result<(Host, &str)> {
    if text.contains("://") {
        return Err(malformed("leave out the scheme"));
    }
    if text.contains('/') || text.contains('@') {
        return Err(malformed("leave out path and user"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest
            .split_once("]:")
            .ok_or_else(|| malformed("no port after ']'"))?;
        let ip: Ipv6Addr = ip
            .parse()
            .map_err(|_| malformed("not an IPv6 address in the brackets"))?;
        return Ok((Host::Ip(IpAddr::V6(ip).to_canonical()), port));
    }
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| malformed("no port given"))?;
    if host.contains(':') {
        return Err(malformed("an IPv6 host stands in brackets, [::1]:8080"));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok((Host::Ip(IpAddr::V4(ip)), port));
    }
    if !is_dns_name(host) {
        return Err(malformed("not a host name"));
    }
    Ok((Host::Dns(host.to_ascii_lowercase()), port))
}

/// Decimal digits only: `u16::from_str` alone would take a plus sign.
fn parse_port(text: &str) -> Option<u16> {
    if text.len() > 5 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port != 0)
}

/// RFC 1123 names, with underscores as they occur in practice. A name whose last label is all digits
/// would be a malformed IPv4 address.
fn is_dns_name(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let label_ok = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let numeric = |label: &&str| label.bytes().all(|b| b.is_ascii_digit());
    host.len() <= 253 && labels.iter().all(label_ok) && !labels.last().is_some_and(numeric)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Dns(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Address::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_back_to_the_reader() {
        for (text, local) in [
            ("127.0.0.1:1", true),
            ("127.255.0.1:1", true),
            ("localhost:1", true),
            ("a.localhost:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("169.254.169.254:1", true),
            ("[fe80::1]:1", true),
            ("255.255.255.255:1", true),
            ("10.0.0.1:1", false),
            ("128.0.0.1:1", false),
            ("[fd00::1]:1", false),
            ("[::2]:1", false),
            ("localhost.example:1", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_local(), local, "{text}");
        }
        for ip in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"] {
            assert!(is_local(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn forms() {
        for (text, shown) in [
            ("10.0.0.1:8080", "10.0.0.1:8080"),
            ("[::1]:1", "[::1]:1"),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
            ("Node-1.example.org:8080", "node-1.example.org:8080"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "a",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "http://a:1",
            "a:1/",
            "u@a:1",
            "::1:80",
            "[::1]",
            "[a]:1",
            "1.2.3:80",
            "256.1.1.1:80",
            "-a:1",
            "a..b:1",
            "a b:1",
            "0.0.0.0:80",
            "[::]:80",
            "a:1 ",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}

//! What a server may use, and how long a client may take. Every number of the server is here.

use std::time::Duration;

/// Below this many descriptors an agent could serve nobody beside itself.
const LEAST_DESCRIPTORS: u64 = 64;
/// Kept free for the database, the listener, outgoing calls and the standard streams.
const SPARE_DESCRIPTORS: u64 = 48;
/// Enough for what everybody but an agent with news sends: so it is never the others' fault when that is
/// refused.
const OWN_BYTES: usize = 8 * 1024;
/// The bodies of all strangers together, their own shares included.
const STRANGERS_BYTES: usize = 4 * 1024 * 1024;
/// A stranger can claim to be anybody, so the others are bounded as well: eight of the longest messages.
const KNOWN_BYTES: usize = 2 * 1024 * 1024;

/// The bounds of one server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections, and so threads and descriptors, at one time.
    pub connections: usize,
    /// Connections of one address (of one /64 in IPv6) at one time.
    pub per_address: usize,
    /// Bytes of a request's head, the empty line included.
    pub head_bytes: usize,
    /// Bytes of a body that each connection may hold on its own account.
    pub own_bytes: usize,
    /// Bytes beyond their own that the bodies of all strangers may hold together.
    pub stranger_bytes: usize,
    /// The same of everybody else.
    pub known_bytes: usize,
    /// How long a connection may stay open without a request.
    pub idle: Duration,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// For one answer to be taken by the client.
    pub write: Duration,
    /// How long a closed connection is still read, so that the last answer arrives.
    pub linger: Duration,
    /// The longest that a thread waits on a socket without looking at its deadline.
    pub tick: Duration,
    /// After this time without a connection a thread ends.
    pub park: Duration,
}

impl Limits {
    /// The limits for this many connections.
    pub fn for_connections(connections: usize) -> Limits {
        Limits {
            connections,
            per_address: (connections / 2).max(1),
            head_bytes: 16 * 1024,
            own_bytes: OWN_BYTES,
            stranger_bytes: STRANGERS_BYTES.saturating_sub(connections * OWN_BYTES),
            known_bytes: KNOWN_BYTES,
            idle: Duration::from_secs(15),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            write: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            tick: Duration::from_secs(1),
            park: Duration::from_secs(30),
        }
    }

    /// The limits for a process that may open this many descriptors (its soft limit), or a
    /// sentence that says why they are too few.
    pub fn from_descriptors(soft_limit: u64) -> Result<Limits, String> {
        if soft_limit < LEAST_DESCRIPTORS {
            return Err(format!(
                "the limit of open files is {soft_limit}, at least {LEAST_DESCRIPTORS} are needed: \
                 raise it with 'ulimit -n 1024' or 'LimitNOFILE=1024' in the unit"
            ));
        }
        let readers = Self::readers(soft_limit) as u64;
        let spare = SPARE_DESCRIPTORS + 2 * readers;
        let connections = soft_limit.saturating_sub(spare).clamp(8, 256);
        Ok(Self::for_connections(connections as usize))
    }

    /// How many read connections to the database fit beside these limits; each costs two descriptors.
    pub fn readers(soft_limit: u64) -> usize {
        (soft_limit / 16).min(8) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_descriptors() {
        for (descriptors, connections, readers) in [
            (64, 8, 4),
            (80, 22, 5),
            (128, 64, 8),
            (256, 192, 8),
            (1024, 256, 8),
            (u64::MAX, 256, 8),
        ] {
            let limits = Limits::from_descriptors(descriptors).unwrap();
            assert_eq!(limits.connections, connections, "{descriptors}");
            assert_eq!(limits.per_address, connections / 2, "{descriptors}");
            assert_eq!(Limits::readers(descriptors), readers, "{descriptors}");
        }
    }

    #[test]
    fn too_few_descriptors_are_said() {
        for few in [0, 1, 63] {
            let sentence = Limits::from_descriptors(few).unwrap_err();
            assert!(sentence.contains(&few.to_string()), "{sentence}");
        }
    }
}

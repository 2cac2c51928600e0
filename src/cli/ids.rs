//! From the word that a person types to the full id that goes into a path.
//!
//! Invariant: no word reaches a path unless it is a full id, or was found in the agent's own list. A
//! full id is never looked up first, so that one of a departed peer works.

use super::call::Agent;
use super::fail::{Exit, Fail, Outcome};
use crate::domain::{ClientId, Code, PeerId, ServiceId};
use crate::wire::operator::{Credential, Peer, Service};

/// How much a word must say: commands that change something take no beginnings of ids.
#[derive(Clone, Copy, PartialEq)]
pub enum For {
    Reading,
    Changing,
}

/// The shortest beginning of an id that stands for it.
const MIN_PREFIX: usize = 12;

/// An id and a name that it goes by.
struct Named {
    id: String,
    name: String,
}

pub fn peer(agent: &Agent, word: &str, purpose: For) -> Outcome<String> {
    if PeerId::parse(word).is_ok() {
        return Ok(word.to_string());
    }
    if word == "self" {
        return Err(no_peer().hint("for the agent itself: 'arctic peers remove-self'"));
    }
    choose("peer", word, purpose, peers(agent)?)
}

/// A peer as an end of services: also one that has departed, by the name that it last had.
pub fn peer_of_services(agent: &Agent, word: &str) -> Outcome<String> {
    if PeerId::parse(word).is_ok() {
        return Ok(word.to_string());
    }
    let mut known = ends(agent)?;
    match peers(agent) {
        Ok(peers) => known.extend(peers),
        // Services may be listed by those who may not list peers.
        Err(fail) if fail.code == Some(Code::Forbidden) => {}
        Err(fail) => return Err(fail),
    }
    choose("peer", word, For::Reading, known)
}

pub fn service(agent: &Agent, word: &str, purpose: For) -> Outcome<String> {
    if ServiceId::parse(word).is_ok() {
        return Ok(word.to_string());
    }
    let services = agent.get::<Vec<Service>>("/v1/services")?.value;
    let known = services.into_iter().map(|s| Named {
        id: s.id,
        name: s.name,
    });
    choose("service", word, purpose, known.collect())
}

pub fn credential(agent: &Agent, word: &str) -> Outcome<String> {
    if ClientId::parse(word).is_ok() {
        return Ok(word.to_string());
    }
    let credentials = agent.get::<Vec<Credential>>("/v1/credentials")?.value;
    let known = credentials.into_iter().map(|c| Named {
        id: c.client_id,
        name: c.name,
    });
    choose("credentials", word, For::Changing, known.collect())
}

fn peers(agent: &Agent) -> Outcome<Vec<Named>> {
    let peers = agent.get::<Vec<Peer>>("/v1/peers")?.value;
    let named = peers.into_iter().map(|p| Named {
        id: p.id,
        name: p.name,
    });
    Ok(named.collect())
}

fn ends(agent: &Agent) -> Outcome<Vec<Named>> {
    let services = agent.get::<Vec<Service>>("/v1/services")?.value;
    let bare = |name: String| name.trim_end_matches(" (departed)").to_string();
    let both = |s: Service| {
        let source = Named {
            id: s.source_peer_id,
            name: bare(s.source_name),
        };
        let target = Named {
            id: s.target_peer_id,
            name: bare(s.target_name),
        };
        [source, target]
    };
    Ok(services.into_iter().flat_map(both).collect())
}

fn choose(what: &str, word: &str, purpose: For, known: Vec<Named>) -> Outcome<String> {
    let matching = |is: &dyn Fn(&Named) -> bool| {
        let mut ids: Vec<&str> = known
            .iter()
            .filter(|n| is(n))
            .map(|n| n.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let by_name = matching(&|n| !n.name.is_empty() && n.name == word);
    let by_start = match purpose == For::Reading && word.len() >= MIN_PREFIX {
        true => matching(&|n| n.id.starts_with(word)),
        false => Vec::new(),
    };
    let found = if by_name.is_empty() {
        by_start
    } else {
        by_name
    };
    match found.as_slice() {
        [id] => Ok(id.to_string()),
        [] => Err(not_found(what)),
        several => Err(Fail::new(
            Exit::Failed,
            format!("'{word}' is not unique: {}", several.join(", ")),
        )
        .hint("use the full id")),
    }
}

fn no_peer() -> Fail {
    not_found("peer")
}

fn not_found(what: &str) -> Fail {
    let hint = match what {
        "peer" => "see 'arctic peers list'; with --all-contexts it asks every saved agent",
        "service" => "see 'arctic services list'",
        _ => "see 'arctic credentials list'",
    };
    Fail::answered(Code::NotFound.row(), format!("{what} not found")).hint(hint)
}

/// Gives the agent's own "not found" the hint of the kind of thing that was asked for.
pub fn with_hint<T>(what: &str, outcome: Outcome<T>) -> Outcome<T> {
    outcome.map_err(|fail| match fail.code {
        Some(Code::NotFound) => Fail {
            hint: not_found(what).hint,
            ..fail
        },
        _ => fail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Named> {
        let id = |low| PeerId::from_parts(1_700_000_000_000, [low; 10]).to_string();
        [("a", 1), ("b", 2), ("b", 3), ("", 4)]
            .map(|(name, low)| Named {
                id: id(low),
                name: name.into(),
            })
            .into()
    }

    #[test]
    fn names_and_beginnings() {
        let all = known();
        let full = all[0].id.clone();
        // Four ids of one time: only the hash tells them apart.
        let start = &full[..20];
        assert_eq!(choose("peer", "a", For::Changing, known()).unwrap(), full);
        assert_eq!(choose("peer", start, For::Reading, known()).unwrap(), full);
        let fail = choose("peer", start, For::Changing, known()).unwrap_err();
        assert_eq!(fail.sentence, "peer not found");
        assert!(
            choose("peer", &full[..12], For::Reading, known())
                .unwrap_err()
                .sentence
                .contains(&full)
        );
        assert!(choose("peer", &full[..11], For::Reading, known()).is_err());
        let both = choose("peer", "b", For::Reading, known())
            .unwrap_err()
            .sentence;
        assert!(both.contains(&all[1].id) && both.contains(&all[2].id));
        assert!(choose("peer", "", For::Reading, known()).is_err());
    }
}

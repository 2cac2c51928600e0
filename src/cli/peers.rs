//! `arctic peers`.

use super::args::{
    PeersAdd, PeersDelete, PeersGet, PeersList, PeersRemoveSelf, PeersUpdate, PeersWhat,
};
use super::call::{Agent, Reply, may_pass};
use super::fail::{Exit, Fail, Outcome};
use super::ids::{self, For};
use super::output::{self, Cell, Report, View};
use super::prompt;
use super::session::{Need, Session};
use crate::agent::os;
use crate::domain::{Address, Code, Error};
use crate::wire::operator::{AddPeer, Deactivated, Deleted, Peer, UpdatePeer};
use std::time::Duration;

/// Between two attempts of `peers add --wait`.
const RETRY: Duration = Duration::from_millis(250);

pub fn run(session: &Session, what: PeersWhat) -> Outcome<()> {
    match what {
        PeersWhat::List(args) => list(session, &args),
        PeersWhat::Get(args) => get(session, &args),
        PeersWhat::Add(args) => add(session, &args),
        PeersWhat::Update(args) => update(session, &args),
        PeersWhat::Delete(args) => delete(session, &args),
        PeersWhat::RemoveSelf(args) => remove_self(session, &args),
    }
}

fn list(session: &Session, args: &PeersList) -> Outcome<()> {
    let target = match (args.local, args.remote) {
        (true, true) => return Err(Fail::usage("--local and --remote exclude each other")),
        (true, false) => "/v1/peers?is_local=true",
        (false, true) => "/v1/peers?is_local=false",
        (false, false) => "/v1/peers",
    };
    session.show(Need::Yes, |agent| {
        let reply = agent.get::<Vec<Peer>>(target)?;
        Ok(Report {
            view: table(&reply.value),
            json: reply.json,
        })
    })
}

pub fn table(peers: &[Peer]) -> View {
    let row = |peer: &Peer| {
        vec![
            Cell::new(&peer.id),
            Cell::or_dash(&peer.name),
            Cell::or_dash(&peer.address),
            Cell::new(if peer.is_local { "true" } else { "false" }),
            Cell::status(&peer.status),
        ]
    };
    let head = ["ID", "NAME", "ADDRESS", "LOCAL", "STATUS"];
    View::table(&head, peers.iter().map(row).collect())
}

fn get(session: &Session, args: &PeersGet) -> Outcome<()> {
    session.show(Need::Yes, |agent| {
        let id = ids::peer(agent, &args.id, For::Reading)?;
        ids::with_hint("peer", agent.get(&format!("/v1/peers/{id}"))).map(one)
    })
}

fn one(reply: Reply<Peer>) -> Report {
    let peer = &reply.value;
    let last_seen = match peer.last_seen {
        Some(time) => time.for_people(),
        None if peer.is_local => "-".into(),
        None => "never".into(),
    };
    let mut fields = vec![
        ("ID", Cell::new(&peer.id)),
        ("Name", Cell::or_dash(&peer.name)),
        ("Public Key", Cell::new(&peer.public_key)),
        ("Is Local", Cell::yes_no(peer.is_local)),
        ("Address", Cell::or_dash(&peer.address)),
        ("Status", Cell::status(&peer.status)),
        ("Last Seen", Cell::new(last_seen)),
        ("Created At", Cell::new(peer.created_at.for_people())),
        ("Version", Cell::or_dash(&peer.version)),
    ];
    if !peer.description.is_empty() {
        fields.push(("Description", Cell::new(&peer.description)));
    }
    Report {
        view: View::Fields(fields),
        json: reply.json,
    }
}

fn add(session: &Session, args: &PeersAdd) -> Outcome<()> {
    let addresses = args
        .addresses
        .iter()
        .map(|text| Address::parse(text).map_err(|e| Fail::usage(e.to_string())))
        .collect::<Outcome<Vec<Address>>>()?;
    match (addresses.as_slice(), &args.name) {
        ([], _) => Err(Fail::usage("which address? 'arctic peers add HOST:PORT'")),
        ([address], _) => session.show_one(|agent| {
            let reply = add_one(agent, address, args)?;
            Ok(Report {
                view: View::line(added(&reply.value, address)),
                json: reply.json,
            })
        }),
        (_, Some(_)) => Err(Fail::usage("--name goes with one address only")),
        (several, None) => add_several(session, several, args),
    }
}

/// One attempt, or as many as fit into `--wait`.
fn add_one(agent: &Agent, address: &Address, args: &PeersAdd) -> Outcome<Reply<Peer>> {
    let body = output::json(&AddPeer {
        address: Some(address.to_string()),
        name: args.name.clone(),
    });
    let seconds = i64::try_from(args.wait).unwrap_or(i64::MAX);
    let until = os::now().0.saturating_add(seconds.saturating_mul(1000));
    loop {
        match agent.post::<Peer>("/v1/peers", &body) {
            Err(fail) if may_pass(&fail) && os::now().0 < until => std::thread::sleep(RETRY),
            outcome => return outcome.map_err(|fail| about(fail, address, agent)),
        }
    }
}

/// Puts the address into the hint, and the next command where the sentence has none.
fn about(fail: Fail, address: &Address, agent: &Agent) -> Fail {
    let not_yet = Error::Handshake(crate::domain::HandshakeFault::NotBootstrapped).to_string();
    if fail.sentence == not_yet {
        return fail.hint(format!(
            "'arctic bootstrap --url http://{address} --license-file license.json' with the license of {}",
            agent.called()
        ));
    }
    match &fail.hint {
        Some(hint) => {
            let hint = hint.replace("HOST:PORT", &address.to_string());
            fail.hint(hint)
        }
        None => fail,
    }
}

fn added(peer: &Peer, address: &Address) -> String {
    match peer.name.is_empty() {
        true => format!("Added peer {} at {address}", peer.id),
        false => format!("Added peer {} ({}) at {address}", peer.name, peer.id),
    }
}

fn add_several(session: &Session, addresses: &[Address], args: &PeersAdd) -> Outcome<()> {
    session.only_one()?;
    let agent = session.agent()?;
    let (mut fails, mut items, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for address in addresses {
        let name = output::json(address);
        match add_one(&agent, address, args) {
            Ok(reply) => {
                items.push(format!(
                    "{{\"address\":{name},\"ok\":true,\"result\":{}}}",
                    reply.json
                ));
                lines.push(added(&reply.value, address));
            }
            Err(fail) => {
                let error = output::json(&fail.sentence);
                items.push(format!(
                    "{{\"address\":{name},\"ok\":false,\"error\":{error}}}"
                ));
                output::show_failure(&Fail {
                    sentence: format!("{address}: {}", fail.sentence),
                    ..fail.clone()
                });
                fails.push(fail);
            }
        }
    }
    session.write(Report {
        json: format!("[{}]", items.join(",")),
        view: View::Lines(lines),
    })?;
    let Some(first) = fails.first() else {
        return Ok(());
    };
    let alike = fails.len() == addresses.len() && fails.iter().all(|f| f.exit == first.exit);
    Err(Fail::new(
        if alike { first.exit } else { Exit::Partly },
        format!(
            "{} of {} peers were not added",
            fails.len(),
            addresses.len()
        ),
    ))
}

fn update(session: &Session, args: &PeersUpdate) -> Outcome<()> {
    let body = output::json(&UpdatePeer {
        name: Some(args.name.clone()),
    });
    session.show(Need::Yes, |agent| {
        let id = ids::peer(agent, &args.id, For::Changing)?;
        ids::with_hint("peer", agent.put(&format!("/v1/peers/{id}"), &body)).map(one)
    })
}

fn delete(session: &Session, args: &PeersDelete) -> Outcome<()> {
    session.only_one()?;
    prompt::check_can_ask(session)?;
    let agent = session.agent()?;
    let id = ids::peer(&agent, &args.id, For::Changing)?;
    let peer = called(&args.id, &id);
    prompt::confirm(
        session,
        &format!(
            "Delete peer {peer} from the view of {}? It stays hidden there until 'peers add', and services with it turn inactive there.",
            agent.called()
        ),
    )?;
    let outcome = agent.delete::<Deleted>(&format!("/v1/peers/{id}"));
    let reply = ids::with_hint("peer", outcome)?;
    session.write(Report {
        view: View::line(format!(
            "Deleted peer {peer} from the view of {}",
            agent.called()
        )),
        json: reply.json,
    })
}

/// A thing as it was typed, with its id where that says more.
pub fn called(word: &str, id: &str) -> String {
    match word == id {
        true => id.to_string(),
        false => format!("{word} ({id})"),
    }
}

fn remove_self(session: &Session, args: &PeersRemoveSelf) -> Outcome<()> {
    session.only_one()?;
    prompt::check_can_ask(session)?;
    let agent = session.agent()?;
    prompt::confirm(
        session,
        &format!(
            "Remove {} from its cluster? Every member drops it for good; to come back it needs 'arctic agent reset'.",
            agent.called()
        ),
    )?;
    let target = match args.force {
        true => "/v1/peers/self?force=true",
        false => "/v1/peers/self",
    };
    let reply = agent.delete::<Deactivated>(target)?;
    let Deactivated {
        announced_to,
        pending,
        ..
    } = reply.value;
    let mut lines = vec![format!("Removed {} from its cluster", agent.called())];
    lines.push(format!("Announced To: {announced_to}"));
    lines.push(format!("Pending: {pending}"));
    if pending > 0 {
        output::note(
            "Keep the agent running until nothing is pending; it goes on telling the others.",
        );
    }
    session.write(Report {
        view: View::Lines(lines),
        json: reply.json,
    })
}

/// Whether a failure says that the peer is there already.
pub fn exists_already(fail: &Fail) -> bool {
    fail.code == Some(Code::AlreadyExists)
}

//! `arctic services`.

use super::args::{
    ServicesCreate, ServicesDelete, ServicesGet, ServicesList, ServicesUpdate, ServicesWhat,
};
use super::call::{Agent, Reply};
use super::fail::{Fail, Outcome};
use super::ids::{self, For};
use super::output::{self, Cell, Report, View};
use super::peers::called;
use super::prompt;
use super::session::{Need, Session};
use crate::domain::Transport;
use crate::wire::operator::{CreateService, Deleted, Service, UpdateService};

pub fn run(session: &Session, what: ServicesWhat) -> Outcome<()> {
    match what {
        ServicesWhat::List(args) => list(session, &args),
        ServicesWhat::Get(args) => get(session, &args),
        ServicesWhat::Create(args) => create(session, &args),
        ServicesWhat::Update(args) => update(session, &args),
        ServicesWhat::Delete(args) => delete(session, &args),
    }
}

fn list(session: &Session, args: &ServicesList) -> Outcome<()> {
    session.show(Need::Yes, |agent| list_of(agent, args))
}

fn list_of(agent: &Agent, args: &ServicesList) -> Outcome<Report> {
    let end = |word: &Option<String>| {
        let resolve = |word: &String| ids::peer_of_services(agent, word);
        word.as_ref().map(resolve).transpose()
    };
    let (source, target) = (end(&args.source_peer)?, end(&args.target_peer)?);
    let either = end(&args.peer)?;
    let filters = [("source_peer_id", source), ("target_peer_id", target)];
    let query: Vec<String> = filters
        .into_iter()
        .filter_map(|(name, id)| id.map(|id| format!("{name}={id}")))
        .collect();
    let target = match query.is_empty() {
        true => "/v1/services".to_string(),
        false => format!("/v1/services?{}", query.join("&")),
    };
    let mut reply = agent.get::<Vec<Service>>(&target)?;
    if let Some(id) = either {
        let touches = |s: &Service| s.source_peer_id == id || s.target_peer_id == id;
        reply.value.retain(touches);
        reply.json = output::json(&reply.value);
    }
    Ok(Report {
        view: table(&reply.value),
        json: reply.json,
    })
}

fn table(services: &[Service]) -> View {
    let row = |service: &Service| {
        vec![
            Cell::new(&service.id),
            Cell::new(end_name(&service.source_name, &service.source_peer_id)),
            Cell::new(end_name(&service.target_name, &service.target_peer_id)),
            Cell::new(&service.transport_type),
            Cell::status(&service.status),
        ]
    };
    let head = ["ID", "SOURCE", "TARGET", "TRANSPORT", "STATUS"];
    View::table(&head, services.iter().map(row).collect())
}

/// An end by its name; one that has none by its id, which may have departed all the same.
fn end_name(name: &str, id: &str) -> String {
    match name.trim() {
        "" => id.to_string(),
        "(departed)" => format!("{id} (departed)"),
        _ => name.to_string(),
    }
}

fn get(session: &Session, args: &ServicesGet) -> Outcome<()> {
    session.show(Need::Yes, |agent| {
        let id = ids::service(agent, &args.id, For::Reading)?;
        ids::with_hint("service", agent.get(&format!("/v1/services/{id}"))).map(one)
    })
}

fn one(reply: Reply<Service>) -> Report {
    let s = &reply.value;
    let end = |name: &str, id: &str| {
        let name = end_name(name, id);
        Cell::new(if name.starts_with(id) {
            name
        } else {
            format!("{name} ({id})")
        })
    };
    let mut fields = vec![
        ("ID", Cell::new(&s.id)),
        ("Name", Cell::or_dash(&s.name)),
        ("Source", end(&s.source_name, &s.source_peer_id)),
        ("Target", end(&s.target_name, &s.target_peer_id)),
        ("Transport Type", Cell::new(&s.transport_type)),
        ("Status", Cell::status(&s.status)),
    ];
    let reason = s.inactive_reason.as_deref().unwrap_or("");
    fields.push(("Inactive Reason", Cell::or_dash(reason)));
    fields.push(("Created At", Cell::new(s.created_at.for_people())));
    fields.push(("Version", Cell::new(s.version.to_string())));
    Report {
        view: View::Fields(fields),
        json: reply.json,
    }
}

fn check_transport(word: &Option<String>) -> Outcome<()> {
    match word {
        Some(word) => Transport::parse(word)
            .map(drop)
            .map_err(|e| Fail::usage(e.to_string())),
        None => Ok(()),
    }
}

fn create(session: &Session, args: &ServicesCreate) -> Outcome<()> {
    check_transport(&args.transport_type)?;
    session.show_one(|agent| {
        let source = args.source_peer.as_ref();
        let source = source.map(|word| ids::peer(agent, word, For::Changing));
        let body = output::json(&CreateService {
            source_peer_id: source.transpose()?,
            target_peer_id: Some(ids::peer(agent, &args.target_peer, For::Changing)?),
            transport_type: args.transport_type.clone(),
            name: args.name.clone(),
        });
        ids::with_hint("peer", agent.post("/v1/services", &body)).map(one)
    })
}

fn update(session: &Session, args: &ServicesUpdate) -> Outcome<()> {
    if args.name.is_none() && args.transport_type.is_none() {
        return Err(Fail::usage(
            "nothing to change: give --name or --transport-type",
        ));
    }
    check_transport(&args.transport_type)?;
    let body = output::json(&UpdateService {
        name: args.name.clone(),
        transport_type: args.transport_type.clone(),
    });
    session.show_one(|agent| {
        let id = ids::service(agent, &args.id, For::Changing)?;
        ids::with_hint("service", agent.put(&format!("/v1/services/{id}"), &body)).map(one)
    })
}

fn delete(session: &Session, args: &ServicesDelete) -> Outcome<()> {
    session.only_one()?;
    prompt::check_can_ask(session)?;
    let agent = session.agent()?;
    let id = ids::service(&agent, &args.id, For::Changing)?;
    let service = called(&args.id, &id);
    prompt::confirm(
        session,
        &format!(
            "Delete service {service} by way of {}? It is deleted in the whole cluster.",
            agent.called()
        ),
    )?;
    let outcome = agent.delete::<Deleted>(&format!("/v1/services/{id}"));
    let reply = ids::with_hint("service", outcome)?;
    session.write(Report {
        view: View::line(format!("Deleted service {service}")),
        json: reply.json,
    })
}

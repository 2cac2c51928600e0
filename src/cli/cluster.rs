//! `arctic cluster`, `health` and `token`: what an agent says of itself.

use super::args::{ClusterWhat, Health as HealthArgs};
use super::call::{Agent, Reply};
use super::fail::{Fail, Outcome};
use super::output::{Cell, Report, View};
use super::session::{Need, Session};
use crate::wire::operator::{ClusterStatus, Health, Identity, Triggered};

pub fn run(session: &Session, what: ClusterWhat) -> Outcome<()> {
    match what {
        ClusterWhat::Identity(_) => session.show(Need::No, |agent| {
            agent.get("/v1/cluster/identity").map(identity)
        }),
        ClusterWhat::Status(_) => session.show(Need::Yes, |agent| {
            agent.get("/v1/cluster/status").map(status)
        }),
        ClusterWhat::Sync(_) => session.show_one(|agent| {
            let reply = agent.post::<Triggered>("/v1/cluster/sync", "{}")?;
            Ok(Report {
                view: View::line("Exchanges with every member are under way"),
                json: reply.json,
            })
        }),
    }
}

fn identity(reply: Reply<Identity>) -> Report {
    let identity = &reply.value;
    let fields = vec![
        ("Peer ID", Cell::new(&identity.peer_id)),
        ("Public Key", Cell::new(&identity.public_key)),
        ("License ID", Cell::new(&identity.license_id)),
        ("Cluster ID", Cell::new(&identity.cluster_id)),
        ("Version", Cell::new(&identity.version)),
    ];
    Report {
        view: View::Fields(fields),
        json: reply.json,
    }
}

fn status(reply: Reply<ClusterStatus>) -> Report {
    let status = &reply.value;
    let number = |n: u64| Cell::new(n.to_string());
    let last_round = status
        .last_round_at
        .map_or("never".into(), |t| t.for_people());
    let fields = vec![
        ("Peer ID", Cell::new(&status.peer_id)),
        ("Cluster ID", Cell::new(&status.cluster_id)),
        ("Register Hash", Cell::new(&status.register_hash)),
        ("Incarnation", number(status.incarnation)),
        ("Over Limit", Cell::yes_no(status.over_limit)),
        ("Isolated", Cell::yes_no(status.isolated)),
        ("Alive", number(status.members.alive)),
        ("Suspect", number(status.members.suspect)),
        ("Unreachable", number(status.members.unreachable)),
        (
            "Duplicate",
            Cell::or_dash(status.duplicate.as_deref().unwrap_or_default()),
        ),
        ("Refused By", Cell::or_dash(&status.refused_by.join(", "))),
        ("Refuses", Cell::or_dash(&status.refuses.join(", "))),
        ("Last Round", Cell::new(last_round)),
        ("Messages Sent", number(status.gossip.messages_sent)),
        ("Messages Received", number(status.gossip.messages_received)),
        ("Messages Refused", number(status.gossip.messages_refused)),
        ("Exchanges", number(status.gossip.exchanges)),
        ("Records Merged", number(status.gossip.records_merged)),
        ("Probes Failed", number(status.gossip.probes_failed)),
    ];
    Report {
        view: View::Fields(fields),
        json: reply.json,
    }
}

pub fn health(session: &Session, args: &HealthArgs) -> Outcome<()> {
    let target = if args.readyz { "/readyz" } else { "/livez" };
    session.show(Need::No, |agent| ask_health(agent, target))
}

fn ask_health(agent: &Agent, target: &str) -> Outcome<Report> {
    let answer = agent.open_call("GET", target, None)?;
    if answer.status == 503 {
        if let Some(reason) = reason(&answer.body) {
            return Err(Fail::failed(format!(
                "{} is not ready: {reason}",
                agent.called()
            )));
        }
    }
    let reply = agent.read::<Health>(answer)?;
    let mut fields = vec![
        ("Status", Cell::status(&reply.value.status)),
        ("Timestamp", Cell::new(reply.value.timestamp.for_people())),
    ];
    if let Some(reason) = &reply.value.reason {
        fields.push(("Reason", Cell::new(reason)));
    }
    Ok(Report {
        view: View::Fields(fields),
        json: reply.json,
    })
}

fn reason(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("reason")?.as_str()?.to_string())
}

pub fn token(session: &Session) -> Outcome<()> {
    session.only_one()?;
    let reply = session.client()?.fetch_token()?;
    session.write(Report {
        view: View::line(reply.value.access_token),
        json: reply.json,
    })
}

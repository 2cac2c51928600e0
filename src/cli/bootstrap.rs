//! `arctic bootstrap`: a license for a new agent, its credentials into the contexts.

use super::args::Bootstrap;
use super::call::warn_if_open;
use super::config;
use super::context::{self, Context};
use super::fail::Outcome;
use super::license;
use super::output::{self, Report, View};
use super::session::Session;
use crate::domain::Timestamp;
use crate::wire::operator::Bootstrapped;
use serde::Serialize;

pub fn run(session: &Session, args: &Bootstrap) -> Outcome<()> {
    session.only_one()?;
    if let Some(name) = &args.name {
        context::check_name(name)?;
    }
    let url = session.new_agents_url()?;
    let document = license::read(&args.license_file)?;
    // The secret is told once: be sure that it can be kept before asking for it.
    session.file()?.check_writable()?;
    warn_if_open(&url, "the license");
    let agent = session.stranger(url);
    let answer = agent.open_call("POST", "/v1/bootstrap", Some(&body(document, args)))?;
    let new = agent.read::<Bootstrapped>(answer)?.value;
    let context = Context {
        name: context::name_for(args.name.as_deref(), "", &new.peer_id),
        peer_id: new.peer_id.clone(),
        url: agent.url.text(),
        client_id: new.client_id.clone(),
        client_secret: new.client_secret.clone(),
    };
    let saved = config::save(session, context, args.make_current)?;
    session.write(report(&new, &saved))
}

fn body(document: String, args: &Bootstrap) -> String {
    match &args.name {
        None => document,
        Some(name) => format!("{{\"license\":{document},\"name\":{}}}", output::json(name)),
    }
}

/// The agent's answer without the secret, in its order.
#[derive(Serialize)]
struct Told<'a> {
    peer_id: &'a str,
    peer_public_key: &'a str,
    client_id: &'a str,
    license_id: &'a str,
    cluster_id: &'a str,
    expires_at: Timestamp,
    max_nodes: u32,
    max_services: u32,
}

/// Everything but the secret, in either format.
fn report(new: &Bootstrapped, saved: &config::Saved) -> Report {
    let mut lines = vec![
        format!("Peer ID: {}", new.peer_id),
        format!("Cluster ID: {}", new.cluster_id),
        format!("Client ID: {}", new.client_id),
        format!("License ID: {}", new.license_id),
        format!("Expires: {}", new.expires_at.for_people()),
        format!("Max Nodes: {}", new.max_nodes),
        format!("Max Services: {}", new.max_services),
    ];
    lines.extend(saved.lines());
    let told = output::json(&Told {
        peer_id: &new.peer_id,
        peer_public_key: &new.peer_public_key,
        client_id: &new.client_id,
        license_id: &new.license_id,
        cluster_id: &new.cluster_id,
        expires_at: new.expires_at,
        max_nodes: new.max_nodes,
        max_services: new.max_services,
    });
    // Both are objects: one goes on where the other ends.
    let json = format!("{},{}", told.trim_end_matches('}'), &saved.json()[1..]);
    Report {
        json,
        view: View::Lines(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_goes_beside_the_license() {
        let args = |name: Option<&str>| Bootstrap {
            license_file: "-".into(),
            name: name.map(String::from),
            make_current: false,
        };
        assert_eq!(body("{}".into(), &args(None)), "{}");
        let wrapped = body("{\"a\": 1}\n".into(), &args(Some("a\"b")));
        let value: serde_json::Value = serde_json::from_str(&wrapped).unwrap();
        assert_eq!(value["name"], "a\"b");
        assert_eq!(value["license"]["a"], 1);
    }
}

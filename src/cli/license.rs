//! `arctic license show` and `update`: the license of an agent.

use super::args::{LicenseUpdate, LicenseWhat};
use super::call::{Agent, Reply, warn_if_open};
use super::fail::{Fail, Outcome};
use super::issuer;
use super::output::{self, Cell, Report, View};
use super::session::{Need, Session, read_bounded};
use crate::domain::license::MAX_DOCUMENT;
use crate::domain::{License, Timestamp};
use crate::wire::operator::{Identity, LicenseBody};

pub fn run(session: &Session, what: LicenseWhat) -> Outcome<()> {
    match what {
        LicenseWhat::Show(_) => session.show(Need::No, show),
        LicenseWhat::Update(args) => update(session, &args),
        LicenseWhat::Keygen(args) => issuer::keygen(session, &args),
        LicenseWhat::Issue(args) => issuer::issue(session, &args),
        LicenseWhat::Verify(args) => issuer::verify(session, &args),
    }
}

fn show(agent: &Agent) -> Outcome<Report> {
    match agent.has_credentials() {
        true => agent.get("/v1/license").map(report),
        false => show_public(agent),
    }
}

/// What an agent says of its license to anybody: enough to compare two agents.
fn show_public(agent: &Agent) -> Outcome<Report> {
    let reply = agent.get::<Identity>("/v1/cluster/identity")?;
    output::note("Limits and dates need credentials; this is the agent's public identity.");
    let identity = &reply.value;
    Ok(Report {
        view: View::Fields(vec![
            ("License ID", Cell::new(&identity.license_id)),
            ("Cluster ID", Cell::new(&identity.cluster_id)),
            ("Peer ID", Cell::new(&identity.peer_id)),
        ]),
        json: reply.json,
    })
}

fn report(reply: Reply<LicenseBody>) -> Report {
    let license = &reply.value;
    let used = |used: u64, limit: u32| Cell::new(format!("{used} of {limit}"));
    let fields = vec![
        ("License ID", Cell::new(&license.license_id)),
        ("Customer ID", Cell::new(&license.customer_id)),
        ("Issued At", Cell::new(license.issued_at.for_people())),
        ("Expires At", Cell::new(license.expires_at.for_people())),
        ("State", Cell::status(license.state.as_str())),
        ("Days Left", Cell::new(license.days_left.to_string())),
        ("Nodes", used(license.nodes_used, license.max_nodes)),
        (
            "Services",
            used(license.services_used, license.max_services),
        ),
        ("Over Limit", Cell::yes_no(license.over_limit)),
        ("Fingerprint", Cell::new(&license.fingerprint)),
    ];
    let beside_others = vec![
        ("License ID", Cell::new(&license.license_id)),
        ("Issued", day(license.issued_at)),
        ("Expires", day(license.expires_at)),
        ("State", Cell::status(license.state.as_str())),
        ("Nodes", used(license.nodes_used, license.max_nodes)),
        (
            "Services",
            used(license.services_used, license.max_services),
        ),
    ];
    Report {
        view: View::Summed(fields, beside_others),
        json: reply.json,
    }
}

fn day(time: Timestamp) -> Cell {
    Cell::new(time.for_people().split(' ').next().unwrap_or_default())
}

/// Reads a license document and checks its form; whether it verifies, the agent says. The text is
/// what the file holds, so that the agent judges what the issuer wrote.
pub fn read(file: &str) -> Outcome<String> {
    let bytes = read_bounded(file, MAX_DOCUMENT as u64, "license")?;
    License::parse(&bytes)?;
    String::from_utf8(bytes).map_err(|_| Fail::failed(format!("{file} is not text")))
}

fn update(session: &Session, args: &LicenseUpdate) -> Outcome<()> {
    let document = args.license_file.as_deref().map(read).transpose()?;
    let body = match (document, args.forget_previous) {
        (None, false) => {
            return Err(Fail::usage(
                "nothing to do: give --license-file or --forget-previous",
            ));
        }
        (Some(document), false) => document,
        (None, true) => r#"{"forget_previous":true}"#.to_string(),
        (Some(document), true) => format!("{{\"license\":{document},\"forget_previous\":true}}"),
    };
    session.show_one(|agent| {
        if args.license_file.is_some() {
            warn_if_open(&agent.url, "the license");
        }
        agent.put("/v1/license", &body).map(report)
    })
}

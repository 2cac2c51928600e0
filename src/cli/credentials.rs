//! `arctic credentials`.

use super::args::{CredentialsCreate, CredentialsRevoke, CredentialsWhat};
use super::call::warn_if_open;
use super::fail::{Fail, Outcome};
use super::ids;
use super::output::{self, Cell, Report, View};
use super::peers::called;
use super::prompt;
use super::session::{Need, Session};
use crate::domain::{Scope, Timestamp};
use crate::wire::operator::{CreateCredential, Credential, Deleted, NewCredential};

pub fn run(session: &Session, what: CredentialsWhat) -> Outcome<()> {
    match what {
        CredentialsWhat::List(_) => list(session),
        CredentialsWhat::Create(args) => create(session, &args),
        CredentialsWhat::Revoke(args) => revoke(session, &args),
    }
}

fn list(session: &Session) -> Outcome<()> {
    session.show(Need::Yes, |agent| {
        let reply = agent.get::<Vec<Credential>>("/v1/credentials")?;
        let head = ["CLIENT ID", "NAME", "SCOPES", "CREATED AT", "LAST USED"];
        Ok(Report {
            view: View::table(&head, reply.value.iter().map(row).collect()),
            json: reply.json,
        })
    })
}

fn row(credential: &Credential) -> Vec<Cell> {
    let last_used = credential.last_used_at.map(Timestamp::for_people);
    vec![
        Cell::new(&credential.client_id),
        Cell::or_dash(&credential.name),
        Cell::new(short(&credential.scopes)),
        Cell::new(credential.created_at.for_people()),
        Cell::new(last_used.as_deref().unwrap_or("never")),
    ]
}

/// Scopes as people write them; one that this program does not know stays as it is.
fn short(scopes: &[String]) -> String {
    let short = |scope: &String| match Scope::parse(scope) {
        Ok(scope) => scope.short().to_string(),
        Err(_) => scope.clone(),
    };
    scopes.iter().map(short).collect::<Vec<_>>().join(",")
}

fn create(session: &Session, args: &CredentialsCreate) -> Outcome<()> {
    let scopes = args.scopes.as_deref().map(read_scopes).transpose()?;
    let body = output::json(&CreateCredential {
        scopes,
        name: args.name.clone(),
    });
    session.show_one(|agent| {
        warn_if_open(&agent.url, "a new client secret");
        let reply = agent.post::<NewCredential>("/v1/credentials", &body)?;
        let new = &reply.value;
        output::note("The client secret is shown only now; the agent keeps no more than its hash.");
        Ok(Report {
            view: View::Fields(vec![
                ("Client ID", Cell::new(&new.client_id)),
                ("Client Secret", Cell::new(&new.client_secret)),
                ("Name", Cell::or_dash(&new.name)),
                ("Scopes", Cell::new(short(&new.scopes))),
                ("Created At", Cell::new(new.created_at.for_people())),
            ]),
            json: reply.json,
        })
    })
}

/// Commas or spaces between; a mistyped scope is a mistyped flag.
fn read_scopes(text: &str) -> Outcome<Vec<String>> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let scopes: Vec<String> = words
        .map(|word| Scope::parse(word).map(|s| s.to_string()))
        .collect::<Result<_, _>>()
        .map_err(|e: crate::domain::Error| Fail::usage(format!("--scopes: {e}")))?;
    match scopes.is_empty() {
        true => Err(Fail::usage("--scopes names no scope")),
        false => Ok(scopes),
    }
}

fn revoke(session: &Session, args: &CredentialsRevoke) -> Outcome<()> {
    session.only_one()?;
    prompt::check_can_ask(session)?;
    let agent = session.agent()?;
    let id = ids::credential(&agent, &args.id)?;
    let name = called(&args.id, &id);
    prompt::confirm(
        session,
        &format!(
            "Revoke credentials {name} on {}? Their tokens die at once.",
            agent.called()
        ),
    )?;
    let outcome = agent.delete::<Deleted>(&format!("/v1/credentials/{id}"));
    let reply = ids::with_hint("credentials", outcome)?;
    session.write(Report {
        view: View::line(format!("Revoked credentials {name}")),
        json: reply.json,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_in_either_form() {
        let urn = "urn:tillered:arctic:peers.read".to_string();
        let both = read_scopes("peers.read,urn:tillered:arctic:admin").unwrap();
        assert_eq!(both[0], urn);
        assert_eq!(short(&both), "peers.read,admin");
        assert!(read_scopes("peers").is_err() && read_scopes(" ,").is_err());
    }
}

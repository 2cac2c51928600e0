//! `arctic config`: the saved agents.

use super::args::{ConfigAddPeer, ConfigView, ConfigWhat};
use super::call::{Agent, warn_if_open};
use super::context::{self, Context, Contexts};
use super::fail::{Fail, Outcome};
use super::output::{self, Cell, Report, View};
use super::session::{Session, read_secret};
use crate::domain::PeerId;
use crate::wire::operator::{Identity, Peer};

pub fn run(session: &Session, what: ConfigWhat) -> Outcome<()> {
    session.only_one()?;
    match what {
        ConfigWhat::View(args) => view(session, &args),
        ConfigWhat::Path(_) => path(session),
        ConfigWhat::ListPeers(_) => list(session),
        ConfigWhat::UsePeer(args) => use_peer(session, &args.peer),
        ConfigWhat::DeletePeer(args) => delete(session, &args.peer),
        ConfigWhat::AddPeer(args) => add(session, &args),
    }
}

fn view(session: &Session, args: &ConfigView) -> Outcome<()> {
    session.remark_environment();
    let mut contexts = session.file()?.read()?;
    if !args.show_secrets {
        for context in &mut contexts.contexts {
            context.client_secret = "(hidden; --show-secrets shows it)".into();
        }
    }
    let mut lines = vec![
        format!("File: {}", session.file()?.path.display()),
        format!("Current: {}", current_name(&contexts)),
    ];
    for context in &contexts.contexts {
        lines.push(format!("Context: {}", context.name));
        lines.push(format!("  Peer ID: {}", context.peer_id));
        lines.push(format!("  URL: {}", context.url));
        lines.push(format!("  Client ID: {}", context.client_id));
        lines.push(format!("  Client Secret: {}", context.client_secret));
    }
    session.write(Report {
        json: output::json(&contexts),
        view: View::Lines(lines),
    })
}

fn current_name(contexts: &Contexts) -> &str {
    contexts.current().map_or("none", |c| c.name.as_str())
}

fn path(session: &Session) -> Outcome<()> {
    let path = session.file()?.path.display().to_string();
    session.write(Report {
        json: format!("{{\"path\":{}}}", output::json(&path)),
        view: View::line(path),
    })
}

fn list(session: &Session) -> Outcome<()> {
    session.remark_environment();
    let contexts = session.file()?.read()?;
    let row = |context: &Context| {
        let current = if contexts.is_current(context) {
            "*"
        } else {
            "-"
        };
        vec![
            Cell::new(current),
            Cell::new(&context.name),
            Cell::new(&context.peer_id),
            Cell::new(&context.url),
        ]
    };
    let item = |context: &Context| {
        serde_json::json!({
            "name": context.name, "peer_id": context.peer_id, "url": context.url,
            "client_id": context.client_id, "current": contexts.is_current(context),
        })
    };
    let items: Vec<serde_json::Value> = contexts.contexts.iter().map(item).collect();
    let rows = contexts.contexts.iter().map(row).collect();
    session.write(Report {
        json: output::json(&items),
        view: View::table(&["CURRENT", "NAME", "PEER ID", "URL"], rows),
    })
}

fn use_peer(session: &Session, word: &str) -> Outcome<()> {
    session.remark_environment();
    let context = session.file()?.change(|contexts| {
        let context = contexts.find(word)?.clone();
        contexts.current = Some(context.peer_id.clone());
        Ok(context)
    })?;
    session.write(Report {
        json: format!("{{\"current\":{}}}", output::json(&context.name)),
        view: View::line(format!(
            "Current context: {} ({})",
            context.name, context.url
        )),
    })
}

fn delete(session: &Session, word: &str) -> Outcome<()> {
    let (gone, was_current, left) = session.file()?.change(|contexts| {
        let gone = contexts.find(word)?.clone();
        let was_current = contexts.remove(&gone.peer_id);
        Ok((gone, was_current, contexts.contexts.clone()))
    })?;
    if was_current {
        output::note(&no_longer_current(&left));
    }
    session.write(Report {
        json: format!("{{\"deleted\":{}}}", output::json(&gone.peer_id)),
        view: View::line(format!("Deleted context {} ({})", gone.name, gone.peer_id)),
    })
}

/// After the current context is gone: which are left to choose from.
fn no_longer_current(left: &[Context]) -> String {
    let names: Vec<String> = left.iter().map(called).collect();
    match names.is_empty() {
        true => "It was the current context; none is left.".into(),
        false => format!(
            "It was the current context. Left are: {}. Choose one with 'arctic config use-peer NAME'.",
            names.join(", ")
        ),
    }
}

fn called(context: &Context) -> String {
    output::clean(&super::peers::called(&context.name, &context.peer_id))
}

fn add(session: &Session, args: &ConfigAddPeer) -> Outcome<()> {
    let url = session.named_url()?;
    if let Some(name) = &args.name {
        context::check_name(name)?;
    }
    session.file()?.check_writable()?;
    let secret = read_secret(&args.client_secret_file, "client secret")?;
    warn_if_open(&url, "the client secret");
    let agent = session.with_client(url, &args.client_id, &secret);
    // Wrong credentials are refused now, not when they are used.
    agent.fetch_token()?;
    let identity = agent.get::<Identity>("/v1/cluster/identity")?.value;
    let peer_id = check_peer_id(&identity.peer_id)?;
    let context = Context {
        name: context::name_for(args.name.as_deref(), &own_name(&agent), &peer_id),
        peer_id,
        url: agent.url.text(),
        client_id: args.client_id.clone(),
        client_secret: secret,
    };
    let saved = save(session, context, args.make_current)?;
    session.write(Report {
        json: saved.json(),
        view: View::Lines(saved.lines()),
    })
}

/// An agent's peer id, as it said it. One that is none would make a context that nothing finds.
fn check_peer_id(text: &str) -> Outcome<String> {
    PeerId::parse(text)
        .map(|id| id.to_string())
        .map_err(|_| Fail::failed("the answer is not an arctic agent's: it has no peer id"))
}

/// What the agent calls itself; "" where the credentials do not let it be read.
fn own_name(agent: &Agent) -> String {
    let local = agent.get::<Vec<Peer>>("/v1/peers?is_local=true");
    let first = local.ok().and_then(|reply| reply.value.into_iter().next());
    first.map(|peer| peer.name).unwrap_or_default()
}

/// A context that was just saved, and which one is current.
pub struct Saved {
    name: String,
    current: String,
    path: String,
}

/// Saves a context and says what a person should know about its name.
pub fn save(session: &Session, context: Context, make_current: bool) -> Outcome<Saved> {
    session.file()?.change(|contexts| {
        contexts.save(context.clone(), make_current);
        for other in contexts.namesakes(&context) {
            output::note(&output::clean(&format!(
                "Warning: the context of {} is called {} too; commands take the peer id instead.",
                other.peer_id, other.name
            )));
        }
        Ok(Saved {
            name: context.name.clone(),
            current: current_name(contexts).to_string(),
            path: session.file()?.path.display().to_string(),
        })
    })
}

impl Saved {
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("Context: {} (saved in {})", self.name, self.path),
            format!("Current Context: {}", self.current),
        ];
        if self.current != self.name {
            lines.push(format!(
                "  (to change it: arctic config use-peer {})",
                self.name
            ));
        }
        lines
    }

    pub fn json(&self) -> String {
        format!(
            "{{\"context\":{},\"current_context\":{},\"config\":{}}}",
            output::json(&self.name),
            output::json(&self.current),
            output::json(&self.path)
        )
    }
}

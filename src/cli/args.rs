//! Every command and flag as a struct: what `argh` reads, what help prints, and what a test holds
//! the man pages to. Global flags are read apart (`argv.rs`), so that they work anywhere. The commands
//! themselves are in `commands.rs`.

pub use super::commands::*;
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;

/// flags that work before and after the command
#[derive(FromArgs, ArgsInfo, Debug, Default, Clone, PartialEq)]
pub struct Globals {
    /// the agent to talk to, http://HOST:PORT
    #[argh(option, arg_name = "U")]
    pub url: Option<String>,
    /// the saved agent to talk to, by name or peer id
    #[argh(option, arg_name = "PEER_ID_OR_NAME")]
    pub context: Option<String>,
    /// ask every saved agent
    #[argh(switch)]
    pub all_contexts: bool,
    /// the file of saved agents
    #[argh(option, arg_name = "FILE")]
    pub config: Option<PathBuf>,
    /// a file with an access token; - reads standard input
    #[argh(option, arg_name = "FILE")]
    pub token_file: Option<String>,
    /// an access token; every user of this machine can read it
    #[argh(option, arg_name = "TOKEN")]
    pub token: Option<String>,
    /// how long to wait for an answer (30)
    #[argh(option, arg_name = "SECONDS", from_str_fn(seconds))]
    pub timeout: Option<u64>,
    /// table or json
    #[argh(option, short = 'o', arg_name = "FORMAT", from_str_fn(format))]
    pub output: Option<Format>,
    /// the same as --output json
    #[argh(switch, short = 'j')]
    pub json: bool,
    /// do not ask before a change that cannot be taken back
    #[argh(switch, short = 'y')]
    pub yes: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "table" => Ok(Format::Table),
        "json" => Ok(Format::Json),
        _ => Err("it is neither table nor json".into()),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    ranged(text, 1, 86_400)
}

/// A whole number within bounds, or what is wrong with it.
pub fn ranged(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let fault = || format!("it is not a whole number from {least} to {most}");
    let number: u64 = text.parse().map_err(|_| fault())?;
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(fault()),
    }
}

/// Peer management for clusters of appliances.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
pub struct Top {
    #[argh(subcommand)]
    pub command: Command,
}

#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand)]
pub enum Command {
    Dev(Dev),
    Agent(Agent),
    Bootstrap(Bootstrap),
    Peers(Peers),
    Services(Services),
    License(License),
    Cluster(Cluster),
    Health(Health),
    Token(Token),
    Credentials(Credentials),
    Config(Config),
}

/// A group of commands: the struct that argh wants around an enum of structs.
macro_rules! group {
    ($(#[$doc:meta])* $name:literal $group:ident, $what:ident { $($variant:ident($command:ident)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
        #[argh(subcommand, name = $name)]
        pub struct $group {
            #[argh(subcommand)]
            pub what: $what,
        }

        #[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
        #[argh(subcommand)]
        pub enum $what { $($variant($command)),* }
    };
}

group! {
    /// run an agent, or make a machine forget that it was one
    "agent" Agent, AgentWhat { Run(AgentRun), Reset(AgentReset) }
}
group! {
    /// list, add, rename and remove peers
    "peers" Peers, PeersWhat {
        List(PeersList), Get(PeersGet), Add(PeersAdd), Update(PeersUpdate), Delete(PeersDelete),
        RemoveSelf(PeersRemoveSelf),
    }
}
group! {
    /// list and change services
    "services" Services, ServicesWhat {
        List(ServicesList), Get(ServicesGet), Create(ServicesCreate), Update(ServicesUpdate),
        Delete(ServicesDelete),
    }
}
group! {
    /// show, renew, issue and check licenses
    "license" License, LicenseWhat {
        Show(LicenseShow), Update(LicenseUpdate), Keygen(LicenseKeygen), Issue(LicenseIssue),
        Verify(LicenseVerify),
    }
}
group! {
    /// how an agent sees its cluster
    "cluster" Cluster, ClusterWhat { Identity(ClusterIdentity), Status(ClusterStatus), Sync(ClusterSync) }
}
group! {
    /// list, create and revoke credentials of an agent
    "credentials" Credentials, CredentialsWhat {
        List(CredentialsList), Create(CredentialsCreate), Revoke(CredentialsRevoke),
    }
}
group! {
    /// the agents that this command line has saved
    "config" Config, ConfigWhat {
        View(ConfigView), Path(ConfigPath), ListPeers(ConfigListPeers), UsePeer(ConfigUsePeer),
        DeletePeer(ConfigDeletePeer), AddPeer(ConfigAddPeer),
    }
}

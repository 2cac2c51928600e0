//! One struct for each command: its arguments, as help tells them.

use super::args::ranged;
use crate::domain::{Address, Customer};
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;

/// start a throwaway cluster on this machine, to try things on
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "dev")]
pub struct Dev {
    /// how many agents (3)
    #[argh(option, arg_name = "N", default = "3", from_str_fn(agents))]
    pub agents: u32,
    /// end at once when it stands, instead of at Ctrl-C
    #[argh(switch)]
    pub exit: bool,
}

/// run an agent in the foreground
#[derive(FromArgs, ArgsInfo, Debug, PartialEq, Default)]
#[argh(subcommand, name = "run")]
pub struct AgentRun {
    /// where to listen (0.0.0.0:8080)
    #[argh(option, arg_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// the address that other agents are told
    #[argh(option, arg_name = "HOST:PORT", from_str_fn(address))]
    pub advertise: Option<Address>,
    /// where key and database live (/var/lib/arctic)
    #[argh(option, arg_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// public keys of the trusted license issuers (/etc/arctic/issuers)
    #[argh(option, arg_name = "FILE")]
    pub issuers: Option<PathBuf>,
    /// refuse the license of any other customer
    #[argh(option, arg_name = "CUSTOMER", from_str_fn(customer))]
    pub customer: Option<Customer>,
    /// off, error, warn, info, debug or trace (info)
    #[argh(option, arg_name = "LEVEL")]
    pub log_level: Option<String>,
    /// end when standard input ends
    #[argh(switch, hidden_help)]
    pub die_with_stdin: bool,
}

/// delete an agent's identity and database
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "reset")]
pub struct AgentReset {
    /// where key and database live
    #[argh(option, arg_name = "DIR")]
    pub data_dir: PathBuf,
    /// also when the agent has not removed itself from its cluster
    #[argh(switch)]
    pub force: bool,
}

/// give a new agent its license, and save the agent as a context
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "bootstrap")]
pub struct Bootstrap {
    /// the license document; - reads standard input
    #[argh(option, arg_name = "FILE")]
    pub license_file: String,
    /// what to call the agent and its context
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
    /// make it the current context
    #[argh(switch, long = "use")]
    pub make_current: bool,
}

/// list the peers that an agent sees
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "list")]
pub struct PeersList {
    /// only the agent itself
    #[argh(switch)]
    pub local: bool,
    /// only other agents
    #[argh(switch)]
    pub remote: bool,
}

/// show one peer
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "get")]
pub struct PeersGet {
    /// a peer id, a unique beginning of one, or a name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
}

/// add bootstrapped agents to the cluster
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "add")]
pub struct PeersAdd {
    /// where the new agents listen
    #[argh(positional, arg_name = "HOST:PORT")]
    pub addresses: Vec<String>,
    /// what to call the new peer on this agent
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
    /// keep trying for so long while the new agent is not up yet
    #[argh(option, arg_name = "SECONDS", default = "0", from_str_fn(wait))]
    pub wait: u64,
}

/// rename a peer on this agent
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "update")]
pub struct PeersUpdate {
    /// a peer id, or an exact name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
    /// the new name
    #[argh(option, arg_name = "NAME")]
    pub name: String,
}

/// remove a peer from this agent's view
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "delete")]
pub struct PeersDelete {
    /// a peer id, or an exact name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
}

/// remove this agent from its cluster, for good
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "remove-self")]
pub struct PeersRemoveSelf {
    /// also while another running agent uses this agent's key: both are removed
    #[argh(switch)]
    pub force: bool,
}

/// list services
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "list")]
pub struct ServicesList {
    /// only those that begin at this peer
    #[argh(option, arg_name = "ID")]
    pub source_peer: Option<String>,
    /// only those that end at this peer
    #[argh(option, arg_name = "ID")]
    pub target_peer: Option<String>,
    /// only those that begin or end at this peer
    #[argh(option, arg_name = "ID")]
    pub peer: Option<String>,
}

/// show one service
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "get")]
pub struct ServicesGet {
    /// a service id, a unique beginning of one, or a name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
}

/// create a service
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "create")]
pub struct ServicesCreate {
    /// the peer where it ends: an id, or an exact name
    #[argh(option, arg_name = "ID")]
    pub target_peer: String,
    /// the peer where it begins (the agent itself)
    #[argh(option, arg_name = "ID")]
    pub source_peer: Option<String>,
    /// tcp or kcp (tcp)
    #[argh(option, arg_name = "TYPE")]
    pub transport_type: Option<String>,
    /// what to call it
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
}

/// change the name or the transport of a service
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "update")]
pub struct ServicesUpdate {
    /// a service id, or an exact name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
    /// the new name
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
    /// tcp or kcp
    #[argh(option, arg_name = "TYPE")]
    pub transport_type: Option<String>,
}

/// delete a service
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "delete")]
pub struct ServicesDelete {
    /// a service id, or an exact name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
}

/// show the license of an agent
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "show")]
pub struct LicenseShow {}

/// give an agent a later issue of its license
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "update")]
pub struct LicenseUpdate {
    /// the license document; - reads standard input
    #[argh(option, arg_name = "FILE")]
    pub license_file: Option<String>,
    /// stop admitting agents that hold only the issue before the current one
    #[argh(switch)]
    pub forget_previous: bool,
}

/// make an issuer's key
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "keygen")]
pub struct LicenseKeygen {
    /// where to write the secret key
    #[argh(option, arg_name = "FILE")]
    pub out: PathBuf,
}

/// issue a license, offline
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "issue")]
pub struct LicenseIssue {
    /// the issuer's secret key
    #[argh(option, arg_name = "FILE")]
    pub key: PathBuf,
    /// for whom
    #[argh(option, arg_name = "CUSTOMER", from_str_fn(customer))]
    pub customer: Option<Customer>,
    /// how many members
    #[argh(option, arg_name = "N", from_str_fn(count))]
    pub max_nodes: Option<u32>,
    /// how many services
    #[argh(option, arg_name = "N", from_str_fn(count))]
    pub max_services: Option<u32>,
    /// how long from now
    #[argh(option, arg_name = "N", from_str_fn(days))]
    pub days: i64,
    /// the license that this one follows: keeps its id and customer
    #[argh(option, arg_name = "FILE")]
    pub renew: Option<PathBuf>,
}

/// check a license, offline
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "verify")]
pub struct LicenseVerify {
    /// the license document
    #[argh(option, arg_name = "FILE")]
    pub file: PathBuf,
    /// public keys of the trusted issuers (/etc/arctic/issuers)
    #[argh(option, arg_name = "FILE")]
    pub issuers: Option<PathBuf>,
}

/// who an agent is
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "identity")]
pub struct ClusterIdentity {}

/// how an agent finds its cluster
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "status")]
pub struct ClusterStatus {}

/// exchange with every member now
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "sync")]
pub struct ClusterSync {}

/// whether an agent runs
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "health")]
pub struct Health {
    /// whether it is ready to serve, not only alive
    #[argh(switch)]
    pub readyz: bool,
}

/// print a fresh access token
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "token")]
pub struct Token {}

/// list the credentials of an agent
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "list")]
pub struct CredentialsList {}

/// create credentials; their secret is shown once
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "create")]
pub struct CredentialsCreate {
    /// what they may do, for instance peers.read,services.read (all that the caller may)
    #[argh(option, arg_name = "SCOPES")]
    pub scopes: Option<String>,
    /// what to call them
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
}

/// revoke credentials; their tokens die at once
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "revoke")]
pub struct CredentialsRevoke {
    /// a client id, or an exact name
    #[argh(positional, arg_name = "ID")]
    pub id: String,
}

/// show the file of saved agents
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "view")]
pub struct ConfigView {
    /// print the client secrets too
    #[argh(switch)]
    pub show_secrets: bool,
}

/// print where the file of saved agents is
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "path")]
pub struct ConfigPath {}

/// list the saved agents
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "list-peers")]
pub struct ConfigListPeers {}

/// choose the saved agent that commands talk to
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "use-peer")]
pub struct ConfigUsePeer {
    /// its name or peer id
    #[argh(positional, arg_name = "PEER_ID_OR_NAME")]
    pub peer: String,
}

/// forget a saved agent and its credentials
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "delete-peer")]
pub struct ConfigDeletePeer {
    /// its name or peer id
    #[argh(positional, arg_name = "PEER_ID_OR_NAME")]
    pub peer: String,
}

/// save an agent that is bootstrapped already
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "add-peer")]
pub struct ConfigAddPeer {
    /// the client id
    #[argh(option, arg_name = "ID")]
    pub client_id: String,
    /// a file with the client secret; - reads standard input
    #[argh(option, arg_name = "FILE")]
    pub client_secret_file: String,
    /// what to call the context
    #[argh(option, arg_name = "NAME")]
    pub name: Option<String>,
    /// make it the current context
    #[argh(switch, long = "use")]
    pub make_current: bool,
}

fn count(text: &str) -> Result<u32, String> {
    ranged(text, 0, u64::from(u32::MAX)).map(|n| n as u32)
}

fn days(text: &str) -> Result<i64, String> {
    ranged(text, 1, 36_500).map(|n| n as i64)
}

fn agents(text: &str) -> Result<u32, String> {
    ranged(text, 1, 32).map(|n| n as u32)
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|e| e.to_string())
}

fn customer(text: &str) -> Result<Customer, String> {
    Customer::parse_word(text).map_err(|e| e.to_string())
}

fn wait(text: &str) -> Result<u64, String> {
    ranged(text, 0, 86_400)
}

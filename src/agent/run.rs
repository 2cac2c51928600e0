//! Starting and stopping, in order.

use super::clock::Clock;
use super::couriers::{Couriers, Farewell};
use super::handle::{Agent, Gate};
use super::pulse::{self, Pulse};
use super::readers::Readers;
use super::settings::Settings;
use super::usher::{self, Knock, Usher};
use super::{heaps, keyfile, lock, logging, threads};
use crate::domain::{PublicKey, license};
use crate::node::{Config, Entropy, Joins, Node};
use crate::store::Store;
use crate::transport::Handler;
use crate::transport::client::Client;
use crate::transport::server::{Limits, Running, Server};
use crossbeam_channel::{Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const COURIERS: usize = 16;
const CALL_BACK_COURIERS: usize = 8;
/// Requests in flight are answered within this, or cut off.
const DRAIN: Duration = Duration::from_millis(1200);
const GOODBYE: Duration = Duration::from_millis(300);

/// Why an agent did not start: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Started<T> = Result<T, StartError>;

fn fail<T>(why: impl fmt::Display) -> Started<T> {
    Err(StartError(why.to_string()))
}

/// Runs an agent until a signal ends it. `surface` makes the HTTP handler.
pub fn run(
    settings: Settings,
    surface: impl FnOnce(Arc<Agent>) -> Arc<dyn Handler>,
) -> Started<()> {
    logging::start(settings.log_level);
    heaps::bound();
    let signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|e| StartError(format!("signals: {e}")))?;
    ignore_file_size_signal();
    make_data_dir(&settings.data_dir)?;
    let _lock = lock::take(&settings.data_dir).map_err(StartError)?;
    let soft_limit = descriptor_limit();
    let limits = Limits::from_descriptors(soft_limit).map_err(StartError)?;
    let (connections, readers) = (limits.connections, Limits::readers(soft_limit));
    let server = Server::bind(settings.listen.as_str(), limits)
        .map_err(|e| StartError(format!("cannot listen on {}: {e}", settings.listen)))?;
    let listen = server.local_addr().map_err(|e| StartError(e.to_string()))?;
    let clock = Clock::start();
    let node = open_node(&settings, listen, clock)?;
    let threads = start_threads(node, &settings, clock, connections, readers)?;
    let handler = surface(threads.agent.clone());
    let spawn = Arc::new(|name: &str, work: Box<dyn FnOnce() + Send>| threads::spawn(name, work));
    let running = server
        .start(handler, spawn)
        .map_err(|e| StartError(format!("cannot accept connections: {e}")))?;
    announce(&settings, listen)?;
    if settings.die_with_stdin {
        watch_stdin(settings.remove_on_eof.clone())?;
    }
    wait_for_signal(signals);
    threads.stop(running);
    Ok(())
}

/// A file-size limit then fails the write, which is reported, instead of killing the process.
fn ignore_file_size_signal() {
    let never_read = Arc::new(std::sync::atomic::AtomicBool::new(false));
    if let Err(e) = signal_hook::flag::register(SIGXFSZ, never_read) {
        log::warn!("SIGXFSZ cannot be ignored: {e}");
    }
}

fn make_data_dir(dir: &Path) -> Started<()> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    let shown = dir.display();
    made.map_err(|e| StartError(format!("data directory {shown}: {e}")))?;
    let meta =
        std::fs::metadata(dir).map_err(|e| StartError(format!("data directory {shown}: {e}")))?;
    if meta.permissions().mode() & 0o077 != 0 {
        let tight = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir, tight).map_err(|e| {
            StartError(format!(
                "data directory {shown} is open to others and cannot be closed: {e}"
            ))
        })?;
    }
    Ok(())
}

/// The soft limit of open files. Unknown or unlimited counts as many.
fn descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

fn open_node(settings: &Settings, listen: SocketAddr, clock: Clock) -> Started<Node> {
    let dir = &settings.data_dir;
    let said = |e: crate::domain::Error| {
        StartError(e.cause().map_or_else(|| e.to_string(), str::to_string))
    };
    let key = keyfile::read(dir).map_err(said)?;
    let store = Store::open(&dir.join("arctic.db"), key.is_some())
        .map_err(|e| StartError(e.to_string()))?;
    let config = Config {
        issuers: issuers(&settings.issuers)?,
        issuers_file: settings.issuers.display().to_string(),
        customer: settings.customer.clone(),
        advertise: settings.advertise.clone(),
        listen,
    };
    Node::new(config, store, key, entropy(), clock.now()).map_err(said)
}

/// The keys of the issuers file and those compiled in. A missing file is an empty one.
fn issuers(file: &Path) -> Started<Vec<PublicKey>> {
    let shown = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return fail(format!("issuers file {shown}: {e}")),
    };
    let mut keys =
        license::parse_issuers(&text).map_err(|e| StartError(format!("{shown}: {e}")))?;
    let builtin = option_env!("ARCTIC_BUILTIN_ISSUERS")
        .unwrap_or("")
        .replace(',', "\n");
    keys.extend(
        license::parse_issuers(&builtin).map_err(|e| StartError(format!("compiled in: {e}")))?,
    );
    if keys.is_empty() {
        log::warn!(
            "no trusted issuer: put the issuer's public key into {shown} and restart, until then bootstrap is refused"
        );
    }
    Ok(keys)
}

fn entropy() -> Entropy {
    Box::new(|bytes| {
        // Without entropy every key, nonce and secret would be predictable: the agent stops.
        getrandom::fill(bytes).expect("the system's random number generator works");
    })
}

/// Everything that runs beside the server.
struct Threads {
    agent: Arc<Agent>,
    pulse: JoinHandle<()>,
    stop_pulse: Sender<()>,
    usher: JoinHandle<()>,
    farewells: Vec<Farewell>,
}

fn start_threads(
    node: Node,
    settings: &Settings,
    clock: Clock,
    connections: usize,
    readers: usize,
) -> Started<Threads> {
    let client = Arc::new(Client::new());
    let (couriers, farewell) = Couriers::new("courier", COURIERS, client.clone());
    let (call_backs, farewell_too) = Couriers::new("call-back", CALL_BACK_COURIERS, client);
    let (inbox_in, inbox) = bounded(pulse::INBOX);
    let (report_to, reports) = bounded(pulse::INBOX);
    let (stop_pulse, stop) = bounded(1);
    let (door_in, door) = bounded(usher::DOOR);
    let joins = Joins::new(entropy());
    let challenger = joins.challenger();
    let usher = Usher {
        joins,
        clock,
        door,
        door_in: door_in.clone(),
        inbox: inbox_in.clone(),
        couriers: couriers.clone(),
        call_backs,
    };
    let entrance = node.entrance();
    let pulse = Pulse {
        node,
        clock,
        inbox,
        reports,
        report_to,
        couriers,
        stop,
        leaver: None,
    };
    let agent = Arc::new(Agent {
        inbox: inbox_in,
        door: door_in,
        entrance,
        challenger,
        readers: Readers::new(settings.data_dir.join("arctic.db"), readers),
        data_dir: settings.data_dir.clone(),
        clock,
        parked: Gate::new((connections / 2).max(1)),
    });
    Ok(Threads {
        agent,
        pulse: guarded("pulse", move || pulse.run())?,
        stop_pulse,
        usher: guarded("usher", move || usher.run())?,
        farewells: vec![farewell, farewell_too],
    })
}

/// A thread without which the agent is only half alive: if it panics the process ends, loudly, and
/// the service manager starts it again.
fn guarded(name: &'static str, work: impl FnOnce() + Send + 'static) -> Started<JoinHandle<()>> {
    let watched = move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        if result.is_err() {
            log::error!("the {name} thread failed; stopping");
            std::process::abort();
        }
    };
    threads::spawn(name, watched).map_err(|e| StartError(format!("no thread for the {name}: {e}")))
}

impl Threads {
    /// The usher first: whoever waits for a handshake is answered while its connection drains. Then
    /// the couriers, and last the pulse, which owns the store.
    fn stop(self, running: Running) {
        let told = self.agent.node(|node, now| {
            node.goodbye(now);
            Ok(())
        });
        if let Err(e) = told {
            log::warn!("no goodbye was said: {e}");
        }
        // The usher never waits long, so a full door empties; one that stays full is not waited for.
        let stopping = self.agent.door.send_timeout(Knock::Stop, DRAIN).is_ok();
        running.stop(DRAIN);
        if stopping {
            let _ = self.usher.join();
        }
        let _ = self.stop_pulse.try_send(());
        let _ = self.pulse.join();
        for farewell in self.farewells {
            farewell.wait(GOODBYE);
        }
        log::info!("stopped");
    }
}

fn announce(settings: &Settings, listen: SocketAddr) -> Started<()> {
    log::info!("arctic {} listening on {listen}", env!("CARGO_PKG_VERSION"));
    let Some(file) = &settings.port_file else {
        return Ok(());
    };
    let beside = file.with_extension("new");
    let written =
        std::fs::write(&beside, listen.to_string()).and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|e| StartError(format!("{}: {e}", file.display())))
}

/// When standard input ends, so does this agent: whoever started it is gone, for whatever reason.
fn watch_stdin(remove: Option<std::path::PathBuf>) -> Started<()> {
    let watch = move || {
        let mut byte = [0u8; 64];
        let mut stdin = std::io::stdin().lock();
        while matches!(stdin.read(&mut byte), Ok(n) if n > 0) {}
        if let Some(dir) = remove {
            let _ = std::fs::remove_dir_all(dir);
        }
        let _ = signal_hook::low_level::raise(SIGTERM);
    };
    threads::spawn("stdin", watch)
        .map(drop)
        .map_err(|e| StartError(e.to_string()))
}

fn wait_for_signal(mut signals: Signals) {
    if let Some(signal) = signals.forever().next() {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        log::info!("{name}: stopping");
    }
}

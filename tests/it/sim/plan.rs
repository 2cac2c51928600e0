//! What operators and the world do to the hosts: the steps of a run, and how a seed draws them.

use super::rogue;
use super::world::{Checked, World};
use arctic::domain::{Error, HandshakeFault, KeyHash, Name, PeerId, ServiceId, Transport};
use arctic::node::NewService;

/// When the network heals and every host is up again.
pub const HEAL_MS: u64 = 60_000;
/// How long convergence may take after that.
pub const BOUND_MS: u64 = 60_000;
/// The end of a run: the retries of a departure, doubled while nobody answered, have had their turn.
pub const END_MS: u64 = HEAL_MS + 65_000;

#[derive(Clone)]
pub enum Step {
    Bootstrap(usize),
    /// This host joins a cluster of these hosts, by its own `peers add` or by one of theirs.
    Join(usize, std::ops::Range<usize>),
    /// Two clusters meet: one add between any two of them.
    Meet(usize),
    Crash {
        host: usize,
        silent: bool,
        down_ms: u64,
    },
    Start(usize),
    Cut(Vec<(usize, usize)>),
    Mend(Vec<(usize, usize)>),
    Loss(u64),
    Clock(usize, i64),
    LoseDisk(usize),
    Move(usize),
    Hide(usize),
    AddAgain(usize),
    Depart(usize),
    CreateService(usize),
    EditService(usize),
    DeleteService(usize),
    Sync(usize),
    Rogue,
    Heal,
    Reconnect,
}

impl Step {
    pub fn take(self, world: &mut World) -> Checked {
        match self {
            Step::Bootstrap(host) => {
                let now = world.now_ms;
                let done = world.hosts[host].bootstrap(now);
                done.map_err(|e| format!("bootstrap of host {host}: {e}"))?;
                world.settle(host)
            }
            Step::Join(host, cluster) => join(world, host, cluster),
            Step::Meet(second) => meet(world, second),
            Step::Crash {
                host,
                silent,
                down_ms,
            } => {
                world.crash(host);
                world.hosts[host].silent = silent;
                world.at((world.now_ms + down_ms).min(HEAL_MS), Step::Start(host));
                Ok(())
            }
            Step::Start(host) => world.start(host),
            Step::Cut(pairs) => {
                world.trace.note(world.now_ms, "cut", pairs.len(), 0, 0);
                pairs.iter().for_each(|(a, b)| world.net.cut(*a, *b));
                Ok(())
            }
            Step::Mend(pairs) => {
                world.trace.note(world.now_ms, "mend", pairs.len(), 0, 0);
                pairs.iter().for_each(|(a, b)| world.net.mend(*a, *b));
                Ok(())
            }
            Step::Loss(loss) => {
                world.net.loss = loss;
                Ok(())
            }
            Step::Clock(host, by_ms) => {
                world
                    .trace
                    .note(world.now_ms, "clock", host, 0, by_ms as u64);
                world.hosts[host].wall_step_ms = by_ms;
                world.settle(host)
            }
            Step::LoseDisk(host) => lose_disk(world, host),
            Step::Move(host) if world.hosts[host].is_up() => world.relocate(host),
            Step::Move(_) => Ok(()),
            Step::Hide(host) => hide(world, host),
            Step::AddAgain(host) => add_again(world, host),
            Step::Depart(host) => depart(world, host),
            Step::CreateService(host) => create_service(world, host),
            Step::EditService(host) => edit_service(world, host),
            Step::DeleteService(host) => match a_service(world, host) {
                Some(id) => world
                    .command(host, "unserve", |node, now| node.delete_service(id, now))
                    .map(drop),
                None => Ok(()),
            },
            Step::Sync(host) => world.command(host, "sync", |node, _| node.sync()).map(drop),
            Step::Rogue => rogue::act(world),
            Step::Heal => heal(world),
            Step::Reconnect => reconnect(world),
        }
    }

    /// A `peers add` is over. An operator tries again where trying again makes sense.
    pub fn joined(
        world: &mut World,
        host: usize,
        target: usize,
        outcome: Result<bool, Error>,
    ) -> Checked {
        match outcome {
            Ok(_) if host >= world.members || target >= world.members => Err(format!(
                "host {host} and host {target} joined across two licenses"
            )),
            // The operator's wish stands here, though the other side has still to lift its own deletion.
            Ok(_) | Err(Error::Handshake(HandshakeFault::DeletedThere)) => {
                let hash = world.hosts[target].hash();
                world.oracle.shown_again(host, hash);
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }
}

/// Tries until it has found the first of them, or what ended it.
fn join(world: &mut World, host: usize, cluster: std::ops::Range<usize>) -> Checked {
    if world.hosts[host].departed || knows(world, host, cluster.start) || world.now_ms >= HEAL_MS {
        return Ok(());
    }
    world.at(world.now_ms + 3000, Step::Join(host, cluster.clone()));
    let other = cluster.start + world.rng.below(cluster.len());
    if other == host || !world.hosts[other].is_active() {
        return Ok(());
    }
    match world.rng.chance(500) {
        true => world.add(host, other),
        false => world.add(other, host),
    }
}

fn meet(world: &mut World, second: usize) -> Checked {
    let here = world.rng.below(second);
    let there = second + world.rng.below(world.members - second);
    let met = member_of(world, 0, second) || member_of(world, second, 0);
    if met || world.now_ms >= HEAL_MS {
        return Ok(());
    }
    world.at(world.now_ms + 5000, Step::Meet(second));
    match world.hosts[there].departed {
        true => Ok(()),
        false => world.add(here, there),
    }
}

fn lose_disk(world: &mut World, host: usize) -> Checked {
    if world.hosts[host].departed || host == 0 {
        return Ok(());
    }
    world.trace.note(world.now_ms, "lose-disk", host, 0, 0);
    world.crash(host);
    world.hosts[host].lose_disk();
    world.oracle.lost_disk(host);
    world.start(host)?;
    Step::Bootstrap(host).take(world)?;
    let everyone = 0..world.members;
    world.at(world.now_ms + 500, Step::Join(host, everyone));
    Ok(())
}

fn hide(world: &mut World, host: usize) -> Checked {
    let Some(target) = another_member(world, host) else {
        return Ok(());
    };
    let done = world.command(host, "hide", |node, now| node.delete_peer(target, now))?;
    if done.is_some() {
        world.oracle.hid(host, target);
    }
    Ok(())
}

/// Lifts a local deletion, or is told that there is none.
fn add_again(world: &mut World, host: usize) -> Checked {
    let hidden = |world: &World, t: usize| {
        let id = world.hosts[t].id;
        let node = world.hosts[host].node.as_ref();
        node.is_some_and(|n| n.peer(id).is_err()) && member_of(world, host, t)
    };
    let candidates: Vec<usize> = (0..world.members)
        .filter(|t| *t != host && hidden(world, *t))
        .collect();
    let target = match world.rng.pick(&candidates) {
        Some(target) => target,
        None => world.rng.below(world.members),
    };
    world.add(host, target)
}

fn depart(world: &mut World, host: usize) -> Checked {
    if !world.hosts[host].is_active() {
        return Ok(());
    }
    let hash = world.hosts[host].hash();
    world.oracle.departs(hash);
    let met = |i: usize| i != host && (member_of(world, i, host) || member_of(world, host, i));
    world.hosts[host].unknown = !(0..world.members).any(met);
    world.hosts[host].departed = true;
    match world.command(host, "depart", |node, now| node.remove_self(false, now))? {
        Some(_) => Ok(()),
        None => Err(format!("host {host} cannot leave")),
    }
}

fn create_service(world: &mut World, host: usize) -> Checked {
    let (Some(target), source) = (another_member(world, host), another_member(world, host)) else {
        return Ok(());
    };
    let new = NewService {
        source: source.filter(|s| *s != target && world.rng.chance(500)),
        target,
        transport: Transport::Tcp,
        name: Name::none(),
    };
    world
        .command(host, "serve", |node, now| node.create_service(new, now))
        .map(drop)
}

fn edit_service(world: &mut World, host: usize) -> Checked {
    let Some(id) = a_service(world, host) else {
        return Ok(());
    };
    let name = Name::parse(&format!("edited-{}", world.rng.below(1000))).ok();
    let edit = |node: &mut arctic::node::Node, now| {
        node.update_service(id, name, Some(Transport::Kcp), now)
    };
    world.command(host, "edit", edit).map(drop)
}

fn heal(world: &mut World) -> Checked {
    world.trace.note(world.now_ms, "heal", 0, 0, 0);
    world.net.heal();
    for host in 0..world.hosts.len() {
        world.start(host)?;
    }
    reconnect(world)
}

/// Whoever has not found the others by now is added again, until nobody is left outside.
fn reconnect(world: &mut World) -> Checked {
    let joined = |world: &World, i: usize| member_of(world, i, 0) && member_of(world, 0, i);
    let outside = |world: &World, i: usize| !(world.hosts[i].departed || joined(world, i));
    let all: Vec<usize> = (1..world.members).filter(|i| outside(world, *i)).collect();
    if !all.is_empty() {
        world.at(world.now_ms + 5000, Step::Reconnect);
    }
    let inside: Vec<usize> = (0..world.members)
        .filter(|i| !world.hosts[*i].departed && !all.contains(i))
        .collect();
    for host in all {
        let target = world.rng.pick(&inside).unwrap_or(0);
        world.add(host, target)?;
    }
    Ok(())
}

// What the hosts say, asked through the node itself.

/// Whether a host's register has another host as a member.
pub fn member_of(world: &World, host: usize, other: usize) -> bool {
    let hash: KeyHash = world.hosts[other].hash();
    let register = world.hosts[host].node.as_ref().and_then(|n| n.register());
    register.is_some_and(|r| r.member(hash).is_some())
}

fn knows(world: &World, host: usize, other: usize) -> bool {
    let hash: KeyHash = world.hosts[other].hash();
    let register = world.hosts[host].node.as_ref().and_then(|n| n.register());
    register.is_some_and(|r| r.member(hash).is_some() || r.ended(hash).is_some())
}

fn another_member(world: &mut World, host: usize) -> Option<PeerId> {
    let own = world.hosts[host].hash();
    let register = world.hosts[host].node.as_ref()?.register()?;
    let others: Vec<PeerId> = register
        .members()
        .filter(|(hash, _)| **hash != own)
        .map(|(_, record)| record.fields.id)
        .collect();
    world.rng.pick(&others)
}

fn a_service(world: &mut World, host: usize) -> Option<ServiceId> {
    let register = world.hosts[host].node.as_ref()?.register()?;
    let all: Vec<ServiceId> = register.services().map(|s| s.fields.id).collect();
    world.rng.pick(&all)
}

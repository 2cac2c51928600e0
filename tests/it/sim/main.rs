//! The simulator: real nodes on stores in memory, one seed, one queue of events.
//!
//! `ARCTIC_SIM_SEEDS=N` runs so many seeds, from `ARCTIC_SIM_FIRST`; `ARCTIC_SIM_SEED=S` one seed,
//! with `ARCTIC_SIM_TRACE=N` lines of its story and `ARCTIC_SIM_HOST=I` those about one host.

mod draw;
mod ends;
mod host;
mod net;
mod oracle;
mod pace;
mod plan;
mod props;
mod renewal;
mod rng;
mod rogue;
mod rules;
mod services;
mod story;
mod trace;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use world::World;

const HOSTS: usize = 50;
const MAX_NODES: u32 = 100;
const SEEDS: u64 = 200;

/// What a run leaves to compare and to print.
struct Run {
    hash: u64,
    converged_ms: u64,
    messages: u64,
    events: u64,
}

/// One seed from beginning to end; the error is the whole report.
fn run(seed: u64, hosts: usize) -> Result<Run, String> {
    let mut world = World::new(seed, hosts, 1, MAX_NODES);
    let faults = draw::draw(&mut world);
    assert!(faults >= 5, "seed {seed} has {faults} faults");
    let mut converged_ms = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        world.run_until(plan::HEAL_MS)?;
        converged_ms = Some(converge(&mut world)?);
        // What has converged stays so.
        world.run_until(plan::END_MS)?;
        oracle::converged(&world).map_err(|why| format!("no longer converged: {why}"))?;
        oracle::delivered(&world)
    }));
    let outcome = outcome.unwrap_or_else(|panic| Err(format!("a panic: {}", said(&*panic))));
    if let Err(why) = outcome {
        let host = std::env::var("ARCTIC_SIM_HOST")
            .ok()
            .and_then(|h| h.parse().ok());
        return Err(format!(
            "{}\nseed {seed}, at {} ms: {why}\nrun it again: ARCTIC_SIM_SEED={seed} cargo test --test sim one_seed -- --nocapture\n",
            world.trace.report(host),
            world.now_ms
        ));
    }
    Ok(Run {
        hash: world.trace.hash(),
        converged_ms: converged_ms.unwrap_or(0),
        messages: world.messages,
        events: world.trace.count(),
    })
}

/// Runs until all agree. Gives how long that took after healing.
fn converge(world: &mut World) -> Result<u64, String> {
    loop {
        let next = world.now_ms + 250;
        world.run_until(next)?;
        let took = world.now_ms - plan::HEAL_MS;
        let verdict = match oracle::agree(world) || took >= plan::BOUND_MS {
            true => oracle::converged(world),
            false => continue,
        };
        match verdict {
            Ok(()) => return Ok(took),
            Err(why) if took >= plan::BOUND_MS => {
                return Err(format!("not converged in time: {why}"));
            }
            Err(_) => {}
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
    text.unwrap_or_default()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What all seeds together came to.
#[derive(Default)]
struct Sum {
    slowest_ms: u64,
    messages: u64,
    failed: Vec<(u64, String)>,
}

/// The seeds, on two threads: each takes the next one.
#[test]
fn seeds() {
    let count = number("ARCTIC_SIM_SEEDS").unwrap_or(SEEDS);
    let begun = Instant::now();
    let next = AtomicU64::new(number("ARCTIC_SIM_FIRST").unwrap_or(0));
    let end = next.load(Ordering::Relaxed) + count;
    let sum = Mutex::new(Sum::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            let run = run(seed, HOSTS);
            let mut sum = sum
                .lock()
                .expect("the other thread holds it for a moment only");
            match run {
                Ok(run) => {
                    sum.slowest_ms = sum.slowest_ms.max(run.converged_ms);
                    sum.messages += run.messages;
                }
                Err(report) => {
                    eprintln!("seed {seed} failed");
                    sum.failed.push((seed, report));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let sum = sum.into_inner().expect("both threads ended well");
    println!(
        "{count} seeds of {HOSTS} nodes in {:.1} s; slowest convergence {} ms; {} messages a seed",
        begun.elapsed().as_secs_f32(),
        sum.slowest_ms,
        sum.messages / count.max(1)
    );
    if let Some((_, report)) = sum.failed.first() {
        let last = |r: &str| {
            r.lines()
                .find(|l| l.starts_with("seed "))
                .map(str::to_string)
        };
        let lines: Vec<String> = sum.failed.iter().filter_map(|(_, r)| last(r)).collect();
        panic!(
            "{report}\n{} of {count} seeds failed:\n{}",
            lines.len(),
            lines.join("\n")
        );
    }
}

/// The seed that `ARCTIC_SIM_SEED` names.
#[test]
fn one_seed() {
    let Some(seed) = number("ARCTIC_SIM_SEED") else {
        return;
    };
    let begun = Instant::now();
    let run = run(seed, HOSTS).unwrap_or_else(|report| panic!("{report}"));
    println!(
        "seed {seed}: converged {} ms after healing; {} messages, {} events, trace {:016x}, {:.2} s",
        run.converged_ms,
        run.messages,
        run.events,
        run.hash,
        begun.elapsed().as_secs_f32()
    );
}

/// One seed is one story: whoever finds a failure can see it again.
#[test]
fn a_seed_tells_the_same_story_twice() {
    let story = |seed| run(seed, 12).unwrap_or_else(|report| panic!("{report}"));
    let (a, b) = (story(7), story(7));
    assert_eq!(
        (a.hash, a.events, a.messages),
        (b.hash, b.events, b.messages)
    );
    assert_ne!(a.hash, story(8).hash);
}

/// The simulator carries bytes. Rules of membership are the node's, and so are the tests of them.
#[test]
fn the_simulator_drives_the_real_node_and_knows_no_rule() {
    let drivers = [
        include_str!("world.rs"),
        include_str!("host.rs"),
        include_str!("net.rs"),
        include_str!("wire.rs"),
        include_str!("plan.rs"),
        include_str!("draw.rs"),
        include_str!("oracle.rs"),
    ]
    .concat();
    assert!(drivers.contains("use arctic::node::{Config, Entropy, Joins, Node, Port}"));
    assert_eq!(drivers.matches("Node::new(").count(), 1);
    for rule in [
        "Register::default",
        ".consider(",
        ".apply(",
        "struct Node",
        "fn merge",
        "Liveness",
        "Gossip::",
    ] {
        assert!(
            !drivers.contains(rule),
            "the simulator has a rule of its own: {rule}"
        );
    }
}

//! Figures of real clusters on loopback: `cargo bench --bench cluster [-- 3 10 30]`.
//!
//! Prints medians and worst cases and judges nothing. Times are seen through the HTTP API, one agent
//! after the other, so they are a few milliseconds longer than what happened. Needs Linux's /proc.

#[allow(dead_code, unused_imports)]
#[path = "../it/harness/mod.rs"]
mod harness;

use harness::*;
use std::time::{Duration, Instant};

/// Joins, departures, crashes and restarts that are measured for each size.
const ROUNDS: usize = 7;
/// How long a quiet cluster is watched, after it had as long to calm down.
const QUIET: Duration = Duration::from_secs(15);
/// After so long a figure is "never".
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Cargo runs benches as tests too, without this word; then there is nothing to do.
    if !args.iter().any(|a| a == "--bench") {
        println!("figures: cargo bench --bench cluster [-- SIZE...]");
        return;
    }
    let mut sizes: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![3, 10, 30];
    }
    println!(
        "medians (worst) of {ROUNDS} rounds, times in ms, loads an agent over {} s of quiet",
        QUIET.as_secs()
    );
    println!(
        "{:>3} {:>14} {:>14} {:>14} {:>16} {:>14} {:>8} {:>7} {:>8} {:>7}",
        "N",
        "add",
        "join known",
        "leave known",
        "SIGKILL known",
        "restart seen",
        "RSS MiB",
        "CPU %",
        "lo B/s",
        "disk B"
    );
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let lab = Lab::with_limits(1000, 1000);
    let mut agents: Vec<Agent> = (0..size)
        .map(|i| lab.member(&format!("agent{i}")))
        .collect();
    let adds: Vec<Duration> = agents[1..]
        .iter()
        .map(|other| timed(|| drop(agents[0].add(other).is(201))))
        .collect();
    known(&agents, |at, other| at.sees(other) == "alive");
    let (mut joins, mut leaves) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (join, leave) = come_and_go(&lab, &agents, round);
        joins.push(join);
        leaves.push(leave);
    }
    let (mut kills, mut returns) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (kill, back) = fall_and_rise(&mut agents, 1 + round % (size - 1));
        kills.push(kill);
        returns.push(back);
    }
    let quiet = Load::of_quiet(&agents);
    println!(
        "{size:>3} {:>14} {:>14} {:>14} {:>16} {:>14} {:>8.1} {:>7.2} {:>8.0} {:>7}",
        figures(adds),
        figures(joins),
        figures(leaves),
        figures(kills),
        figures(returns),
        quiet.resident_mib,
        quiet.cpu_percent,
        quiet.bytes_per_second,
        quiet.disk_bytes
    );
}

/// A newcomer is added until all know it, and removes itself until none does.
fn come_and_go(lab: &Lab, agents: &[Agent], round: usize) -> (Duration, Duration) {
    let guest = lab.member(&format!("guest{round}"));
    let join = timed(|| {
        agents[round % agents.len()].add(&guest).is(201);
        everyone(agents, |at| at.sees(&guest) == "alive");
        everyone(agents, |at| guest.sees(at) == "alive");
    });
    let leave = timed(|| {
        guest.call("DELETE", "/v1/peers/self", None).is(200);
        everyone(agents, |at| at.sees(&guest).is_empty());
    });
    (join, leave)
}

/// One is killed until all others call it unreachable, and started until all see it alive.
fn fall_and_rise(agents: &mut Vec<Agent>, which: usize) -> (Duration, Duration) {
    let mut victim = agents.remove(which);
    victim.kill();
    let kill = timed(|| everyone(agents, |at| at.sees(&victim) == "unreachable"));
    let back = timed(|| {
        victim.restart();
        everyone(agents, |at| at.sees(&victim) == "alive");
    });
    agents.insert(which, victim);
    (kill, back)
}

fn known(agents: &[Agent], is: impl Fn(&Agent, &Agent) -> bool) {
    for at in agents {
        everyone(agents, |other| is(at, other));
    }
}

/// Asks one after the other until each of them says yes.
fn everyone(agents: &[Agent], is: impl Fn(&Agent) -> bool) {
    let end = Instant::now() + PATIENCE;
    for at in agents {
        while !is(at) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn timed(act: impl FnOnce()) -> Duration {
    let since = Instant::now();
    act();
    since.elapsed()
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) else {
        return "-".into();
    };
    if *worst >= PATIENCE {
        return "never".into();
    }
    format!(
        "{:.0} ({:.0})",
        median.as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3
    )
}

/// What a cluster costs that nobody asks anything.
struct Load {
    resident_mib: f64,
    cpu_percent: f64,
    /// Everything that crossed loopback meanwhile, divided by the agents.
    bytes_per_second: f64,
    /// Written by all agents together.
    disk_bytes: u64,
}

impl Load {
    fn of_quiet(agents: &[Agent]) -> Load {
        std::thread::sleep(QUIET);
        let (cpu, disk, lo) = (total(agents, ticks), total(agents, written), loopback());
        std::thread::sleep(QUIET);
        let (cpu, disk, lo) = (
            total(agents, ticks) - cpu,
            total(agents, written) - disk,
            loopback() - lo,
        );
        let share = QUIET.as_secs_f64() * agents.len() as f64;
        Load {
            resident_mib: total(agents, resident_kib) as f64 / 1024.0 / agents.len() as f64,
            // The kernel counts in hundredths of a second for programs (USER_HZ).
            cpu_percent: cpu as f64 / share,
            bytes_per_second: lo as f64 / share,
            disk_bytes: disk,
        }
    }
}

fn total(agents: &[Agent], of: fn(u32) -> u64) -> u64 {
    agents.iter().map(|agent| of(agent.pid())).sum()
}

fn ticks(pid: u32) -> u64 {
    let stat = proc(pid, "stat");
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let field = |n| rest.split(' ').nth(n).and_then(|t| t.parse::<u64>().ok());
    field(11).unwrap_or(0) + field(12).unwrap_or(0)
}

fn written(pid: u32) -> u64 {
    labelled(&proc(pid, "io"), "write_bytes:")
}

fn resident_kib(pid: u32) -> u64 {
    labelled(&proc(pid, "status"), "VmRSS:")
}

fn loopback() -> u64 {
    let text = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    labelled(&text, "lo:")
}

fn proc(pid: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// The number after a label that begins a line.
fn labelled(text: &str, label: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(label));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

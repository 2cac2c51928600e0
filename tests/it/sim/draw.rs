//! How a seed becomes a run: who joins whom, which faults, which commands, and when.

use super::plan::{END_MS, HEAL_MS, Step};
use super::world::World;

/// By then most hosts have joined their cluster.
const FORMED_MS: u64 = 10_000;

/// Draws a whole run. Returns how many faults it has.
pub fn draw(world: &mut World) -> usize {
    let n = world.members;
    let second = n - world.rng.between(n as u64 / 5, n as u64 / 2) as usize;
    for host in 0..world.hosts.len() {
        world.at(0, Step::Bootstrap(host));
    }
    for host in 0..n {
        let own = if host < second { 0..second } else { second..n };
        if host != own.start {
            let late = if world.rng.chance(150) {
                40_000
            } else {
                FORMED_MS - 3000
            };
            let at = world.rng.between(100, late);
            world.at(at, Step::Join(host, own));
        }
    }
    let meeting = world.rng.between(FORMED_MS, 45_000);
    world.at(meeting, Step::Meet(second));
    let faults = world.rng.between(6, 14) as usize;
    for _ in 0..faults {
        draw_fault(world);
    }
    draw_commands(world);
    for i in 0..END_MS / 500 {
        world.at(i * 500, Step::Rogue);
    }
    world.at(HEAL_MS, Step::Heal);
    faults
}

fn draw_fault(world: &mut World) {
    let at = world.rng.between(3000, HEAL_MS - 3000);
    let last = HEAL_MS - 1000 - at;
    let host = world.rng.below(world.members);
    let step = match world.rng.below(10) {
        0..=2 => Step::Crash {
            host,
            silent: world.rng.chance(300),
            down_ms: world.rng.between(200, 20_000),
        },
        3..=5 => {
            let pairs = draw_cut(world);
            let mended = at + cut_for(world, pairs.len()).min(last);
            world.at(mended, Step::Mend(pairs.clone()));
            Step::Cut(pairs)
        }
        6 => {
            let before = world.net.loss;
            let over = at + world.rng.between(1000, 8000).min(last);
            world.at(over, Step::Loss(before));
            Step::Loss(world.rng.between(200, 600))
        }
        7 => Step::Clock(
            host,
            world.rng.between(0, 20 * 86_400_000) as i64 - 10 * 86_400_000,
        ),
        8 => Step::LoseDisk(host),
        _ => Step::Move(host),
    };
    world.at(at, step);
}

/// How long a cut lasts. Across a split everyone dials everyone, so a long one says nothing new for a
/// lot of work; who is alone may be so for long.
fn cut_for(world: &mut World, pairs: usize) -> u64 {
    match pairs < 4 * world.members {
        true => world.rng.between(1000, 25_000),
        false => world.rng.between(1000, 9000),
    }
}

/// A split, one host alone, or one direction only.
fn draw_cut(world: &mut World) -> Vec<(usize, usize)> {
    let n = world.hosts.len();
    let share = world.rng.between(1, 500);
    let alone = world.rng.chance(300).then(|| world.rng.below(n));
    let side: Vec<bool> = (0..n)
        .map(|i| match alone {
            Some(host) => i == host,
            None => world.rng.chance(share),
        })
        .collect();
    let (there, back) = match world.rng.below(3) {
        0 => (true, false),
        1 => (false, true),
        _ => (true, true),
    };
    let mut pairs = Vec::new();
    for a in 0..n {
        for b in 0..n {
            let across = (side[a] && !side[b] && there) || (!side[a] && side[b] && back);
            if across {
                pairs.push((a, b));
            }
        }
    }
    pairs
}

fn draw_commands(world: &mut World) {
    let mut some = |low: u64, high: u64, make: &dyn Fn(usize) -> Step, anchor: usize| {
        for _ in 0..world.rng.between(low, high) {
            let at = world.rng.between(FORMED_MS, HEAL_MS - 500);
            let host = anchor + world.rng.below(world.members - anchor);
            world.at(at, make(host));
        }
    };
    some(2, 8, &Step::Hide, 0);
    some(1, 4, &Step::AddAgain, 0);
    // Host 0 stays: somebody has to be there to find the others again.
    some(1, 5, &Step::Depart, 1);
    some(4, 8, &Step::CreateService, 0);
    some(4, 8, &Step::EditService, 0);
    some(1, 4, &Step::DeleteService, 0);
    some(0, 1, &Step::Sync, 0);
}

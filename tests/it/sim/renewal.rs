//! A renewal of the license, rolled out host by host: in the middle of it a cluster keeps its members and
//! goes on admitting, whoever keeps the old issue alone is shut out at its end, and nobody else is.

use super::oracle;
use super::plan::{Step, member_of};
use super::rng::Rng;
use super::story::{cluster, until};
use super::world::World;
use arctic::domain::license::Terms;
use arctic::domain::{License, Timestamp};

/// What an operator does on one host.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Renew(usize),
    Forget(usize),
}

/// Between two of them.
const PAUSE_MS: u64 = 2500;

/// The later issue of the license that the hosts began with.
fn renewed(world: &World) -> License {
    let terms = Terms {
        issued_at: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        ..world.hosts[0].license.terms.clone()
    };
    License::issue(terms, &world.issuer)
}

fn act(world: &mut World, what: Act, license: &License) {
    let (host, renewal) = match what {
        Act::Renew(host) => (host, Some(license.clone())),
        Act::Forget(host) => (host, None),
    };
    let forget = renewal.is_none();
    let done = world.command(host, "renewal", |node, now| {
        node.update_license(renewal, forget, now)
    });
    assert!(done.unwrap().is_some(), "{what:?}");
}

/// A host that never had another issue: what it signed before the renewal keeps its tags, so it starts
/// again and signs anew.
fn holds_only(world: &mut World, host: usize, license: &License) {
    act(world, Act::Renew(host), license);
    act(world, Act::Forget(host), license);
    world.crash(host);
    world.start(host).unwrap();
}

/// The status that one host shows for another; none where it does not list it.
fn sees(world: &World, here: usize, there: usize) -> Option<String> {
    let node = world.hosts[here].node.as_ref()?;
    Some(node.peer(world.hosts[there].id).ok()?.status)
}

fn pairs(hosts: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..hosts).flat_map(move |a| (0..hosts).filter(move |b| *b != a).map(move |b| (a, b)))
}

fn services(world: &World, host: usize) -> usize {
    let node = world.hosts[host].node.as_ref().unwrap();
    node.services(None, None).unwrap().len()
}

/// Every order of these hosts' two acts in which each renews before it forgets.
fn orders(todo: &[usize], renewed: &[usize]) -> Vec<Vec<Act>> {
    let without = |list: &[usize], host: usize| -> Vec<usize> {
        list.iter().copied().filter(|h| *h != host).collect()
    };
    let behind = |first: Act, rest: Vec<Vec<Act>>| {
        rest.into_iter()
            .map(move |order| [vec![first], order].concat())
    };
    let mut all = Vec::new();
    for host in todo {
        let after = [renewed, &[*host]].concat();
        all.extend(behind(
            Act::Renew(*host),
            orders(&without(todo, *host), &after),
        ));
    }
    for host in renewed {
        let rest = orders(todo, &without(renewed, *host));
        all.extend(behind(Act::Forget(*host), rest));
    }
    match todo.is_empty() && renewed.is_empty() {
        true => vec![Vec::new()],
        false => all,
    }
}

/// Whether everybody renews before anybody forgets, as the man page says it.
fn in_turn(order: &[Act]) -> bool {
    let last = order.iter().rposition(|a| matches!(a, Act::Renew(_)));
    let first = order.iter().position(|a| matches!(a, Act::Forget(_)));
    last < first
}

/// Three hosts in this order, a service after each act, and a fourth host that joins before the act of
/// this number, with the old issue where anybody still has it.
fn roll_out(order: &[Act], joins: usize) {
    let told = format!("{order:?}, joined before {joins}");
    let mut world = cluster(31, 3, 1);
    let license = renewed(&world);
    let (mut made, mut holders) = (0, 3);
    for (number, what) in order.iter().enumerate() {
        if number == joins {
            if holders == 0 {
                act(&mut world, Act::Renew(3), &license);
            }
            world.at(world.now_ms, Step::Join(3, 0..3));
            until_passed(&mut world);
        }
        act(&mut world, *what, &license);
        holders -= usize::from(matches!(what, Act::Forget(_)));
        let at_ms = world.now_ms;
        world.at(at_ms, Step::CreateService(number % 3));
        made += 1;
        until_passed(&mut world);
        for (here, there) in pairs(3) {
            let status = sees(&world, here, there);
            let well = match in_turn(order) {
                true => status.as_deref() == Some("alive"),
                false => status.is_some() && status.as_deref() != Some("unreachable"),
            };
            assert!(
                well,
                "{told}: after {number} {here} sees {there} {status:?}"
            );
        }
        if in_turn(order) && number >= joins && number < 3 {
            let inside = (0..3).all(|host| member_of(&world, host, 3));
            assert!(inside, "{told}: not admitted in the middle");
        }
    }
    let _ = world.command(3, "renewal", |node, now| {
        node.update_license(Some(license), true, now)
    });
    let at_ms = world.now_ms;
    until(&mut world, at_ms + 20_000);
    oracle::converged(&world).unwrap_or_else(|why| panic!("{told}: {why}"));
    for host in 0..4 {
        assert_eq!(services(&world, host), made, "{told}: host {host}");
    }
}

fn until_passed(world: &mut World) {
    let at_ms = world.now_ms;
    until(world, at_ms + PAUSE_MS);
}

/// Those of the 90 orders in which everybody renews before anybody forgets, or the others.
fn roll_out_all(turned: bool, count: usize) {
    let all = orders(&[0, 1, 2], &[]);
    let some = all.iter().filter(|order| in_turn(order) == turned);
    assert_eq!(some.clone().count(), count);
    for (number, order) in some.enumerate() {
        roll_out(order, number % 6);
    }
}

#[test]
fn a_renewal_in_every_order_keeps_every_member_alive() {
    roll_out_all(true, 36);
}

#[test]
fn whoever_forgets_too_early_shuts_out_until_the_others_have_renewed() {
    roll_out_all(false, 54);
}

/// More hosts, at times that a seed draws, with crashes, loss and joins half-way by either issue.
fn drawn(seed: u64) {
    const HOSTS: usize = 8;
    let mut world = cluster(seed, HOSTS, 2);
    let license = renewed(&world);
    let mut draw = Rng::new(seed);
    world.net.loss = 50;
    let mut acts = Vec::new();
    for host in 0..HOSTS {
        let at_ms = draw.between(15_000, 40_000);
        acts.push((at_ms, Act::Renew(host)));
        acts.push((draw.between(at_ms + 1, 50_000), Act::Forget(host)));
    }
    acts.sort_by_key(|(at_ms, _)| *at_ms);
    for at_ms in (15_000..50_000).step_by(700) {
        world.at(at_ms, Step::CreateService(draw.below(HOSTS)));
        world.at(at_ms, Step::EditService(draw.below(HOSTS)));
    }
    // One joins with the old issue, the other with the new one alone.
    holds_only(&mut world, HOSTS + 1, &license);
    for fresh in [HOSTS, HOSTS + 1] {
        world.at(draw.between(16_000, 35_000), Step::Join(fresh, 0..HOSTS));
    }
    for (at_ms, what) in acts {
        until(&mut world, at_ms);
        act(&mut world, what, &license);
        if draw.chance(300) {
            let host = draw.below(HOSTS);
            world.crash(host);
            world.start(host).unwrap();
        }
    }
    act(&mut world, Act::Renew(HOSTS), &license);
    world.net.heal();
    until(&mut world, 59_000);
    world.at(59_000, Step::Reconnect);
    until(&mut world, 110_000);
    oracle::converged(&world).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
}

#[test]
fn a_renewal_under_traffic_with_joins_half_way_ends_as_one_cluster() {
    (0..3).for_each(drawn);
}

/// Between members that have no issue in common stands one that holds both: what it passes on has the tags
/// of both, so that whoever joins on one side is known on the other.
#[test]
fn a_member_that_holds_both_issues_brings_either_sides_newcomers_to_the_other() {
    let [both, old, new] = [0, 1, 2];
    let mut world = cluster(34, 3, 2);
    let license = renewed(&world);
    for what in [Act::Renew(both), Act::Renew(new), Act::Forget(new)] {
        act(&mut world, what, &license);
    }
    holds_only(&mut world, 4, &license);
    for (newcomer, side) in [(3, old), (4, new)] {
        world.at(world.now_ms, Step::Join(newcomer, side..side + 1));
    }
    let at_ms = world.now_ms;
    until(&mut world, at_ms + 20_000);
    for host in [both, old, new] {
        for newcomer in [3, 4] {
            let inside = member_of(&world, host, newcomer);
            assert!(inside, "host {host} has not heard of {newcomer}");
        }
    }
}

/// The last member that keeps the old issue, and a newcomer that has nothing else, as after a theft.
#[test]
fn whoever_keeps_the_old_license_alone_is_shut_out_and_nobodys_way_in() {
    const LATE: usize = 3;
    const NEWCOMER: usize = 4;
    let mut world = cluster(33, 4, 1);
    let license = renewed(&world);
    for what in [Act::Renew, Act::Forget] {
        for host in 0..LATE {
            act(&mut world, what(host), &license);
        }
    }
    world.at(world.now_ms + 5000, Step::Join(NEWCOMER, LATE..LATE + 1));
    for host in 0..LATE {
        world.add(NEWCOMER, host).unwrap();
        world.add(host, NEWCOMER).unwrap();
        let at_ms = world.now_ms;
        world.at(at_ms + 10_000, Step::CreateService(LATE));
        until(&mut world, at_ms + 12_000);
    }
    assert!(member_of(&world, LATE, NEWCOMER) && member_of(&world, NEWCOMER, LATE));
    let id = |host: usize| world.hosts[host].id.to_string();
    let status = |host: usize| {
        let now = world.hosts[host].now(world.now_ms);
        world.hosts[host]
            .node
            .as_ref()
            .unwrap()
            .status(now)
            .unwrap()
    };
    for host in 0..LATE {
        assert!(!member_of(&world, host, NEWCOMER), "{host}");
        assert_eq!(services(&world, host), 0, "{host}");
        assert_eq!(sees(&world, host, LATE).as_deref(), Some("suspect"));
        assert_eq!(sees(&world, LATE, host).as_deref(), Some("suspect"));
        assert!(status(host).refuses.contains(&id(LATE)), "{host}");
        assert!(status(LATE).refused_by.contains(&id(host)), "{host}");
    }
    for (here, there) in pairs(LATE) {
        assert_eq!(sees(&world, here, there).as_deref(), Some("alive"));
    }
    // Its operator renews at last, and it is a member as before. The newcomer, whose record it brings, still
    // is heard by nobody.
    act(&mut world, Act::Renew(LATE), &license);
    let at_ms = world.now_ms;
    until(&mut world, at_ms + 20_000);
    for host in 0..LATE {
        assert_eq!(sees(&world, host, LATE).as_deref(), Some("alive"));
        assert_eq!(sees(&world, LATE, host).as_deref(), Some("alive"));
        assert_ne!(sees(&world, host, NEWCOMER).as_deref(), Some("alive"));
        let now = world.hosts[host].now(world.now_ms);
        let status = world.hosts[host].node.as_ref().unwrap().status(now);
        let refused_by = status.unwrap().refused_by;
        assert!(!refused_by.contains(&world.hosts[LATE].id.to_string()));
    }
}

//! Services over months: deletions are remembered for 90 days, and then they are gone everywhere.

use super::plan::Step;
use super::story::until;
use super::world::World;
use arctic::domain::{Error, Name, Result, ServiceId, Timestamp, Transport};
use arctic::node::NewService;
use arctic::wire::operator::Service;

/// Two hosts that have met, of a license for ten nodes.
fn pair(seed: u64) -> World {
    let mut world = World::new(seed, 2, 0, 10);
    world.net.heal();
    for host in 0..2 {
        world.at(0, Step::Bootstrap(host));
    }
    world.at(100, Step::Join(1, 0..2));
    until(&mut world, 15_000);
    world
}

/// An operator of this host asks for a service to another.
fn create(world: &mut World, host: usize, target: usize) -> Result<Service> {
    let new = NewService {
        source: None,
        target: world.hosts[target].id,
        transport: Transport::Tcp,
        name: Name::none(),
    };
    let now = world.hosts[host].now(world.now_ms);
    let node = world.hosts[host].node.as_mut().expect("it runs");
    let made = node.create_service(new, now);
    world.settle(host).expect("nothing goes wrong");
    made
}

fn delete(world: &mut World, host: usize, service: &Service) {
    let id = ServiceId::parse(&service.id).expect("an id");
    let done = world.command(host, "unserve", |node, now| node.delete_service(id, now));
    assert!(done.expect("nothing goes wrong").is_some());
}

/// Every deletion took a place for ever, and after some 4,000 nothing could be created any more. So
/// many as are remembered are many more, and whoever is refused hears until when.
#[test]
fn services_that_come_and_go_leave_room_for_others() {
    let mut world = pair(41);
    let first = world.hosts[0].now(world.now_ms).wall.0 / 1000 * 1000;
    for round in 0..8192 {
        let service = create(&mut world, 0, 1);
        let service = service.unwrap_or_else(|e| panic!("the {round}th creation: {e}"));
        delete(&mut world, 0, &service);
    }
    let refused = create(&mut world, 0, 1).expect_err("8192 deletions are remembered");
    assert_eq!(
        refused,
        Error::TombstoneLimit(Timestamp(first).plus_days(90))
    );
    assert_eq!(refused.code().row().name, "TOMBSTONE_LIMIT");
}

/// By a clock that lags, a deletion would be over before the others have heard of it.
#[test]
fn a_deletion_is_no_older_than_its_service_and_its_license() {
    let mut world = pair(42);
    let sound = create(&mut world, 1, 0).unwrap();
    let soon = world.now_ms + 1000;
    until(&mut world, soon);
    world.hosts[0].wall_step_ms = -world.hosts[0].now(0).wall.0;
    let strange = create(&mut world, 0, 1).unwrap();
    for service in [&sound, &strange] {
        delete(&mut world, 0, service);
    }
    let register = world.hosts[0].node.as_ref().unwrap().register().unwrap();
    let deleted_at = |service: &Service| {
        let id = ServiceId::parse(&service.id).unwrap();
        register.service(id).unwrap().fields.deleted_at
    };
    assert_eq!(deleted_at(&sound), Some(sound.created_at));
    let issued_at = world.hosts[0].license.terms.issued_at;
    assert!(strange.created_at < issued_at);
    assert_eq!(deleted_at(&strange), Some(issued_at));
}

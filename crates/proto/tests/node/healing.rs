//! Whoever is missing is looked for, and views that differ are exchanged.

use std::time::Duration;

use mingle_proto::{Command, Config, Counter, Event, Local, Missing, SeedKind, Sought};
use mingle_wire::State;

use crate::world::{World, address, count};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_split_heals_by_itself_within_seconds_however_long_it_was() {
    for split in [20, 100, 3_000] {
        let mut world = World::joined(4, &Config::lan());
        world.set_rule(|from, to, _| (from < 2) == (to < 2));
        world.run(split * SECOND);
        assert_eq!(world.state(0, 2), Some(State::Dead), "it is kept, and shown as what it is");
        assert_eq!(world.nodes[0].missing(), Missing { failed: 2, ..Missing::default() });
        world.heal();
        world.run(25 * SECOND);
        assert!(world.all_see_all(), "after {split} s");
        assert_eq!(world.nodes[0].missing(), Missing::default());
    }
}

#[test]
fn looking_for_the_dead_costs_one_attempt_in_an_interval_at_most() {
    let mut world = World::joined(4, &Config::lan());
    world.up[3] = false;
    world.run(60 * SECOND);
    let before: u64 = (0..3).map(|node| count(&world, node, Counter::Reconnects)).sum();
    world.run(600 * SECOND);
    let after: u64 = (0..3).map(|node| count(&world, node, Counter::Reconnects)).sum();
    let attempts = after - before;
    // One of three, a third of whose ticks come to something, each between 5 s and 10 s.
    assert!((40..=140).contains(&attempts), "{attempts} attempts of all three in ten minutes");
}

#[test]
fn a_seed_that_comes_up_late_is_found_without_a_join() {
    let mut world = World::new(2, &Config::lan());
    world.up[1] = false;
    let kind = SeedKind::Configured;
    for port in [0, 1] {
        world.command(0, Command::AddSeed { address: address(port), kind });
    }
    world.run(300 * SECOND);
    let missing = Missing { seeds: 1, ..Missing::default() };
    assert_eq!(world.nodes[0].missing(), missing, "our own address is nobody that we miss");
    world.up[1] = true;
    world.run(15 * SECOND);
    assert!(world.all_see_all());
    assert_eq!(world.nodes[0].missing(), Missing::default());
    let found = world.events.iter().any(|(_, node, event)| {
        *node == 0 && matches!(event, Event::Reconnect { sought: Sought::Seed, result: Ok(_), .. })
    });
    assert!(found);
}

#[test]
fn go_never_dials_who_is_dead() {
    let mut world = World::joined(3, &Config::lan().with_memberlist_rules());
    world.set_rule(|from, to, _| from != 2 && to != 2);
    world.run(100 * SECOND);
    world.heal();
    world.run(300 * SECOND);
    assert!(!world.all_see_all());
}

#[test]
fn what_gossip_missed_is_found_by_the_next_pings() {
    let config = Config { push_pull_interval: Duration::from_secs(3600), ..Config::lan() };
    let mut world = World::joined(3, &config);
    // Nobody tells node 2 about the newcomer.
    let late = world.add(&config, Local::new("n3", address(3).into()));
    world.set_rule(|_, to, _| to != 2);
    world.join(late, 0);
    world.run(3 * SECOND);
    assert_eq!(world.state(2, 3), None);
    world.heal();
    world.run(12 * SECOND);
    assert!(world.all_see_all());
    let (same, told) = world.nodes[0].agreement();
    assert_eq!((same, told), (3, 3));
}

/// How many views came to anybody in ten minutes, of which twenty periods pass.
fn views_in_ten_minutes(world: &mut World) -> u64 {
    let received = |world: &World| {
        (0..world.nodes.len())
            .map(|node| count(world, node, Counter::PushPullsReceived))
            .sum::<u64>()
    };
    let before = received(world);
    world.run(600 * SECOND);
    received(world) - before
}

#[test]
fn who_agrees_for_long_exchanges_views_a_quarter_as_often() {
    let mut world = World::joined(5, &Config::lan());
    let views = views_in_ten_minutes(&mut world);
    assert!((40..=60).contains(&views), "{views} instead of 200");
    let mut go = World::joined(5, &Config::lan().with_memberlist_rules());
    assert_eq!(views_in_ten_minutes(&mut go), 200);
}

#[test]
fn views_are_exchanged_as_often_as_ever_where_somebody_tells_nothing_of_his() {
    let mut world = World::joined(4, &Config::lan());
    let versions = mingle_wire::Versions([1, 5, 2, 2, 5, 4]);
    let go = world.add(&Config::lan(), Local { versions, ..Local::new("go", address(4).into()) });
    world.join(go, 0);
    world.run(60 * SECOND);
    assert_eq!(views_in_ten_minutes(&mut world), 200);
}

#[test]
fn views_are_exchanged_as_often_as_ever_where_applications_have_state_beside_them() {
    let mut world = World::joined(5, &Config::lan());
    for state in &mut world.user_states {
        *state = b"clock".to_vec();
    }
    views_in_ten_minutes(&mut world); // In which all find out that there is some.
    assert_eq!(views_in_ten_minutes(&mut world), 200);
}

use std::time::Duration;

use mingle_proto::Config;
use mingle_wire::State;

use super::*;
use crate::network::{Effect, Geography, Latency, Rule};
use crate::rng::Chance;

fn network() -> Network {
    let median = Duration::from_micros(250);
    Network::new(Geography::uniform(Latency::LogNormal { median, sigma: 0.4 }))
}

fn seconds(n: u64) -> Instant {
    Instant::from_millis(n * 1000)
}

fn joining(count: u32, seed: u64) -> World {
    let mut world = World::new(Config::lan(), 1395, network(), seed);
    world.add_hosts(count);
    for host in world.all() {
        let seeds = if host == 0 { Vec::new() } else { vec![0] };
        let incarnation = Incarnation::FIRST;
        world.start(host, Launch { incarnation, elsewhere: false, seeds }).unwrap();
    }
    world
}

fn disagreements(world: &World) -> Vec<String> {
    let up: Vec<&Host> = world.hosts.iter().filter(|host| host.is_up()).collect();
    let mut found = Vec::new();
    for viewer in &up {
        for host in &world.hosts {
            let seen = viewer.node.as_ref().unwrap().member(&host.name);
            let live = seen.is_some_and(|member| member.state == State::Alive);
            if live != host.is_up() {
                found.push(format!("{} about {}", viewer.name, host.name));
            }
        }
    }
    found
}

#[test]
fn everybody_joins_and_a_crash_is_seen_by_all() {
    let mut world = joining(20, 1);
    world.run_until(seconds(10));
    assert_eq!(disagreements(&world), [""; 0]);
    world.stop(7, Stop::MachineCrashed);
    world.run_until(seconds(60));
    assert_eq!(disagreements(&world), [""; 0]);
}

#[test]
fn a_seed_repeats_bit_for_bit_and_another_one_does_not() {
    let run = |seed| {
        let mut world = joining(10, seed);
        world.network.add(Rule::everywhere(Effect::Loss(Chance::of(0.1))));
        world.run_until(seconds(60));
        (world.transcript.hash(), world.inputs)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn a_world_may_begin_converged() {
    let mut world = World::new(Config::lan(), 1395, network(), 1);
    world.add_hosts(50);
    world.start_converged(0).unwrap();
    assert_eq!(disagreements(&world), [""; 0]);
    world.run_until(seconds(60));
    assert_eq!(disagreements(&world), [""; 0]);
    let prints: std::collections::BTreeSet<u64> =
        world.hosts.iter().map(|host| host.node.as_ref().unwrap().view_fingerprint()).collect();
    assert_eq!(prints.len(), 1);
}

#[test]
fn whoever_is_frozen_for_long_is_dead_and_comes_back() {
    let mut world = World::new(Config::lan(), 1395, network(), 1);
    world.add_hosts(10);
    world.start_converged(0).unwrap();
    world.run_until(seconds(5));
    world.set_condition(3, |condition| condition.frozen = true);
    world.run_until(seconds(30));
    let state = |world: &World| world.hosts[0].node.as_ref().unwrap().member("n3").unwrap().state;
    assert_eq!(state(&world), State::Dead);
    world.set_condition(3, |condition| condition.frozen = false);
    world.run_until(seconds(75));
    assert_eq!(disagreements(&world), [""; 0]);
}

#[test]
fn what_is_changed_on_its_way_is_refused() {
    let mut world = World::new(Config::lan(), 1395, network(), 1);
    world.add_hosts(5);
    world.start_converged(0).unwrap();
    let effect = Effect::Corrupt(Chance::of(0.05));
    world.network.add(Rule::everywhere(effect));
    for second in 1..=60 {
        world.send(0, 1, 100, true);
        world.run_until(seconds(second));
    }
    let traffic = world.network.traffic;
    assert!(traffic.packets_corrupted > 5);
    assert!(traffic.streams_corrupted + traffic.streams_failed > 0);
    assert_eq!(world.watch.checks.findings(), []);
    assert_eq!(disagreements(&world), [""; 0]);
}

#[test]
fn streams_to_where_nobody_listens_fail() {
    let mut config = Config::lan();
    config.stream_pings = false;
    let mut world = World::new(config, 1395, network(), 1);
    world.add_hosts(3);
    world.start_converged(0).unwrap();
    world.run_until(seconds(10));
    assert_eq!(world.network.traffic.streams_failed, 0);
    world.stop(2, Stop::ProcessCrashed);
    world.send(0, 2, 100, true);
    world.run_until(seconds(11));
    assert_eq!(world.network.traffic.streams_failed, 1);
}

#[test]
fn a_join_goes_on_to_the_next_seed_when_one_is_down() {
    let mut world = World::new(Config::lan(), 1395, network(), 1);
    world.add_hosts(4);
    let incarnation = Incarnation::FIRST;
    for (host, seeds) in [(0, vec![]), (3, vec![1, 2, 0])] {
        world.start(host, Launch { incarnation, elsewhere: false, seeds }).unwrap();
    }
    world.run_until(Instant::ORIGIN + JOIN_AGAIN);
    assert_eq!(disagreements(&world), [""; 0]);
}

#[test]
fn whoever_dials_waits_by_its_own_clock_even_when_that_changes() {
    let drifts = |slow: i32, then: i32| {
        let mut config = Config::lan();
        config.stream_pings = false;
        config.push_pull_interval = Duration::from_secs(3600);
        let mut world = World::new(config, 1395, network(), 1);
        world.add_hosts(2);
        world.start_converged(0).unwrap();
        world.run_until(seconds(5));
        world.stop(1, Stop::MachineCrashed);
        world.set_clock(0, |clock, now| clock.set_drift(now, slow));
        world.send(0, 1, 100, true);
        world.run_until(seconds(6));
        world.set_clock(0, |clock, now| clock.set_drift(now, then));
        let failed = |world: &World| world.network.traffic.streams_failed;
        while failed(&world) == 0 && world.now < seconds(60) {
            world.run_until(world.now + Duration::from_millis(100));
        }
        world.now.since(seconds(5)).as_secs_f64()
    };
    // Ten seconds by its own clock, of which half a second, or two, passed in the first one.
    for (slow, then, expected) in [(-500_000, 0, 10.5), (1_000_000, 0, 9.0), (0, 1_000_000, 5.5)] {
        let waited = drifts(slow, then);
        assert!((expected..expected + 0.11).contains(&waited), "{slow} {then}: {waited}");
    }
}

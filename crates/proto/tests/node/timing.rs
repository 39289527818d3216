//! How long a node waits for an answer before it asks helpers.

use std::time::Duration;

use mingle_proto::{Config, Event, Instant, Local};
use mingle_wire::{Incarnation, Message, memberlist};

use crate::world::{Carrier, World, address};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// When node 0 asked a helper to ping node 1.
fn requests(world: &World) -> Vec<Instant> {
    let is_request = |body: &[u8]| {
        memberlist::messages(body)
            .any(|message| matches!(message, Ok(Message::IndirectPing(ping)) if ping.node == "n1"))
    };
    let sent = world.packets.iter().filter(|&&(_, from, _, _)| from == 0);
    sent.filter(|(_, _, _, body)| is_request(body)).map(|&(at, ..)| at).collect()
}

/// When node 0 pinged node 1.
fn pings(world: &World) -> impl DoubleEndedIterator<Item = Instant> {
    let is_ping = |body: &[u8]| {
        memberlist::messages(body)
            .any(|message| matches!(message, Ok(Message::Ping(ping)) if ping.node == "n1"))
    };
    let sent = world.packets.iter().filter(|&&(_, from, _, _)| from == 0);
    sent.filter(move |(_, _, _, body)| is_ping(body)).map(|&(at, ..)| at)
}

fn wait_before_helpers(config: &Config) -> Duration {
    let mut world = World::joined(5, config);
    world.set_rule(|from, to, carrier| (from, to, carrier) != (0, 1, Carrier::Packet));
    world.packets.clear();
    world.run(10 * SECOND);
    requests(&world)[0].since(pings(&world).next().unwrap())
}

#[test]
fn helpers_are_asked_early_about_who_has_always_answered_at_once() {
    let waited = wait_before_helpers(&Config::lan());
    assert_eq!(waited, Config::lan().probe_timeout / 8);
}

#[test]
fn go_waits_as_long_for_the_near_as_for_the_far() {
    let config = Config::lan().with_memberlist_rules();
    assert_eq!(wait_before_helpers(&config), config.probe_timeout);
}

/// Round trips of node 0 to node 1, and how many helpers it asked meanwhile.
fn minute_with_node_1_at(world: &mut World, latency: Duration) -> (Vec<Duration>, usize) {
    world.events.clear();
    world.packets.clear();
    world.far.insert(1, latency);
    world.run(60 * SECOND);
    let rtts = world.events.iter().filter_map(|(_, at, event)| match event {
        Event::Pong { member, rtt, .. } if *at == 0 && member.name() == "n1" => Some(*rtt),
        _ => None,
    });
    (rtts.collect(), requests(world).len())
}

#[test]
fn who_moves_far_away_is_waited_for_after_a_few_pings() {
    let mut world = World::joined(5, &Config::lan());
    let (near, asked) = minute_with_node_1_at(&mut world, Duration::ZERO);
    assert!(near.len() >= 10 && near.iter().all(|&rtt| rtt == 2 * MS), "{near:?}");
    assert_eq!(asked, 0);
    let (far, asked) = minute_with_node_1_at(&mut world, 100 * MS);
    assert!(far.iter().all(|&rtt| rtt == 202 * MS), "{far:?}");
    assert!((1..=9).contains(&asked), "{asked} for three doublings at most");
    let (_, asked) = minute_with_node_1_at(&mut world, 100 * MS);
    assert_eq!(asked, 0);
    assert_eq!(world.nodes[0].degraded_links().count(), 0, "far is not degraded");
}

#[test]
fn silence_doubles_the_wait_up_to_the_configured_one() {
    let config = Config::lan();
    let mut world = World::joined(5, &config);
    // Helpers reach it, so that it lives.
    world.set_rule(|from, to, carrier| (from, to, carrier) != (0, 1, Carrier::Packet));
    world.packets.clear();
    world.run(60 * SECOND);
    let last_ping = |at: Instant| pings(&world).rfind(|&ping| ping <= at).unwrap();
    let mut waits: Vec<_> = requests(&world).iter().map(|&at| at.since(last_ping(at))).collect();
    waits.dedup();
    let timeout = config.probe_timeout;
    assert_eq!(waits[0], timeout / 8);
    // What is kept of it is rounded up a little.
    let doubled = waits.windows(2).all(|pair| pair[1] >= (2 * pair[0]).min(timeout));
    assert!(doubled && waits.last() == Some(&timeout), "{waits:?}");
}

#[test]
fn about_who_is_farther_than_helpers_could_tell_of_they_are_not_asked_in_vain() {
    for (config, in_vain) in [(Config::lan(), false), (Config::lan().with_memberlist_rules(), true)]
    {
        let mut world = World::joined(5, &config);
        minute_with_node_1_at(&mut world, 299 * MS);
        let (rtts, asked) = minute_with_node_1_at(&mut world, 299 * MS);
        assert!(rtts.len() >= 10 && rtts.iter().all(|&rtt| rtt == 600 * MS), "{rtts:?}");
        assert_eq!(asked > 0, in_vain, "{asked} helpers");
    }
}

#[test]
fn at_a_new_address_nothing_is_known_of_its_distance() {
    let mut world = World::joined(5, &Config::lan());
    minute_with_node_1_at(&mut world, 100 * MS);
    let rtt = |world: &World| world.nodes[0].rtt("n1");
    assert!(rtt(&world).is_some());
    world.up[1] = false;
    let local =
        Local { incarnation: Incarnation::new(9).unwrap(), ..Local::new("n1", address(7).into()) };
    let back = world.add(&Config::lan(), local);
    world.join(back, 0);
    while world.nodes[0].member("n1").unwrap().address() != address(7).into() {
        world.run(10 * MS);
    }
    assert_eq!(rtt(&world), None);
    world.run(10 * SECOND);
    assert_eq!(rtt(&world), Some(2 * MS));
}

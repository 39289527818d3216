//! Members that are heard, but not by direct packets.

use std::time::Duration;

use mingle_proto::{Change, Config, Counter, Event, LinkKind};

use crate::world::{Carrier, World, name};

const SECOND: Duration = Duration::from_secs(1);

/// What node 0 has told of its link to node 1.
fn told(world: &World) -> Vec<(&'static str, LinkKind)> {
    let told = world.events.iter().filter(|(_, node, _)| *node == 0);
    let told = told.filter_map(|(_, _, event)| match event {
        Event::LinkDegraded { member, kind, .. } if member.name() == name(1) => {
            Some(("degraded", *kind))
        }
        Event::LinkRestored { member, kind, .. } if member.name() == name(1) => {
            Some(("restored", *kind))
        }
        _ => None,
    });
    told.collect()
}

fn degraded(world: &World) -> usize {
    world.nodes[0].degraded_links().count()
}

/// Runs until node 0 tells of a link, and says how many answers it had by then that came on streams.
fn answers_on_streams_until_told(world: &mut World) -> u64 {
    for _ in 0..600 {
        world.run(SECOND / 10);
        if !told(world).is_empty() {
            break;
        }
    }
    world.nodes[0].counters().get(Counter::ProbesAnsweredOnStream)
}

#[test]
fn a_member_that_answers_on_streams_only_is_told_once_after_three_answers_and_when_it_is_over() {
    let mut world = World::joined(2, &Config::lan());
    world.set_rule(|_, _, carrier| carrier == Carrier::Stream);
    assert_eq!(answers_on_streams_until_told(&mut world), 3);
    world.run(20 * SECOND);
    assert_eq!(told(&world), [("degraded", LinkKind::StreamsOnly)]);
    assert_eq!(degraded(&world), 1);
    assert!(world.changes(0, 1).is_empty(), "it answers, and nobody accuses it");
    world.heal();
    world.run(5 * SECOND);
    let kind = LinkKind::StreamsOnly;
    assert_eq!(told(&world), [("degraded", kind), ("restored", kind)]);
    assert_eq!(degraded(&world), 0);
}

#[test]
fn a_member_that_only_helpers_hear_is_told_after_six_answers() {
    let mut world = World::joined(3, &Config::lan());
    world.set_rule(|from, to, _| from + to != 1);
    let before = world.nodes[0].counters().get(Counter::Probes);
    assert_eq!(answers_on_streams_until_told(&mut world), 0);
    let probes = world.nodes[0].counters().get(Counter::Probes) - before;
    // It is probed again at once, and node 2 may have had its turn before.
    assert!((6..=8).contains(&probes), "{probes}");
    assert_eq!(told(&world), [("degraded", LinkKind::HelpersOnly)]);
}

#[test]
fn with_a_member_that_dies_its_link_is_forgotten() {
    let mut world = World::joined(2, &Config::lan());
    world.set_rule(|_, _, carrier| carrier == Carrier::Stream);
    answers_on_streams_until_told(&mut world);
    world.up[1] = false;
    world.run(60 * SECOND);
    assert_eq!(world.changes(0, 1).last(), Some(&Change::Failed));
    assert_eq!(degraded(&world), 0);
    world.up[1] = true;
    world.heal();
    world.run(30 * SECOND);
    assert!(world.all_see_all());
    assert_eq!(told(&world), [("degraded", LinkKind::StreamsOnly)]);
}

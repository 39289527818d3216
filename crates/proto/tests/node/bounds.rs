//! How much one node does to others, and keeps of them, at most.

use std::time::Duration;

use mingle_proto::{Change, Command, Config, Counter, Instant, Local, Recipient, RequestId};
use mingle_wire::{Alive, Dead, Incarnation, Message, State, memberlist};

use crate::world::{Carrier, World, address, count, name};

const SECOND: Duration = Duration::from_secs(1);

fn incarnation(number: u32) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn inject(world: &mut World, node: usize, message: &Message<'_>) {
    let mut body = Vec::new();
    message.encode(&mut body);
    world.inject(node, address(200), &body);
}

/// Tells a node of others who are not there.
fn tell_of(world: &mut World, node: usize, strangers: std::ops::Range<usize>, meta: &[u8]) {
    let versions = world.nodes[node].local().versions();
    for stranger in strangers {
        let (node_name, incarnation) = (&name(stranger), Incarnation::FIRST);
        let address = address(stranger % 200).into();
        let alive = Alive { incarnation, node: node_name, address, meta, versions };
        inject(world, node, &Message::Alive(alive));
    }
}

#[test]
fn who_hears_nobody_accuses_eight_and_then_one_in_five_intervals() {
    let config = Config { awareness_max_multiplier: 1, ..Config::lan() };
    let mut world = World::joined(20, &config);
    let before = count(&world, 0, Counter::SuspicionsRaised);
    world.set_rule(|from, to, carrier| to != 0 && (from != 0 || carrier == Carrier::Packet));
    world.run(20 * SECOND);
    let accusations = count(&world, 0, Counter::SuspicionsRaised) - before;
    assert!((8..=12).contains(&accusations), "{accusations}");
    assert!(count(&world, 0, Counter::AccusationsWithheld) > 3);
}

#[test]
fn accusations_that_come_true_do_not_count() {
    let config = Config {
        awareness_max_multiplier: 1,
        suspicion_mult: 1,
        suspicion_max_timeout_mult: 1,
        ..Config::lan()
    };
    let mut world = World::new(1, &config);
    tell_of(&mut world, 0, 1..31, b"");
    world.run(60 * SECOND);
    assert!((1..31).all(|dead| world.state(0, dead) == Some(State::Dead)));
    assert_eq!(count(&world, 0, Counter::AccusationsWithheld), 0);
}

#[test]
fn of_many_who_are_gone_the_last_ones_are_kept() {
    let config = Config { max_gone: 2, ..Config::lan() };
    let mut world = World::joined(6, &config);
    for node in [5, 4, 3] {
        world.up[node] = false;
        world.run(40 * SECOND);
    }
    for viewer in 0..3 {
        let kept = [5, 4, 3].map(|gone| world.state(viewer, gone));
        assert_eq!(kept, [None, Some(State::Dead), Some(State::Dead)]);
        assert_eq!(count(&world, viewer, Counter::ReapedEarly), 1);
        assert_eq!(world.changes(viewer, 5).last(), Some(&Change::Reaped));
    }
}

#[test]
fn in_a_full_table_whoever_is_gone_makes_room() {
    let config = Config { max_members: 3, ..Config::lan() };
    let mut world = World::joined(3, &config);
    world.up[2] = false;
    world.run(40 * SECOND);
    assert_eq!(world.state(0, 2), Some(State::Dead));
    let late = world.add(&config, Local::new(name(3), address(3).into()));
    world.join(late, 0);
    world.run(5 * SECOND);
    assert_eq!((world.state(0, 2), world.state(0, 3)), (None, Some(State::Alive)));
    assert_eq!(count(&world, 0, Counter::MembersRefused), 0);
}

#[test]
fn a_view_full_of_old_claims_brings_about_32_corrections_in_a_second() {
    let mut world = World::new(2, &Config::lan());
    tell_of(&mut world, 0, 2..102, b"");
    tell_of(&mut world, 1, 2..102, b"");
    for gone in 2..102 {
        let (incarnation, node) = (incarnation(5), &name(gone));
        inject(&mut world, 0, &Message::Dead(Dead { incarnation, node, from: "n1" }));
    }
    world.join(1, 0);
    world.run(SECOND / 2);
    assert_eq!(count(&world, 0, Counter::Corrections), 32);
}

#[test]
fn nobody_is_told_more_than_it_said_itself() {
    let config = Config { probe_interval: 1000 * SECOND, ..Config::lan() };
    let mut world = World::new(1, &config);
    let versions = world.nodes[0].local().versions();
    let alive = |number, meta| Alive {
        incarnation: incarnation(number),
        node: "n1",
        address: address(1).into(),
        meta,
        versions,
    };
    inject(&mut world, 0, &Message::Alive(alive(5, &[7; 100])));
    for (meta, corrections) in [(&[][..], 0), (&[1; 100], 1)] {
        let mut body = Vec::new();
        Message::Alive(alive(4, meta)).encode(&mut body);
        world.run(2 * SECOND);
        world.inject(0, address(1), &body);
        assert_eq!(count(&world, 0, Counter::Corrections), corrections);
    }
}

/// Bodies of the gossip that node 0 sends, by the instants at which it does.
fn gossip(world: &World) -> Vec<(Instant, Vec<usize>)> {
    let mut ticks: Vec<(Instant, Vec<usize>)> = Vec::new();
    for (at, from, _, body) in &world.packets {
        let first = memberlist::messages(body).next();
        if *from != 0 || !matches!(first, Some(Ok(Message::Alive(_)))) {
            continue;
        }
        match ticks.last_mut() {
            Some((last, lengths)) if last == at => lengths.push(body.len()),
            _ => ticks.push((*at, vec![body.len()])),
        }
    }
    ticks
}

#[test]
fn one_packet_of_gossip_in_three_is_small() {
    let mut world = World::joined(4, &Config::lan());
    tell_of(&mut world, 0, 10..40, &[1; 100]);
    world.packets.clear();
    world.run(SECOND / 2);
    let ticks = gossip(&world);
    assert_eq!(ticks.len(), 2);
    for (_, mut lengths) in ticks {
        lengths.sort_unstable();
        assert_eq!(lengths.len(), 3);
        assert!(lengths[0] <= 508 && lengths[1] > 508, "{lengths:?}");
    }
}

#[test]
fn under_load_gossip_goes_to_twice_as_many_and_each_claim_half_as_often() {
    let mut world = World::joined(10, &Config::lan());
    let sent = count(&world, 0, Counter::ClaimsSent);
    assert!(!world.nodes[0].is_busy());
    tell_of(&mut world, 0, 10..510, &[1; 100]);
    assert!(world.nodes[0].is_busy());
    world.packets.clear();
    world.run(SECOND / 2);
    let ticks = gossip(&world);
    assert!(ticks.iter().all(|(_, lengths)| lengths.len() == 6), "{ticks:?}");
    while world.nodes[0].is_busy() {
        world.run(SECOND / 10);
    }
    let (waiting, sent) = (world.nodes[0].queued(), count(&world, 0, Counter::ClaimsSent) - sent);
    // Of twelve times that each may go out, six are enough; some are replaced by suspicions meanwhile.
    let done = 500_u64.saturating_sub(waiting as u64);
    assert!(sent >= 6 * done && sent < 9 * 500, "{sent} claims sent, {waiting} wait");
}

#[test]
fn user_messages_and_claims_do_not_wait_for_each_other() {
    let mut world = World::joined(10, &Config::lan());
    tell_of(&mut world, 0, 10..510, &[1; 100]);
    world.packets.clear();
    let payload = &[7; 1200][..];
    for number in 0..50 {
        let (request, to) = (RequestId(1000 + number), Recipient::Member("n1"));
        world.command(0, Command::Send { request, to, payload });
    }
    let is_it = |body: &[u8]| {
        let is_user = |message: &Result<Message<'_>, _>| *message == Ok(Message::User(payload));
        memberlist::messages(body).any(|message| is_user(&message))
    };
    assert_eq!(world.packets.iter().filter(|(.., body)| is_it(body)).count(), 50, "at once");
    world.run(SECOND / 2);
    let ticks = gossip(&world);
    assert_eq!(ticks.len(), 2);
    assert!(ticks.iter().all(|(_, lengths)| lengths.len() == 6), "as without them: {ticks:?}");
}

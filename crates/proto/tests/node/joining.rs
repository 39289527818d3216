//! What follows a join, and what becomes of many.

use std::time::Duration;

use mingle_proto::{Config, Counter, Joins, Rules};
use mingle_wire::{Message, State, memberlist};

use crate::world::{World, address, count};

const MILLI: Duration = Duration::from_millis(1);

/// How long it takes until all see all when one joins the first one every millisecond; ten seconds at most.
fn formed_within(world: &mut World) -> Duration {
    let begin = world.now;
    for node in 1..world.nodes.len() {
        world.join(node, 0);
        world.run(MILLI);
    }
    while !world.all_see_all() && world.now.since(begin) < 10_000 * MILLI {
        world.run(5 * MILLI);
    }
    world.now.since(begin)
}

fn compared(world: &World) -> u64 {
    (0..world.nodes.len()).map(|node| count(world, node, Counter::ViewsCompared)).sum()
}

#[test]
fn a_hundred_who_join_at_once_know_each_other_at_once() {
    let ours = Config::lan();
    let once = Config { rules: Rules { joins: Joins::Once, ..Rules::MINGLE }, ..Config::lan() };
    let mut world = World::new(100, &ours);
    let fast = formed_within(&mut world);
    assert!(fast < 350 * MILLI, "{fast:?}");
    assert!(compared(&world) >= 99, "each asks at least once: {}", compared(&world));
    let mut world = World::new(100, &once);
    let slow = formed_within(&mut world);
    assert!(slow > 1_000 * MILLI, "gossip alone takes long: {slow:?}");
    assert_eq!(compared(&world), 0);
}

#[test]
fn who_joins_alone_asks_once_and_exchanges_nothing_more() {
    let mut world = World::joined(20, &Config::lan());
    world.run(Duration::from_secs(20));
    let (asked, exchanged) = (compared(&world), count(&world, 0, Counter::PushPullsReceived));
    let newcomer = world.add(&Config::lan(), local(20));
    world.join(newcomer, 0);
    world.run(Duration::from_secs(2));
    assert!(world.all_see_all());
    assert_eq!(compared(&world) - asked, 1);
    assert_eq!(count(&world, 0, Counter::PushPullsReceived) - exchanged, 1, "the join itself");
}

#[test]
fn somebody_else_is_asked_when_the_peer_of_the_join_is_gone() {
    let mut world = World::new(60, &Config::lan());
    for node in 1..60 {
        world.join(node, 0);
        world.run(MILLI / 2);
    }
    world.run(10 * MILLI);
    // The only one who knows them all.
    world.up[0] = false;
    let begin = world.now;
    let rest_see_rest = |world: &World| {
        (1..60).all(|node| {
            let lives = |other: usize| {
                let member = world.nodes[node].member(&format!("n{other}"));
                member.is_some_and(|member| member.state != State::Dead)
            };
            (1..60).all(lives)
        })
    };
    while !rest_see_rest(&world) && world.now.since(begin) < 20_000 * MILLI {
        world.run(20 * MILLI);
    }
    let took = world.now.since(begin);
    assert!(took < 700 * MILLI, "{took:?}");
}

/// Nodes that are not ours do not tell, and are not asked.
#[test]
fn a_peer_of_another_kind_is_not_asked() {
    let mut world = World::new(1, &Config::lan().with_memberlist_rules());
    let plain = mingle_proto::Local {
        versions: mingle_wire::Versions::ours(
            mingle_wire::Delegate::SERF,
            mingle_wire::Mark::Plain,
        ),
        ..local(1)
    };
    let peer = world.add(&Config::lan().with_memberlist_rules(), plain);
    let newcomer = world.add(&Config::lan(), local(2));
    world.join(newcomer, peer);
    world.run(Duration::from_secs(3));
    assert_eq!(count(&world, newcomer, Counter::ViewsCompared), 0);
    assert_eq!(world.nodes[newcomer].live_count(), 2);
}

/// Who has joined a crowd asks less and less often, whatever it finds.
#[test]
fn pauses_double_while_others_go_on_to_join() {
    let mut world = World::new(250, &Config::lan());
    world.join(1, 0);
    for node in 2..250 {
        world.run(10 * MILLI);
        world.join(node, 0);
    }
    let asked = count(&world, 1, Counter::ViewsCompared);
    assert!((3..=14).contains(&asked), "in two seconds and a half: {asked}");
    // Exchanges are streams: nothing of this went by packets beyond pings.
    let asks =
        |body: &[u8]| memberlist::messages(body).flatten().any(|m| matches!(m, Message::Ping(_)));
    let pings = world.packets.iter().filter(|(_, from, _, body)| *from == 1 && asks(body)).count();
    assert!(pings as u64 <= asked + 6, "the probe's and these: {pings}");
}

fn local(node: usize) -> mingle_proto::Local {
    mingle_proto::Local::new(format!("n{node}"), address(node).into())
}

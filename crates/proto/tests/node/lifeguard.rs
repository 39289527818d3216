//! The rules of Lifeguard's paper, and of its baseline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mingle_proto::{
    Activity, Buddies, Cause, Change, Config, Counter, Event, Instant, Local, Node, Rules,
};
use mingle_wire::{Message, memberlist};

use crate::world::{World, address, count, name};

const SECOND: Duration = Duration::from_secs(1);

/// How long suspicions of a crashed node lasted at those who judged it by their own, and by how many
/// accusers.
fn verdicts(config: &Config) -> Vec<(Duration, usize)> {
    let mut world = World::joined(8, config);
    world.up[7] = false;
    world.run(120 * SECOND);
    let of = name(7);
    let told = world.events.iter().filter_map(|(_, _, event)| match event {
        Event::Member { change: Change::Failed, member, evidence } if member.name() == of => {
            match &evidence.cause {
                Cause::SuspicionExpired { accusers, ran } => Some((*ran, accusers.len())),
                _ => None,
            }
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn three_confirmations_bring_a_suspicion_down_whatever_alpha_is() {
    // Go would want two: alpha is 4.
    let config = Config { suspicion_mult: 4, ..Config::lan().with_lifeguard_rules() };
    let verdicts = verdicts(&config);
    assert!(!verdicts.is_empty());
    for (ran, accusers) in verdicts {
        assert_eq!(accusers, 4, "after {ran:?}");
        assert!(ran < 7 * SECOND, "{ran:?}");
    }
}

#[test]
fn without_lifeguard_a_suspicion_lasts_for_one_time_whoever_else_accuses() {
    let verdicts = verdicts(&Config::lan().with_swim_rules());
    assert!(!verdicts.is_empty());
    assert!(verdicts.iter().all(|verdict| *verdict == (5 * SECOND, 1)), "{verdicts:?}");
}

/// How many pings told the third of three nodes that it is suspected.
fn told(config: &Config) -> usize {
    let mut world = World::joined(3, config);
    world.set_rule(|from, to, _| from != 2 && to != 2);
    world.run(4 * SECOND);
    world.packets.clear();
    world.run(4 * SECOND);
    let tells = |body: &[u8]| {
        let messages: Vec<_> = memberlist::messages(body).map(Result::unwrap).collect();
        matches!(messages[..], [Message::Ping(_), Message::Suspect(suspect)] if suspect.node == name(2))
    };
    let to_it = world.packets.iter().filter(|(_, _, to, body)| *to == address(2) && tells(body));
    to_it.count()
}

#[test]
fn a_suspect_is_told_with_the_buddy_system_alone() {
    let swim = Config::lan().with_swim_rules();
    assert_eq!(told(&swim), 0);
    assert!(told(&Config { rules: Rules { buddies: Buddies::Told, ..Rules::SWIM }, ..swim }) > 0);
}

#[test]
fn without_lifeguard_nobody_sends_a_nack_or_doubts_itself() {
    let mut world = World::joined(5, &Config::lan().with_swim_rules());
    world.up[4] = false;
    world.run(20 * SECOND);
    assert!((0..4).any(|node| count(&world, node, Counter::IndirectPingsReceived) > 0));
    for node in 0..4 {
        assert_eq!(count(&world, node, Counter::NacksReceived), 0);
        assert_eq!(world.nodes[node].health(), 0);
    }
}

/// Helpers are asked the later the higher the score is: after nine times the time-out at most.
#[test]
fn who_doubts_itself_waits_longer_for_an_ack() {
    let config = Config::lan().with_lifeguard_rules();
    let mut world = World::joined(5, &config);
    world.set_rule(|from, to, _| from != 0 && to != 0);
    world.packets.clear();
    world.run(120 * SECOND);
    let mut asked = BTreeMap::new();
    let mut waits = BTreeSet::new();
    for (at, _, _, body) in world.packets.iter().filter(|(_, from, _, _)| *from == 0) {
        for message in memberlist::messages(body).map(Result::unwrap) {
            match message {
                Message::Ping(ping) => drop(asked.insert(ping.seq, *at)),
                Message::IndirectPing(ping) => {
                    waits.extend(asked.get(&ping.seq).map(|asked| at.since(*asked)));
                }
                _ => {}
            }
        }
    }
    assert!(waits.len() > 2, "{waits:?}");
    let half = SECOND / 2;
    let steps: Vec<Duration> = (1..=9).map(|score| half * score).collect();
    assert!(waits.iter().all(|wait| steps.contains(wait)), "{waits:?}");
}

/// What a process that is stuck elsewhere still does.
#[test]
fn deadlines_of_one_activity_fire_alone() {
    let now = Instant::ORIGIN;
    let member = |number: usize| {
        let local = Local::new(name(number), address(number).into());
        Node::new(Config::lan(), local, 0, now).unwrap().local()
    };
    let members = [member(0), member(1)];
    let local = Local::new(name(0), address(0).into());
    let mut node = Node::among(Config::lan(), local, 1, now, &members).unwrap();
    let all = Activity::ALL.iter().filter_map(|&activity| node.poll_timeout_of(activity));
    assert_eq!(all.min(), node.poll_timeout());
    let probe = node.poll_timeout_of(Activity::Probing).unwrap();
    let exchange = node.poll_timeout_of(Activity::Exchanging).unwrap();
    let late = probe.max(exchange) + SECOND / 10;
    node.handle_timeout_of(late, Activity::Probing);
    assert!(node.counters().get(Counter::Probes) > 0);
    assert_eq!(node.counters().get(Counter::ExchangesDialled), 0);
    assert_eq!(node.poll_timeout_of(Activity::Exchanging), Some(exchange));
    assert!(node.poll_timeout_of(Activity::Probing) > Some(late));
}

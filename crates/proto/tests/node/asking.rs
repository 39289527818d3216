//! Members are asked about themselves before something is believed of them.

use std::net::SocketAddr;
use std::time::Duration;

use mingle_proto::{
    Cause, Change, Command, Config, Counter, Done, Event, Local, RequestError, RequestId,
};
use mingle_wire::{
    Ack, Address, Alive, Dead, Incarnation, Ip, Message, Ping, SeqNo, Source, State, Suspect,
    memberlist,
};

use crate::world::{Carrier, World, address, count, results};

const SECOND: Duration = Duration::from_secs(1);

fn incarnation(number: u32) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    message.encode(&mut body);
    body
}

fn conflicts(world: &World, node: usize) -> usize {
    let of = |(_, at, event): &&(_, usize, Event)| {
        *at == node && matches!(event, Event::Conflict { .. })
    };
    world.events.iter().filter(of).count()
}

/// Node 2 dies, and somebody starts at another address with its name and this incarnation.
fn moved(world: &mut World, config: &Config, number: u32) -> usize {
    world.up[2] = false;
    let local = Local { incarnation: incarnation(number), ..Local::new("n2", address(7).into()) };
    let back = world.add(config, local);
    world.join(back, 0);
    back
}

fn all_have_it_at_its_new_address(world: &World) -> bool {
    [0, 1, 3].into_iter().all(|viewer| {
        let member = world.nodes[viewer].member("n2").unwrap();
        member.state == State::Alive && member.address() == address(7).into()
    })
}

#[test]
fn whoever_restarts_elsewhere_is_accepted_within_two_seconds() {
    let config = Config::lan();
    let mut world = World::joined(4, &config);
    moved(&mut world, &config, 9);
    world.run(2 * SECOND);
    assert!(all_have_it_at_its_new_address(&world));
    let cause = |event: &Event| match event {
        Event::Member { change: Change::Failed, evidence, .. } => Some(evidence.cause.clone()),
        _ => None,
    };
    let causes: Vec<_> = world.events.iter().filter_map(|(_, _, event)| cause(event)).collect();
    assert!(
        causes.iter().any(|cause| *cause == Cause::Superseded { at: address(7) }),
        "{causes:?}"
    );
    assert!((0..4).all(|node| conflicts(&world, node) == 0));
}

#[test]
fn a_move_is_announced_with_the_fall_that_has_freed_the_name() {
    let config = Config::lan();
    let mut world = World::joined(4, &config);
    moved(&mut world, &config, 9);
    world.run(2 * SECOND);
    let announced = world.packets.iter().filter(|(_, from, ..)| *from < 2).filter(|(.., body)| {
        let messages: Vec<_> = memberlist::messages(body).flatten().collect();
        messages.windows(2).any(|pair| match pair {
            [Message::Dead(fall), Message::Alive(rise)] => fall.node == "n2" && rise.node == "n2",
            _ => false,
        })
    });
    assert!(announced.count() > 0);
}

#[test]
fn whoever_restarts_elsewhere_below_what_is_held_learns_of_it_and_is_accepted() {
    let config = Config::lan();
    let mut world = World::joined(4, &config);
    let accusation = Suspect { incarnation: incarnation(40), node: "n2", from: "n1" };
    world.inject(2, address(1), &encoded(Message::Suspect(accusation)));
    world.run(3 * SECOND);
    moved(&mut world, &config, 1);
    world.run(4 * SECOND);
    assert!(all_have_it_at_its_new_address(&world));
}

#[test]
fn two_living_nodes_of_one_name_are_a_conflict_for_both_and_the_first_stays() {
    let config = Config::lan();
    let mut world = World::joined(3, &config);
    let local = Local { incarnation: incarnation(9), ..Local::new("n1", address(9).into()) };
    let twin = world.add(&config, local);
    world.join(twin, 0);
    world.run(20 * SECOND);
    for viewer in [0, 2] {
        let member = world.nodes[viewer].member("n1").unwrap();
        assert_eq!((member.state, member.address()), (State::Alive, address(1).into()));
        assert!(world.changes(viewer, 1).is_empty(), "nobody fell because of it");
    }
    assert!(conflicts(&world, 0) > 0 && conflicts(&world, twin) > 0);
    assert_eq!(count(&world, 0, Counter::Superseded), 0);
    // The one that came second is not taken for the other when it goes.
    assert_eq!(world.nodes[twin].namesake(), Some(address(1)));
    assert_eq!(world.nodes[1].namesake(), Some(address(9)));
    world.command(twin, Command::Leave { request: RequestId(7) });
    world.run(20 * SECOND);
    assert_eq!(results(&world, twin).last(), Some(&Err(RequestError::NameHeld { at: address(1) })));
    assert!([0, 2].iter().all(|&viewer| world.changes(viewer, 1).is_empty()));
    // The one that was there first is missed by all.
    world.run(120 * SECOND);
    assert_eq!(world.nodes[1].namesake(), None);
    world.command(1, Command::Leave { request: RequestId(7) });
    world.run(5 * SECOND);
    assert!([0, 2].iter().all(|&viewer| world.state(viewer, 1) == Some(State::Left)));
}

/// A twin of node 1 at address 9, of which node 1 knows; `then` is what it hears 40 s after the twin has gone. Gives
/// whether it knows of the twin still.
fn knows_its_twin_after(then: Message<'_>) -> bool {
    let config = Config::lan();
    let mut world = World::joined(3, &config);
    let local = Local { incarnation: incarnation(9), ..Local::new("n1", address(9).into()) };
    let twin = world.add(&config, local);
    world.join(twin, 0);
    world.run(10 * SECOND);
    assert_eq!(world.nodes[1].namesake(), Some(address(9)));
    world.up[twin] = false;
    world.run(40 * SECOND);
    world.inject(1, address(0), &encoded(then));
    world.run(2 * SECOND);
    world.nodes[1].namesake().is_some()
}

#[test]
fn a_namesake_that_does_not_answer_or_says_goodbye_is_none_any_more() {
    let of_twin = Alive {
        incarnation: incarnation(9),
        node: "n1",
        address: address(9).into(),
        meta: &[],
        versions: World::joined(1, &Config::lan()).nodes[0].local().versions(),
    };
    assert!(!knows_its_twin_after(Message::Alive(of_twin)));
    let goodbye = |node| Message::Dead(Dead { incarnation: incarnation(9), node, from: node });
    assert!(!knows_its_twin_after(goodbye("n1")));
    assert!(knows_its_twin_after(goodbye("n2")));
}

#[test]
fn who_has_our_name_and_is_alone_is_neither_joined_nor_taken_for_ourselves() {
    let config = Config::lan();
    let mut world = World::new(1, &config);
    let local = Local { incarnation: incarnation(9), ..Local::new("n0", address(9).into()) };
    let twin = world.add(&config, local);
    world.join(twin, 0);
    world.run(5 * SECOND);
    let expected = RequestError::Namesake { to: address(0), name: "n0".into() };
    assert_eq!(results(&world, twin), [Err(expected)]);
    assert!(conflicts(&world, 0) > 0 && conflicts(&world, twin) > 0);
}

#[test]
fn go_refuses_a_name_at_another_address_until_its_holder_is_dead() {
    let config = Config::lan().with_memberlist_rules();
    let mut world = World::joined(4, &config);
    moved(&mut world, &config, 9);
    world.run(2 * SECOND);
    assert_eq!(world.nodes[0].member("n2").unwrap().address(), address(2).into());
    assert!(conflicts(&world, 0) > 0);
}

/// The claim of node 1, heard by node 0, that it is at its own address in the other spelling; gives the
/// conflicts that came of it, and the inquiries.
fn spelled_otherwise(config: &Config) -> (usize, u64) {
    let mut world = World::joined(3, config);
    let held = world.nodes[0].member("n1").unwrap();
    let SocketAddr::V4(plain) = address(1) else { panic!("tests are on IPv4") };
    let ip = Ip::V6(plain.ip().to_ipv6_mapped().octets());
    let otherwise = Alive {
        incarnation: incarnation(held.incarnation.get() + 1),
        node: "n1",
        address: Address { ip, port: plain.port() },
        meta: held.meta(),
        versions: held.versions(),
    };
    let asked = count(&world, 0, Counter::Inquiries);
    world.inject(0, address(1), &encoded(Message::Alive(otherwise)));
    world.run(60 * SECOND);
    assert_eq!(world.state(0, 1), Some(State::Alive));
    assert!(!world.changes(0, 1).contains(&Change::Failed));
    (conflicts(&world, 0), count(&world, 0, Counter::Inquiries) - asked)
}

/// R18 of `docs/simulation.md`.
#[test]
fn an_address_in_two_spellings_is_one_address() {
    assert_eq!(spelled_otherwise(&Config::lan()), (0, 0));
    assert!(spelled_otherwise(&Config::lan().with_memberlist_rules()).0 > 0, "Go compares bytes");
}

#[test]
fn an_address_that_is_told_by_nobody_is_not_believed_of_who_answers() {
    let mut world = World::joined(3, &Config::lan());
    let held = world.nodes[0].member("n1").unwrap();
    let spoofed = Alive {
        incarnation: incarnation(1000),
        node: "n1",
        address: address(9).into(),
        meta: held.meta(),
        versions: held.versions(),
    };
    world.inject(0, address(9), &encoded(Message::Alive(spoofed)));
    world.run(10 * SECOND);
    assert_eq!(world.nodes[0].member("n1").unwrap().address(), address(1).into());
    assert!(world.all_see_all());
}

/// Node 0 alone, with a member that is played here: it answers pings, and refutes nothing.
#[test]
fn a_suspect_that_answers_is_not_declared_dead_until_it_does_not() {
    let mut world = World::new(1, &Config::lan());
    let versions = world.nodes[0].local().versions();
    let alive = Alive {
        incarnation: Incarnation::FIRST,
        node: "n1",
        address: address(1).into(),
        meta: b"",
        versions,
    };
    world.inject(0, address(1), &encoded(Message::Alive(alive)));
    let suspicion = Suspect { incarnation: Incarnation::FIRST, node: "n1", from: "n2" };
    world.inject(0, address(2), &encoded(Message::Suspect(suspicion)));
    for _ in 0..600 {
        world.packets.clear();
        world.run(Duration::from_millis(100));
        let first = |body: &[u8]| match memberlist::messages(body).next() {
            Some(Ok(Message::Ping(ping))) => Some(ping.seq),
            _ => None,
        };
        let asked: Vec<_> = world.packets.iter().filter_map(|(.., body)| first(body)).collect();
        for seq in asked {
            world.inject(0, address(1), &encoded(Message::Ack(Ack { seq, payload: b"" })));
        }
    }
    assert_eq!(world.changes(0, 1), [Change::Joined, Change::Suspected]);
    let spared = count(&world, 0, Counter::Spared);
    assert!((4..=18).contains(&spared), "each answer gives it four seconds: {spared} in a minute");
    world.run(10 * SECOND);
    assert_eq!(world.changes(0, 1).last(), Some(&Change::Failed));
}

#[test]
fn who_can_not_be_reached_is_declared_dead_in_the_time_of_its_suspicion() {
    let mut world = World::joined(4, &Config::lan());
    world.up[3] = false;
    world.run(15 * SECOND);
    assert!((0..3).all(|viewer| world.state(viewer, 3) == Some(State::Dead)));
    assert!((0..3).any(|node| count(&world, node, Counter::Inquiries) > 0));
    assert!((0..3).all(|node| count(&world, node, Counter::Spared) == 0));
}

#[test]
fn a_view_that_has_the_living_dead_makes_them_refute_and_nobody_suspect() {
    let mut world = World::joined(5, &Config::lan());
    // 0 and 1 lose 2, 3 and 4, and only one of these meets them again.
    world.set_rule(|from, to, _| (from < 2) == (to < 2));
    world.run(20 * SECOND);
    assert_eq!(world.state(0, 4), Some(State::Dead));
    world.events.clear();
    world.heal();
    world.run(25 * SECOND);
    assert!(world.all_see_all());
    let accused = |event: &Event| matches!(event, Event::Member { change: Change::Suspected, .. });
    let accusations = world.events.iter().filter(|(_, _, event)| accused(event)).count();
    assert_eq!(accusations, 0, "nobody who lives is accused");
}

/// Three nodes that probe nobody. Node 1 alone is told that node 2 is dead, and only streams between 0
/// and 1 carry that.
fn told_of_a_death() -> World {
    let config = Config { probe_interval: 1000 * SECOND, ..Config::lan() };
    let mut world = World::joined(3, &config);
    world.set_rule(|from, to, carrier| match carrier {
        Carrier::Packet => from + to == 2,
        Carrier::Stream => from + to == 1,
    });
    let held = world.nodes[1].member("n2").unwrap().incarnation;
    let death = Dead { incarnation: held, node: "n2", from: "n9" };
    world.inject(1, address(9), &encoded(Message::Dead(death)));
    assert_eq!(world.state(1, 2), Some(State::Dead));
    world
}

#[test]
fn hearsay_of_somebody_who_is_silent_is_an_accusation() {
    let mut world = told_of_a_death();
    world.up[2] = false;
    world.run(100 * SECOND);
    assert_eq!(world.changes(0, 2), [Change::Suspected]);
    let cause = world.events.iter().find_map(|(_, _, event)| match event {
        Event::Member { change: Change::Suspected, evidence, .. } => Some(evidence.cause.clone()),
        _ => None,
    });
    assert_eq!(cause, Some(Cause::HeardDown { state: State::Dead }));
}

#[test]
fn hearsay_of_somebody_who_answers_makes_it_refute_and_is_no_accusation() {
    let mut world = told_of_a_death();
    world.run(100 * SECOND);
    assert_eq!(world.changes(0, 2), [Change::Renewed]);
    assert_eq!(count(&world, 2, Counter::Refutations), 1);
}

#[test]
fn a_claim_of_our_name_where_nobody_answers_is_gone_above() {
    let mut world = World::joined(2, &Config::lan());
    let held = world.nodes[0].local();
    let former = Alive {
        incarnation: incarnation(50),
        node: "n0",
        address: address(9).into(),
        meta: held.meta(),
        versions: held.versions(),
    };
    world.inject(0, address(9), &encoded(Message::Alive(former)));
    assert_eq!(world.nodes[0].local_incarnation(), held.incarnation, "it asks there first");
    world.run(SECOND);
    assert_eq!(world.nodes[0].local_incarnation(), incarnation(51));
    assert_eq!(conflicts(&world, 0), 0);
}

#[test]
fn whoever_asks_for_its_own_name_at_its_own_address_does_not_hear_itself() {
    let mut world = World::joined(2, &Config::lan());
    for (asker, asks, answers) in [("n0", 0, 0), ("n0", 9, 1), ("n1", 1, 1)] {
        let source = Source { address: Some(address(asks).into()), node: asker };
        let ping = Ping { seq: SeqNo(7), node: "n0", source };
        world.packets.clear();
        world.inject(0, address(asks), &encoded(Message::Ping(ping)));
        let is_ack =
            |body: &[u8]| matches!(memberlist::messages(body).next(), Some(Ok(Message::Ack(_))));
        let acks = world.packets.iter().filter(|(.., body)| is_ack(body)).count();
        assert_eq!(acks, answers, "{asker} asks from {}", address(asks));
    }
}

#[test]
fn a_goodbye_names_three_who_heard_it_or_all_that_there_are() {
    for (nodes, confirmed) in [(2, 1), (3, 2), (6, 3)] {
        let mut world = World::joined(nodes, &Config::lan());
        world.command(0, Command::Leave { request: RequestId(7) });
        world.run(Duration::from_millis(300));
        let done = world.events.iter().find_map(|(_, node, event)| match event {
            Event::Completed { result: Ok(Done::Left { confirmed }), .. } if *node == 0 => {
                Some(confirmed.len())
            }
            _ => None,
        });
        assert_eq!(done, Some(confirmed), "of {nodes}");
    }
}

#[test]
fn whoever_leaves_does_not_ask_whether_others_have_moved() {
    let mut world = World::joined(4, &Config::lan());
    let other = world.nodes[0].member("n2").unwrap();
    world.command(0, Command::Leave { request: RequestId(90) });
    let asked = count(&world, 0, Counter::Inquiries);
    let moved = Alive {
        incarnation: incarnation(other.incarnation.get() + 1),
        node: "n2",
        address: address(100).into(),
        meta: other.meta(),
        versions: other.versions(),
    };
    world.inject(0, address(100), &encoded(Message::Alive(moved)));
    assert_eq!(count(&world, 0, Counter::Inquiries), asked);
    assert_eq!(count(&world, 0, Counter::NewsOfLeaver), 1);
}

#[test]
fn a_goodbye_that_no_packet_carries_is_confirmed_on_a_stream() {
    let mut world = World::joined(4, &Config::lan());
    world.set_rule(|_, _, carrier| carrier == Carrier::Stream);
    world.command(0, Command::Leave { request: RequestId(7) });
    world.run(4 * SECOND);
    let done = world.events.iter().any(|(_, node, event)| {
        *node == 0
            && matches!(event, Event::Completed { result: Ok(Done::Left { confirmed }), .. }
                if confirmed.len() == 1)
    });
    assert!(done);
}

#[test]
fn a_goodbye_that_nobody_hears_ends_in_time_and_says_so() {
    let mut world = World::joined(4, &Config::lan());
    world.set_rule(|_, _, _| false);
    world.command(0, Command::Leave { request: RequestId(7) });
    world.run(5 * SECOND);
    let result = world.events.iter().find_map(|(_, node, event)| match event {
        Event::Completed { result: Err(error), .. } if *node == 0 => Some(error.clone()),
        _ => None,
    });
    let Some(RequestError::LeaveUnconfirmed { waited, asked }) = result else {
        panic!("{result:?}")
    };
    assert_eq!((waited, asked), (5 * SECOND, 3));
}

#[test]
fn a_forged_death_of_everybody_is_undone_in_seconds() {
    let mut world = World::joined(5, &Config::lan());
    for node in 1..5 {
        let name = format!("n{node}");
        let forged = Dead { incarnation: incarnation(1000), node: &name, from: "n9" };
        world.inject(0, address(9), &encoded(Message::Dead(forged)));
    }
    world.run(10 * SECOND);
    assert!(world.all_see_all());
}

/// What it sends is lost, so that nobody can refute what it says of them; all of it comes through a second after the first of
/// its suspicions has run out.
#[test]
fn whoever_doubts_itself_and_is_alone_in_its_accusation_tells_it_again() {
    let config = Config::lan();
    let mut world = World::joined(8, &config);
    world.set_rule(|from, _, _| from != 7);
    let suspected = |world: &World| {
        let changes = world.events.iter().filter_map(|(at, node, event)| match event {
            Event::Member { change: Change::Suspected, .. } if *node == 7 => Some(*at),
            _ => None,
        });
        changes.min()
    };
    while suspected(&world).is_none() {
        world.run(Duration::from_millis(100));
    }
    let longest = Duration::from_secs(24);
    let heals = suspected(&world).unwrap() + longest + Duration::from_secs(1);
    world.run(heals.since(world.now));
    assert!(count(&world, 7, Counter::SuspicionsRetold) > 0, "the first has run out");
    world.heal();
    world.run(Duration::from_secs(30));
    let failed = world.events.iter().filter(|(_, node, event)| {
        let is_failure = matches!(event, Event::Member { change: Change::Failed, .. });
        *node == 7 && is_failure
    });
    assert_eq!(failed.count(), 0, "all of them are up");
    assert!(world.all_see_all());
}

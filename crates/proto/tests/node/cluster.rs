//! What a few nodes do to each other, as stories.

use std::time::Duration;

use crate::world::{Carrier, World, address, count, name, results};
use mingle_proto::{
    Cause, Change, Command, Config, Counter, Done, Event, Evidence, Input, Local, Recipient,
    RequestError, RequestId, SendFailure, StreamPing, Via,
};
use mingle_wire::{
    Alive, Dead, Delegate, Incarnation, Mark, Message, State, Suspect, Versions, memberlist,
};

const SECOND: Duration = Duration::from_secs(1);

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

fn incarnation(number: u32) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn evidence(world: &World, viewer: usize, of: usize, change: Change) -> Evidence {
    let found = world.events.iter().find_map(|(_, at, event)| match event {
        Event::Member { change: c, member, evidence } if *c == change => {
            (*at == viewer && member.name() == name(of)).then(|| evidence.clone())
        }
        _ => None,
    });
    found.expect("the change happened")
}

#[test]
fn whoever_joins_is_seen_by_all_within_seconds() {
    let mut world = World::new(5, &Config::lan());
    for i in 1..5 {
        world.join(i, i - 1);
    }
    world.run(3 * SECOND);
    assert!(world.all_see_all());
    let prints: Vec<u64> = world.nodes.iter().map(|node| node.view_fingerprint()).collect();
    assert!(prints.windows(2).all(|pair| pair[0] == pair[1]), "{prints:x?}");
    assert_eq!(results(&world, 1), [Ok(Done::Joined { members: 1 })]);
    assert_eq!(world.changes(4, 0), [Change::Joined]);
}

#[test]
fn a_join_where_nobody_is_says_so() {
    let mut world = World::new(2, &Config::lan());
    world.up[1] = false;
    world.join(0, 1);
    world.run(11 * SECOND);
    assert!(matches!(results(&world, 0)[..], [Err(RequestError::Exchange { .. })]));
}

#[test]
fn joining_oneself_is_no_join() {
    let mut world = World::new(1, &Config::lan());
    world.join(0, 0);
    world.run(SECOND);
    assert_eq!(results(&world, 0), [Err(RequestError::Ourselves { to: address(0) })]);
}

#[test]
fn joining_oneself_is_no_join_among_others_either() {
    let mut world = World::joined(3, &Config::lan());
    world.join(0, 0);
    world.run(SECOND);
    let expected = Err(RequestError::Ourselves { to: address(0) });
    assert_eq!(results(&world, 0).last(), Some(&expected));
}

#[test]
fn a_crash_is_suspected_spread_and_only_then_a_death() {
    let mut world = World::joined(5, &Config::lan());
    world.up[4] = false;
    world.run(20 * SECOND);
    for viewer in 0..4 {
        assert_eq!(world.state(viewer, 4), Some(State::Dead));
        let changes = world.changes(viewer, 4);
        assert_eq!(changes, [Change::Suspected, Change::Failed], "as node {viewer} saw it");
    }
    let raised: u64 = (0..4).map(|i| count(&world, i, Counter::SuspicionsRaised)).sum();
    assert!(raised >= 1);
}

#[test]
fn a_death_says_who_accused_and_how_long_it_took() {
    let mut world = World::joined(5, &Config::lan());
    world.up[4] = false;
    world.run(40 * SECOND);
    let declared = (0..4).find(|&i| count(&world, i, Counter::DeathsDeclared) > 0).unwrap();
    let evidence = evidence(&world, declared, 4, Change::Failed);
    let Cause::SuspicionExpired { accusers, ran } = evidence.cause else {
        panic!("{evidence:?}");
    };
    assert!(ran >= 4 * SECOND, "no suspicion is shorter than its minimum: {ran:?}");
    assert!(!accusers.is_empty() && accusers.iter().all(|a| **a != *"n4"));
    assert_eq!((evidence.before, evidence.via), (Some(State::Suspect), Via::Own));
}

/// A confirmation that comes when the shorter suspicion is over already ends it, and is no lateness.
#[test]
fn a_suspicion_that_a_late_confirmation_ends_does_not_count_as_our_own_lag() {
    for size in 4..12 {
        let mut world = World::joined(size, &Config::lan());
        world.set_rule(|from, to, _| (from < 2) == (to < 2));
        world.run(60 * SECOND);
        let failures = world.events.iter().filter_map(|(at, node, event)| match event {
            Event::Member { change: Change::Failed, evidence, .. } => Some((at, node, evidence)),
            _ => None,
        });
        let late: Vec<_> = failures.filter(|(.., evidence)| !evidence.lag.is_zero()).collect();
        assert!(late.is_empty(), "of {size}: {late:?}");
    }
}

#[test]
fn an_accuser_says_what_it_tried() {
    let mut world = World::joined(5, &Config::lan());
    world.up[4] = false;
    world.run(10 * SECOND);
    let accuser = (0..4).find(|&i| count(&world, i, Counter::SuspicionsRaised) > 0).unwrap();
    let evidence = evidence(&world, accuser, 4, Change::Suspected);
    let Cause::ProbeFailed(report) = evidence.cause else { panic!("{evidence:?}") };
    assert_eq!((report.helpers, report.nacks_expected, report.nacks), (3, 3, 3));
    assert_eq!(report.stream, StreamPing::Silent);
    assert_eq!(report.waited, SECOND);
    assert!(evidence.last_ack.is_some_and(|age| age < 10 * SECOND));
}

#[test]
fn full_nacks_leave_the_health_score_alone_and_missing_ones_raise_it() {
    let mut world = World::joined(5, &Config::lan());
    world.up[4] = false;
    world.run(8 * SECOND);
    assert!((0..4).any(|i| count(&world, i, Counter::ProbesFailed) > 0));
    assert!((0..4).all(|i| world.nodes[i].health() == 0));
    world.set_rule(|from, to, _| from != 0 && to != 0);
    world.run(4 * SECOND);
    assert!(world.nodes[0].health() > 0);
}

#[test]
fn helpers_reach_whom_we_do_not() {
    let config = Config { stream_pings: false, ..Config::lan() };
    let mut world = World::joined(4, &config);
    world.set_rule(|from, to, _| (from, to) != (0, 1) && (from, to) != (1, 0));
    world.run(30 * SECOND);
    assert!(count(&world, 2, Counter::IndirectPingsReceived) > 0);
    assert!(world.all_see_all());
    assert!((0..4).all(|i| count(&world, i, Counter::SuspicionsRaised) == 0));
}

#[test]
fn a_stream_reaches_where_packets_do_not() {
    let mut world = World::joined(3, &Config::lan());
    world.set_rule(|_, _, carrier| carrier == Carrier::Stream);
    world.run(60 * SECOND);
    assert!(world.all_see_all());
    assert!(count(&world, 0, Counter::ProbesAnsweredOnStream) > 10);
}

#[test]
fn a_live_node_refutes_an_accusation_everywhere() {
    let mut world = World::joined(4, &Config::lan());
    let accusation = Suspect { incarnation: Incarnation::FIRST, node: "n1", from: "n3" };
    world.inject(0, address(3), &encoded(Message::Suspect(accusation)));
    assert_eq!(world.state(0, 1), Some(State::Suspect));
    world.run(5 * SECOND);
    assert!(world.all_see_all());
    assert_eq!(world.nodes[2].member("n1").unwrap().incarnation, incarnation(2));
    assert_eq!(world.changes(0, 1), [Change::Suspected, Change::Recovered]);
    assert!(world.events.iter().any(|(_, at, e)| *at == 1 && matches!(e, Event::Refuted { .. })));
    assert!(world.nodes.iter().all(|node| node.suspected() == 0));
}

#[test]
fn a_suspect_hears_of_it_in_the_ping() {
    let mut world = World::joined(3, &Config::lan());
    world.set_rule(|from, to, _| from != 2 && to != 2);
    world.run(4 * SECOND);
    assert_eq!(world.state(0, 2), Some(State::Suspect));
    world.packets.clear();
    world.run(4 * SECOND);
    let buddies = world.packets.iter().filter(|(_, from, to, body)| {
        let messages: Vec<_> = memberlist::messages(body).map(|m| m.unwrap()).collect();
        let told =
            matches!(messages[..], [Message::Ping(_), Message::Suspect(s)] if s.node == "n2");
        *from == 0 && *to == address(2) && told
    });
    assert!(buddies.count() > 0);
}

#[test]
fn a_goodbye_is_seen_as_left_and_is_not_a_failure() {
    let mut world = World::joined(4, &Config::lan());
    world.command(3, Command::Leave { request: RequestId(9) });
    world.run(3 * SECOND);
    let [Ok(Done::Left { confirmed })] = &results(&world, 3)[..] else { panic!("it has left") };
    assert_eq!(confirmed.len(), 3);
    world.up[3] = false;
    world.run(20 * SECOND);
    for viewer in 0..3 {
        assert_eq!(world.changes(viewer, 3), [Change::Left]);
        assert_eq!(evidence(&world, viewer, 3, Change::Left).cause, Cause::Goodbye);
    }
}

#[test]
fn a_goodbye_goes_to_the_living_and_not_to_those_who_died_a_moment_ago() {
    let mut world = World::joined(3, &Config::local());
    world.up[2] = false;
    world.run(12 * SECOND);
    assert_eq!(world.state(0, 2), Some(State::Dead));
    world.packets.clear();
    world.command(0, Command::Leave { request: RequestId(7) });
    world.run(SECOND);
    let wasted = world.packets.iter().filter(|&&(_, from, to, _)| from == 0 && to == address(2));
    assert_eq!(wasted.count(), 0);
    assert_eq!(world.state(1, 0), Some(State::Left));
}

#[test]
fn a_view_has_its_owner_in_it_long_after_it_has_left() {
    let mut world = World::joined(2, &Config::lan());
    world.set_rule(|_, _, _| false);
    world.command(0, Command::Leave { request: RequestId(90) });
    world.run(3600 * SECOND);
    world.heal();
    world.join(1, 0);
    world.run(SECOND);
    assert_eq!(world.state(1, 0), Some(State::Left), "whoever asks it is told");
}

#[test]
fn who_is_alone_leaves_at_once_and_twice_is_an_error() {
    let mut world = World::new(1, &Config::lan());
    world.command(0, Command::Leave { request: RequestId(1) });
    world.command(0, Command::Leave { request: RequestId(2) });
    let left = Ok(Done::Left { confirmed: Vec::new() });
    assert_eq!(results(&world, 0), [left, Err(RequestError::Leaving)]);
}

#[test]
fn a_forged_goodbye_is_refuted_by_its_subject() {
    let mut world = World::joined(4, &Config::lan());
    let forged = Dead { incarnation: Incarnation::FIRST, node: "n1", from: "n1" };
    world.inject(0, address(3), &encoded(Message::Dead(forged)));
    assert_eq!(world.state(0, 1), Some(State::Left));
    world.run(40 * SECOND);
    assert!(world.all_see_all());
}

#[test]
fn the_dead_are_said_to_have_left_and_nobody_looks_for_them_any_more() {
    let mut world = World::joined(4, &Config::local());
    let force = |name| Command::ForceLeave { request: RequestId(9), name };
    world.command(0, force("n3"));
    world.command(0, force("nobody"));
    world.up[3] = false;
    world.run(20 * SECOND);
    world.command(0, force("n3"));
    world.run(3 * SECOND);
    for viewer in 0..3 {
        assert_eq!(world.state(viewer, 3), Some(State::Left), "n{viewer}");
    }
    assert_eq!(evidence(&world, 0, 3, Change::Left).cause, Cause::Forced);
    assert_eq!(evidence(&world, 1, 3, Change::Left).cause, Cause::Goodbye);
    world.command(0, force("n3"));
    let not_dead = |name: &str, state| Err(RequestError::NotDead { name: name.into(), state });
    let refused = [not_dead("n3", Some(State::Alive)), not_dead("nobody", None)];
    let done = || Ok(Done::ForcedOut);
    assert_eq!(results(&world, 0), [&refused[..], &[done(), done()]].concat());
    world.packets.clear();
    world.run(60 * SECOND);
    assert!(world.packets.iter().all(|&(_, _, to, _)| to != address(3)), "it is left alone");
}

#[test]
fn who_is_said_to_have_left_and_lives_comes_back() {
    let mut world = World::joined(3, &Config::local());
    world.set_rule(|from, to, _| (from == 2) == (to == 2));
    world.run(20 * SECOND);
    world.command(0, Command::ForceLeave { request: RequestId(9), name: "n2" });
    world.run(SECOND);
    assert_eq!(world.state(1, 2), Some(State::Left));
    world.heal();
    world.run(60 * SECOND);
    assert!(world.all_see_all());
}

#[test]
fn two_sides_that_hold_each_other_for_dead_are_one_again_after_one_join() {
    for reap_time in [30 * SECOND, 300 * SECOND] {
        let config = Config { reap_time, ..Config::lan() };
        let mut world = World::joined(3, &config);
        world.set_rule(|from, to, _| from != 2 && to != 2);
        world.run(100 * SECOND);
        assert_ne!(world.state(0, 2), Some(State::Alive));
        assert_ne!(world.state(2, 0), Some(State::Alive));
        world.heal();
        world.join(2, 0);
        world.run(10 * SECOND);
        assert!(world.all_see_all(), "when the dead are forgotten after {reap_time:?}");
        assert!(world.nodes[0].member("n2").unwrap().incarnation > Incarnation::FIRST);
    }
}

#[test]
fn go_needs_the_dead_to_be_forgotten_before_two_sides_are_one_again() {
    for (reap_time, heals) in [(30 * SECOND, true), (300 * SECOND, false)] {
        let config = Config { reap_time, ..Config::lan().with_memberlist_rules() };
        let mut world = World::joined(3, &config);
        world.set_rule(|from, to, _| from != 2 && to != 2);
        world.run(100 * SECOND);
        world.heal();
        world.join(2, 0);
        world.run(10 * SECOND);
        assert_eq!(world.all_see_all(), heals);
    }
}

#[test]
fn a_pause_makes_us_doubt_ourselves_and_accuse_nobody() {
    let mut world = World::joined(4, &Config::lan());
    world.run_without(0, 3 * SECOND);
    world.run(20 * SECOND);
    assert!(world.all_see_all());
    assert_eq!(count(&world, 0, Counter::LateWakeups), 1);
    assert_eq!(count(&world, 0, Counter::SuspicionsRaised), 0);
}

#[test]
fn a_paused_node_that_was_declared_dead_returns_by_itself() {
    let mut world = World::joined(4, &Config::lan());
    world.run_without(3, 30 * SECOND);
    assert_eq!(world.state(0, 3), Some(State::Dead));
    world.run(60 * SECOND);
    assert!(world.all_see_all());
    assert!((0..3).all(|of| !world.changes(3, of).contains(&Change::Failed)));
}

#[test]
fn the_dead_are_forgotten_in_time_and_old_news_of_them_stays_old() {
    let mut world = World::joined(3, &Config { reap_time: 30 * SECOND, ..Config::lan() });
    let old = world.nodes[0].member("n2").unwrap();
    world.up[2] = false;
    world.run(100 * SECOND);
    assert!(world.nodes[0].member("n2").is_none());
    let last = world.changes(0, 2);
    assert_eq!(last, [Change::Suspected, Change::Failed, Change::Reaped]);
    let news = Alive {
        incarnation: old.incarnation,
        node: "n2",
        address: old.address(),
        meta: old.meta(),
        versions: old.versions(),
    };
    world.packets.clear();
    world.inject(0, address(1), &encoded(Message::Alive(news)));
    assert!(world.packets.is_empty(), "it did not say so itself");
    world.inject(0, address(2), &encoded(Message::Alive(news)));
    assert!(world.nodes[0].member("n2").is_none());
    assert_eq!(count(&world, 0, Counter::ClaimsBuried), 2);
    let told = &world.packets[0];
    assert_eq!(told.2, address(2), "its subject is told");
    assert!(told.3.len() <= encoded(Message::Alive(news)).len(), "with no more bytes than came");
    world.inject(0, address(2), &encoded(Message::Alive(news)));
    assert_eq!(count(&world, 0, Counter::Corrections), 1, "but not all the time");
}

#[test]
fn a_restart_at_the_first_incarnation_learns_what_is_held_against_it() {
    let config = Config { reap_time: 30 * SECOND, ..Config::lan() };
    let mut world = World::joined(3, &config);
    let accusation = Suspect { incarnation: incarnation(40), node: "n2", from: "n1" };
    world.inject(2, address(1), &encoded(Message::Suspect(accusation)));
    world.run(3 * SECOND);
    world.up[2] = false;
    world.run(100 * SECOND);
    assert!(world.nodes[0].member("n2").is_none(), "reaped");
    let local = Local::new("n2", address(2).into());
    world.nodes[2] = mingle_proto::Node::new(config, local, 5, world.now).unwrap();
    world.up[2] = true;
    world.join(2, 0);
    world.run(10 * SECOND);
    assert!(world.all_see_all());
    assert!(world.nodes[0].member("n2").unwrap().incarnation > incarnation(40));
}

#[test]
fn one_name_at_two_addresses_is_a_conflict_and_the_first_one_stays() {
    let config = Config::lan();
    let mut world = World::joined(3, &config);
    let twin = world.add(&config, Local::new("n1", address(9).into()));
    world.join(twin, 0);
    world.run(10 * SECOND);
    assert_eq!(world.nodes[0].member("n1").unwrap().address(), address(1).into());
    assert!(count(&world, 0, Counter::Conflicts) > 0);
    let told = |node| {
        world.events.iter().any(|(_, at, event)| {
            *at == node
                && matches!(event, Event::Conflict { other, .. } if *other == address(9).into())
        })
    };
    assert!(told(0), "whoever hears both claims says so");
}

#[test]
fn a_dead_name_returns_from_a_new_address_under_the_law_alone() {
    for (config, expected) in
        [(Config::lan(), true), (Config::lan().with_memberlist_rules(), false)]
    {
        let config = Config { reap_time: 3600 * SECOND, ..config };
        let mut world = World::joined(3, &config);
        world.up[2] = false;
        world.run(60 * SECOND);
        let local = Local { incarnation: incarnation(9), ..Local::new("n2", address(7).into()) };
        let back = world.add(&config, local);
        world.join(back, 0);
        world.run(10 * SECOND);
        let member = world.nodes[0].member("n2").unwrap();
        let came_back = member.state == State::Alive && member.address() == address(7).into();
        assert_eq!(came_back, expected);
    }
}

#[test]
fn versions_that_do_not_fit_refuse_the_whole_merge() {
    let config = Config::lan();
    let mut world = World::joined(2, &config);
    let versions = Versions::ours(Delegate { min: 9, max: 9, current: 9 }, Mark::Plain);
    let stranger = world.add(&config, Local { versions, ..Local::new("n2", address(2).into()) });
    world.join(stranger, 0);
    world.run(5 * SECOND);
    assert!(world.nodes[0].member("n2").is_none());
    assert!(world.nodes[2].member("n0").is_none());
    assert_eq!(count(&world, 0, Counter::PushPullsIncompatible), 1);
    assert!(results(&world, 2)[0].is_err());
}

#[test]
fn addresses_outside_the_allowed_networks_are_refused() {
    let config = Config { cidrs_allowed: vec!["10.0.0.0/30".parse().unwrap()], ..Config::lan() };
    let mut world = World::new(4, &config);
    for i in 1..4 {
        world.join(i, 0);
    }
    world.run(5 * SECOND);
    assert!(world.nodes[0].member("n2").is_some());
    assert!(world.nodes[0].member("n3").is_none(), "10.0.0.4 is outside of 10.0.0.0/30");
    assert!(count(&world, 0, Counter::NetworksRefused) > 0);
}

#[test]
fn meta_that_is_stated_again_is_no_news() {
    let mut world = World::joined(2, &Config::lan());
    let before = world.nodes[1].local();
    world.command(1, Command::SetMeta { request: RequestId(1), meta: before.meta() });
    world.run(2 * SECOND);
    assert_eq!(world.nodes[1].local(), before);
    assert_eq!(results(&world, 1), [Ok(Done::MetaSet)]);
    assert!(world.changes(0, 1).is_empty());
}

#[test]
fn new_meta_reaches_everybody_as_an_update() {
    let mut world = World::joined(4, &Config::lan());
    world.command(2, Command::SetMeta { request: RequestId(1), meta: b"fresh" });
    world.run(3 * SECOND);
    for viewer in 0..4 {
        assert_eq!(world.nodes[viewer].member("n2").unwrap().meta(), b"fresh");
        assert_eq!(world.changes(viewer, 2), [Change::Updated]);
    }
    let long = [0; 513];
    world.command(2, Command::SetMeta { request: RequestId(2), meta: &long });
    assert!(matches!(results(&world, 2)[1], Err(RequestError::TooLong { limit: 512, .. })));
    assert_eq!(world.nodes[2].local().meta(), b"fresh", "nothing half-done");
}

#[test]
fn whoever_has_nothing_to_tell_sleeps_through_the_gossip_ticks_and_keeps_their_time() {
    let config = Config::lan();
    let mut world = World::joined(3, &config);
    world.wakes.fill(0);
    world.run(60 * SECOND);
    // Each second it is woken for a probe, and to see that it was answered; every 30 to push and pull.
    assert!(world.wakes.iter().all(|&wakes| wakes <= 130), "{:?}", world.wakes);
    let mut told = Vec::new();
    for (meta, wait) in [(b"a", 1_137), (b"b", 4_911), (b"c", 7_003)] {
        world.run(Duration::from_millis(wait));
        world.packets.clear();
        let since = world.now;
        world.command(0, Command::SetMeta { request: RequestId(1), meta });
        world.run(SECOND);
        let gossip = |(_, from, _, body): &&(_, usize, _, Vec<u8>)| {
            let first = memberlist::messages(body).next();
            *from == 0 && matches!(first, Some(Ok(Message::Alive(_))))
        };
        let &(at, ..) = world.packets.iter().find(gossip).expect("it is told");
        assert!(at.since(since) <= config.gossip_interval, "{since:?} {at:?}");
        told.push(u128::from(at.as_nanos()) % config.gossip_interval.as_nanos());
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "the phase stays: {told:?}");
}

#[test]
fn user_messages_go_by_packet_and_by_stream() {
    let mut world = World::joined(2, &Config::lan());
    let to = Recipient::Member("n1");
    world.command(0, Command::Send { request: RequestId(1), to, payload: b"small" });
    let big = vec![7; 100_000];
    world.command(0, Command::SendStream { request: RequestId(2), to, payload: &big });
    world.command(0, Command::Send { request: RequestId(3), to, payload: &big[..2000] });
    let nobody = Recipient::Member("nobody");
    world.command(0, Command::Send { request: RequestId(4), to: nobody, payload: b"x" });
    world.run(SECOND);
    let got = world.events.iter().filter_map(|(_, at, event)| match event {
        Event::UserMessage { via, payload, .. } if *at == 1 => Some((*via, payload.clone())),
        _ => None,
    });
    let got: Vec<_> = got.collect();
    assert_eq!(got[0], (Via::Packet(address(0)), b"small".to_vec()));
    assert_eq!(got[1], (Via::Stream(address(0)), big));
    let results = results(&world, 0);
    assert!(results.contains(&Ok(Done::Sent)));
    assert!(results.iter().any(|r| matches!(r, Err(RequestError::TooLong { limit: 1399, .. }))));
    assert!(results.iter().any(|r| matches!(r, Err(RequestError::NoSuchMember { .. }))));
}

#[test]
fn streams_are_kept_to_live_mingle_nodes_alone() {
    let ours = Versions::ours(Delegate::NONE, Mark::Mingle);
    let plain = Versions::ours(Delegate::NONE, Mark::Plain);
    for (here, there) in [(ours, ours), (ours, plain), (plain, ours)] {
        let mut world = World::new(0, &Config::lan());
        for (node, versions) in [here, there].into_iter().enumerate() {
            let local = Local::new(name(node), address(node).into());
            world.add(&Config::lan(), Local { versions, ..local });
        }
        world.join(1, 0);
        world.run(SECOND);
        let is_kept = [here, there] == [ours; 2];
        let kept = |to| world.nodes[0].keeps_streams(to);
        assert_eq!(kept(Recipient::Member("n1")), is_kept.then_some(address(1)));
        assert_eq!(kept(Recipient::Address(address(1))), is_kept.then_some(address(1)));
        assert_eq!(kept(Recipient::Member("nobody")), None);
        assert_eq!(kept(Recipient::Address(address(7))), None);
        world.command(1, Command::Leave { request: RequestId(9) });
        world.run(5 * SECOND);
        assert_eq!(world.nodes[0].keeps_streams(Recipient::Member("n1")), None);
    }
}

#[test]
fn the_applications_state_goes_both_ways_with_a_join() {
    let mut world = World::new(2, &Config::lan());
    world.user_states = vec![b"of n0".to_vec(), b"of n1".to_vec()];
    world.join(1, 0);
    world.run(SECOND);
    let state_at = |node: usize| {
        world.events.iter().find_map(|(_, at, event)| match event {
            Event::UserState { join, state, .. } if *at == node => Some((*join, state.clone())),
            _ => None,
        })
    };
    assert_eq!(state_at(0), Some((true, b"of n1".to_vec())));
    assert_eq!(state_at(1), Some((true, b"of n0".to_vec())));
}

#[test]
fn acks_carry_the_payload_and_the_round_trip_time() {
    let mut world = World::joined(2, &Config::lan());
    world.command(1, Command::SetAckPayload(b"coordinate"));
    world.run(3 * SECOND);
    let pong = world.events.iter().find_map(|(_, at, event)| match event {
        Event::Pong { member, rtt, payload } if *at == 0 => Some((member.clone(), *rtt, payload)),
        _ => None,
    });
    let (member, rtt, payload) = pong.unwrap();
    assert_eq!((member.name(), rtt), ("n1", Duration::from_millis(2)));
    assert_eq!(payload, b"coordinate");
}

#[test]
fn a_failed_write_saves_the_wait_for_an_ack() {
    let mut world = World::joined(3, &Config::lan());
    world.set_rule(|from, to, carrier| carrier == Carrier::Stream || (from, to) != (0, 1));
    let before = count(&world, 0, Counter::Probes);
    let mut told = false;
    for _ in 0..30 {
        world.run(Duration::from_millis(100));
        if count(&world, 0, Counter::Probes) > before && !told {
            let kind = SendFailure::Unreachable;
            world.input(0, Input::SendFailed { to: address(1), kind });
            told = count(&world, 2, Counter::IndirectPingsReceived) > 0;
        }
    }
    world.run(10 * SECOND);
    assert!(world.all_see_all());
    assert!(count(&world, 0, Counter::SendsFailed) > 0);
}

#[test]
fn a_full_table_refuses_newcomers_and_counts_them() {
    let config = Config { max_members: 3, ..Config::lan() };
    let mut world = World::new(4, &config);
    for i in 1..4 {
        world.join(i, 0);
    }
    world.run(5 * SECOND);
    assert_eq!(world.nodes[0].members().count(), 3);
    assert!(count(&world, 0, Counter::MembersRefused) > 0);
}

#[test]
fn claims_beyond_the_last_incarnation_change_nothing() {
    let mut world = World::joined(2, &Config::lan());
    let accusation = Suspect { incarnation: Incarnation::LAST, node: "n1", from: "n0" };
    let mut body = encoded(Message::Suspect(accusation));
    let last = Incarnation::LAST.get().to_be_bytes();
    let place = body.windows(4).position(|four| four == last).unwrap();
    body[place..place + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    world.inject(0, address(1), &body);
    assert_eq!(world.state(0, 1), Some(State::Alive));
    assert_eq!(world.nodes[0].counters().refused_in_all(), 1);
}

/// A member is forgotten in the same wake-up in which its probe turned to a stream.
#[test]
fn a_ping_on_a_stream_to_whom_is_forgotten_leaves_no_exchange_behind() {
    let reap_time = Duration::from_millis(100);
    let mut world = World::new(1, &Config { reap_time, ..Config::lan().with_memberlist_rules() });
    let versions = Versions::ours(Delegate::SERF, Mark::Plain);
    let mut dialled = 0;
    for number in 1..=2000 {
        let news = Alive {
            incarnation: incarnation(number),
            node: "n1",
            address: address(1).into(),
            meta: b"",
            versions,
        };
        world.inject(0, address(1), &encoded(Message::Alive(news)));
        let probes = count(&world, 0, Counter::Probes);
        while count(&world, 0, Counter::Probes) == probes {
            world.run(Duration::from_millis(10));
        }
        world.run(Duration::from_millis(450));
        let verdict = Dead { incarnation: incarnation(number), node: "n1", from: "n2" };
        world.inject(0, address(2), &encoded(Message::Dead(verdict)));
        world.run_without(0, Duration::from_millis(200));
        world.run(3 * SECOND);
        assert!(world.nodes[0].member("n1").is_none(), "it is forgotten");
        dialled = count(&world, 0, Counter::ExchangesRefused);
    }
    assert_eq!(dialled, 0, "every exchange has found its end");
}

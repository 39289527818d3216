use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use mingle_proto::{Cause, Local, Profile};
use mingle_wire::{Dead, Incarnation, Ip, State};
use serde_json::Value;

use super::*;

/// One thing made wrong in a history.
pub(super) type Alteration = fn(&mut Vec<Call>);

/// The history is in order, and the checker sees each of these.
pub(super) fn check(checker: Checker, alterations: &[(&str, Alteration)]) {
    check_of(BUSY, checker, alterations);
}

/// The same in another world.
pub(super) fn check_of(text: &str, checker: Checker, alterations: &[(&str, Alteration)]) {
    let (calls, outcome) = recorded(text, 2);
    assert_eq!(outcome.findings, []);
    assert_eq!(told(&calls, |_| true).findings(), []);
    for (what, alter) in alterations {
        let mut altered = calls.clone();
        alter(&mut altered);
        let is_it = |finding: &Finding| finding.checker == checker.name();
        let checks = told(&altered, is_it);
        let found = checks.findings().iter().any(is_it);
        assert!(found, "{what} goes unnoticed; found are {:?}", checks.findings());
    }
}

/// Changes the first call that can be changed so.
pub(super) fn first(calls: &mut [Call], change: impl FnMut(&mut Call) -> bool) -> usize {
    calls.iter_mut().position(change).expect("the history has something to change")
}

/// Changes the first event of this kind that can be changed so.
pub(super) fn event(
    calls: &mut [Call],
    kind: Change,
    mut change: impl FnMut(&mut Member, &mut Evidence) -> bool,
) -> usize {
    first(calls, |call| match &mut call.what {
        What::Event { event: Event::Member { change: is, member, evidence }, .. } => {
            *is == kind && change(member, evidence)
        }
        _ => false,
    })
}

/// The first event of another kind than those about members.
fn told_of(calls: &[Call], mut is: impl FnMut(&Event) -> bool) -> usize {
    let found = calls.iter().position(|call| match &call.what {
        What::Event { event, .. } => is(event),
        _ => false,
    });
    found.expect("the history has such an event")
}

fn later(by: u64) -> Duration {
    Duration::from_secs(by)
}

/// What a node of this name and meta says of itself there.
fn profile(name: &str, ip: [u8; 4], meta: &[u8]) -> Profile {
    let address = SocketAddr::from((ip, 7946));
    let local = Local { meta: meta.to_vec(), ..Local::new(name.to_owned(), address.into()) };
    Node::new(Config::lan(), local, 1, Instant::ORIGIN).unwrap().local().profile
}

#[test]
fn an_incarnation_of_its_own_that_falls_is_found() {
    let falls: Alteration = |calls| {
        let mut before = BTreeMap::new();
        let rose = first(calls, |call| {
            let What::Handled { node, .. } = &call.what else { return false };
            let first = before.entry(call.host).or_insert_with(|| Rc::clone(node));
            node.local().incarnation > first.local().incarnation
        });
        let host = calls[rose].host;
        let again = first(&mut calls[rose + 1..], |call| match &mut call.what {
            What::Handled { node, .. } if call.host == host => {
                *node = Rc::clone(&before[&host]);
                true
            }
            _ => false,
        });
        assert!(again > 0);
    };
    let says_else: Alteration = |calls| {
        first(calls, |call| {
            let What::Handled { node, .. } = &mut call.what else { return false };
            let Member { profile, incarnation, .. } = node.local();
            let local = Local::new(profile.name().to_owned(), profile.address());
            let local = Local { meta: b"else".to_vec(), incarnation, ..local };
            *node = Rc::new(Node::new(Config::lan(), local, 1, Instant::ORIGIN).unwrap());
            true
        });
    };
    let cases = [("falling", falls), ("something else at the same incarnation", says_else)];
    check(Checker::Incarnation, &cases);
}

#[test]
fn verdicts_without_their_suspicion_are_found() {
    check(
        Checker::Verdicts,
        &[
            ("a suspicion that nobody spread", |calls| {
                calls.retain(|call| match &call.what {
                    What::Sent { body, .. } => !memberlist::messages(body)
                        .any(|message| matches!(message, Ok(Message::Suspect(_)))),
                    _ => true,
                });
            }),
            ("a suspicion that is said to have run longer", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::SuspicionExpired { ran, .. } => {
                        *ran += later(1);
                        true
                    }
                    _ => false,
                });
            }),
            ("one that ran a second only", |calls| short_suspicion(calls)),
            ("an accuser who never did", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::SuspicionExpired { accusers, .. } => {
                        accusers.push("somebody".into());
                        true
                    }
                    _ => false,
                });
            }),
            ("another first accuser", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::SuspicionExpired { accusers, .. } if accusers.len() > 1 => {
                        accusers.swap(0, 1);
                        true
                    }
                    _ => false,
                });
            }),
            ("no suspicion", |calls| {
                let at = event(calls, Change::Failed, |_, evidence| {
                    matches!(evidence.cause, Cause::SuspicionExpired { .. })
                });
                let (host, whom) = subject(&calls[at]);
                calls.retain(|call| {
                    let of_it =
                        matches!(&call.what, What::Event { event: Event::Member { .. }, .. })
                            && subject(call) == (host, whom.clone());
                    let change = changed(call);
                    !(of_it && matches!(change, Some(Change::Suspected)))
                });
            }),
            ("a verdict of somebody who had none", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::Declared { by } => {
                        *by = "somebody".into();
                        true
                    }
                    _ => false,
                });
            }),
            ("a goodbye that was not said", |calls| {
                let at = event(calls, Change::Left, |_, evidence| evidence.via == Via::Own);
                calls.remove(at);
            }),
            ("a forged verdict without a forger", |calls| {
                calls.retain(|call| !matches!(call.what, What::Fault(Fault::Forge { .. })));
            }),
        ],
    );
}

/// Whom an event is about, and who tells it.
fn subject(call: &Call) -> (u32, String) {
    match &call.what {
        What::Event { event: Event::Member { member, .. }, .. } => {
            (call.host, member.name().to_owned())
        }
        _ => (call.host, String::new()),
    }
}

fn changed(call: &Call) -> Option<Change> {
    match &call.what {
        What::Event { event: Event::Member { change, .. }, .. } => Some(*change),
        _ => None,
    }
}

/// The suspicion before the first verdict of one began a second before it, and says so.
fn short_suspicion(calls: &mut [Call]) {
    let second = later(1);
    let mut verdict = None;
    let end = first(calls, |call| {
        let host = call.host;
        let What::Event { shown, event: Event::Member { member, evidence, .. } } = &mut call.what
        else {
            return false;
        };
        let Cause::SuspicionExpired { ran, .. } = &mut evidence.cause else { return false };
        let began = Instant::from_nanos(shown.as_nanos() - 1_000_000_000);
        *ran = second;
        verdict = Some((host, member.name().to_owned(), began));
        true
    });
    let (host, whom, began) = verdict.expect("it was just found");
    for call in calls[..end].iter_mut().rev() {
        if changed(call) == Some(Change::Suspected) && subject(call) == (host, whom.clone()) {
            if let What::Event { shown, .. } = &mut call.what {
                *shown = began;
            }
            return;
        }
    }
    panic!("a suspicion comes before its verdict");
}

#[test]
fn whoever_rises_at_the_incarnation_of_its_fall_is_found() {
    check(
        Checker::Resurrection,
        &[
            ("at the same incarnation", |calls| {
                event(calls, Change::Joined, |member, evidence| {
                    let back = evidence.before.is_some();
                    if back {
                        member.incarnation = Incarnation::FIRST;
                    }
                    back
                });
            }),
            ("after its verdict was heard of before itself", |calls| {
                let at = event(calls, Change::Joined, |_, evidence| evidence.before.is_none());
                let host = calls[at].host;
                let What::Event { event: Event::Member { member, .. }, .. } = &calls[at].what
                else {
                    unreachable!()
                };
                let (incarnation, node) = (member.incarnation, member.name());
                let mut body = Vec::new();
                Message::Dead(Dead { incarnation, node, from: "n9" }).encode(&mut body);
                let before = calls[..at].iter().rposition(|call| {
                    call.host == host && matches!(call.what, What::Handled { .. })
                });
                let handled = calls[before.unwrap()].clone();
                let from = ([10, 0, 0, 1], 7946).into();
                let received = handled.now;
                let packet =
                    Call { what: What::Packet { from, received, body }, ..handled.clone() };
                calls.insert(before.unwrap() + 1, packet);
                calls.insert(before.unwrap() + 2, handled);
            }),
            ("after it was reaped", |calls| {
                let mut gone = BTreeSet::new();
                first(calls, |call| {
                    let about = subject(call);
                    let What::Event { event: Event::Member { change, member, .. }, .. } =
                        &mut call.what
                    else {
                        return false;
                    };
                    match change {
                        Change::Reaped => !gone.insert(about),
                        Change::Joined if gone.contains(&about) => {
                            member.incarnation = Incarnation::FIRST;
                            true
                        }
                        _ => false,
                    }
                });
            }),
        ],
    );
}

#[test]
fn events_out_of_order_are_found() {
    check(
        Checker::Order,
        &[
            ("one told twice", |calls| {
                let at = event(calls, Change::Suspected, |_, _| true);
                calls.insert(at, calls[at].clone());
            }),
            ("a death of nobody", |calls| {
                let at = event(calls, Change::Reaped, |_, _| true);
                let death = event(calls, Change::Failed, |_, _| true);
                assert!(death < at);
                let call = calls[at].clone();
                calls.insert(death, call);
            }),
            ("another state before", |calls| {
                event(calls, Change::Suspected, |_, evidence| {
                    evidence.before = Some(State::Dead);
                    true
                });
            }),
            ("another state after", |calls| {
                event(calls, Change::Failed, |member, _| {
                    member.state = State::Left;
                    true
                });
            }),
            ("an incarnation that falls", |calls| {
                event(calls, Change::Suspected, |member, _| {
                    let falls = member.incarnation > Incarnation::FIRST;
                    member.incarnation = Incarnation::FIRST;
                    falls
                });
            }),
            ("a change before its time", |calls| {
                event(calls, Change::Failed, |member, _| {
                    member.since = Instant::ORIGIN;
                    true
                });
            }),
            ("a live member at another address", |calls| {
                event(calls, Change::Updated, |member, _| {
                    member.profile = profile(member.name(), [10, 9, 9, 9], b"");
                    true
                });
            }),
            ("a recovery with news that are not told", |calls| {
                event(calls, Change::Recovered, |member, _| {
                    let Ip::V4(ip) = member.address().ip else { return false };
                    member.profile = profile(member.name(), ip, b"news");
                    true
                });
            }),
            ("an update of nothing", |calls| {
                let at = event(calls, Change::Updated, |_, _| true);
                calls.insert(at, calls[at].clone());
            }),
        ],
    );
}

#[test]
fn views_that_events_do_not_explain_are_found() {
    check(
        Checker::Views,
        &[
            ("an event that is missing", |calls| {
                let at = event(calls, Change::Updated, |_, _| true);
                calls.remove(at);
            }),
            ("a member that is told otherwise", |calls| {
                event(calls, Change::Suspected, |member, _| {
                    member.since = Instant::ORIGIN;
                    true
                });
            }),
            ("a health score that is not told", |calls| {
                let at = told_of(calls, |event| matches!(event, Event::Health { .. }));
                calls.remove(at);
            }),
            ("a refutation at another incarnation", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Event { event: Event::Refuted { incarnation, .. }, .. } => {
                        *incarnation = incarnation.next();
                        true
                    }
                    _ => false,
                });
            }),
            ("a pong of somebody else", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Event { event: Event::Pong { member, .. }, .. } => {
                        member.incarnation = member.incarnation.next();
                        true
                    }
                    _ => false,
                });
            }),
        ],
    );
}

#[test]
fn packets_above_their_room_or_unreadable_are_found() {
    check(
        Checker::Packets,
        &[
            ("a packet above its room", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Sent { room, body, .. } => {
                        *room = body.len() - 1;
                        true
                    }
                    _ => false,
                });
            }),
            ("a packet that is cut", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Sent { body, .. } => body.pop().is_some(),
                    _ => false,
                });
            }),
            ("a stream message that is cut", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Said { body, .. } => {
                        body.truncate(body.len() / 2);
                        true
                    }
                    _ => false,
                });
            }),
        ],
    );
}

/// Whether a packet is gossip that begins with a claim.
pub(super) fn is_gossip(call: &Call) -> bool {
    let What::Sent { body, .. } = &call.what else { return false };
    matches!(
        memberlist::messages(body).next(),
        Some(Ok(Message::Alive(_) | Message::Suspect(_) | Message::Dead(_)))
    )
}

#[test]
fn claims_sent_too_often_or_not_often_enough_are_found() {
    check(
        Checker::Transmits,
        &[
            ("too often", |calls| {
                let woken = |i: usize| {
                    let before = calls[..i].iter().rev();
                    let input = before.clone().find(|call| {
                        matches!(call.what, What::Woken | What::Packet { .. } | What::Opened { .. })
                    });
                    matches!(input.map(|call| &call.what), Some(What::Woken))
                };
                let at = (0..calls.len()).find(|&i| is_gossip(&calls[i]) && woken(i)).unwrap();
                let packet = calls[at].clone();
                let host = packet.host;
                let mut rest = calls.split_off(at);
                for call in rest.drain(..) {
                    let ends = call.host == host && matches!(call.what, What::Handled { .. });
                    if ends {
                        calls.push(packet.clone());
                    }
                    calls.push(call);
                }
            }),
            ("not often enough", |calls| {
                let mut turn = 0;
                calls.retain(|call| {
                    turn += u32::from(is_gossip(call));
                    !(is_gossip(call) && turn % 2 == 0)
                });
            }),
            ("once less than it must be", |calls| {
                let at = first(calls, |call| is_gossip(call));
                calls.remove(at);
            }),
            ("a change that is not passed on", |calls| {
                event(calls, Change::Joined, |member, evidence| {
                    member.incarnation = member.incarnation.next();
                    evidence.incarnation = member.incarnation;
                    true
                });
            }),
            ("twice in a packet", |calls| {
                first(calls, |call| {
                    if !is_gossip(call) {
                        return false;
                    }
                    let What::Sent { body, .. } = &mut call.what else { return false };
                    if memberlist::part_count(body) != 1 {
                        return false;
                    }
                    let part = body.clone();
                    memberlist::append_part(body, &part);
                    true
                });
            }),
        ],
    );
}

#[test]
fn evidence_that_does_not_fit_is_found() {
    check(
        Checker::Evidence,
        &[
            ("no accusers", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::SuspicionExpired { accusers, .. } => {
                        accusers.clear();
                        true
                    }
                    _ => false,
                });
            }),
            ("one accuser twice", |calls| {
                event(calls, Change::Failed, |_, evidence| match &mut evidence.cause {
                    Cause::SuspicionExpired { accusers, .. } => {
                        accusers.push(std::sync::Arc::clone(&accusers[0]));
                        true
                    }
                    _ => false,
                });
            }),
            ("more nacks than helpers", |calls| {
                event(calls, Change::Suspected, |_, evidence| match &mut evidence.cause {
                    Cause::ProbeFailed(report) => {
                        report.nacks = report.helpers + 1;
                        true
                    }
                    _ => false,
                });
            }),
            ("a probe that did not wait", |calls| {
                event(calls, Change::Suspected, |_, evidence| match &mut evidence.cause {
                    Cause::ProbeFailed(report) => {
                        report.waited /= 2;
                        true
                    }
                    _ => false,
                });
            }),
            ("a cause of something else", |calls| {
                event(calls, Change::Suspected, |_, evidence| {
                    evidence.cause = Cause::Goodbye;
                    true
                });
            }),
            ("another way", |calls| {
                event(calls, Change::Reaped, |_, evidence| {
                    evidence.via = Via::Packet(([10, 0, 0, 1], 7946).into());
                    true
                });
            }),
            ("another incarnation", |calls| {
                event(calls, Change::Suspected, |_, evidence| {
                    evidence.incarnation = evidence.incarnation.next();
                    true
                });
            }),
            ("a refutation at what it refutes", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Event { event: Event::Refuted { incarnation, evidence }, .. } => {
                        evidence.incarnation = *incarnation;
                        true
                    }
                    _ => false,
                });
            }),
        ],
    );
}

/// Changes when members are said to have answered last. Not every answer is seen from outside.
fn answers(calls: &mut [Call], change: fn(Duration) -> Option<Duration>) {
    for call in calls {
        if let What::Event { event: Event::Member { evidence, .. }, .. } = &mut call.what {
            evidence.last_ack = evidence.last_ack.and_then(change);
        }
    }
}

#[test]
fn answers_that_never_came_are_found() {
    check(
        Checker::Answers,
        &[
            ("answers that are forgotten", |calls| answers(calls, |_| None)),
            ("answers too early", |calls| answers(calls, |age| Some(age + later(1)))),
            ("an answer of a stranger", |calls| {
                event(calls, Change::Joined, |_, evidence| {
                    evidence.last_ack = Some(later(1));
                    evidence.before.is_none()
                });
            }),
            ("nacks that did not come", |calls| {
                event(calls, Change::Suspected, |_, evidence| match &mut evidence.cause {
                    Cause::ProbeFailed(report) if report.nacks < report.nacks_expected => {
                        report.nacks += 1;
                        true
                    }
                    _ => false,
                });
            }),
            ("an accusation of a later incarnation", |calls| {
                event(calls, Change::Suspected, |_, evidence| {
                    let is_it = matches!(evidence.cause, Cause::ProbeFailed(_));
                    if is_it {
                        evidence.incarnation = evidence.incarnation.next();
                    }
                    is_it
                });
            }),
            ("a probe of somebody else", |calls| {
                let ping = |body: &[u8]| {
                    matches!(memberlist::messages(body).next(), Some(Ok(Message::Ping(_))))
                };
                calls.retain(|call| match &call.what {
                    What::Sent { body, .. } => !ping(body),
                    _ => true,
                });
            }),
        ],
    );
}

#[test]
fn requests_answered_twice_or_never_are_found() {
    check(
        Checker::Requests,
        &[
            ("twice", |calls| {
                let at = told_of(calls, |event| matches!(event, Event::Completed { .. }));
                calls.insert(at, calls[at].clone());
            }),
            ("never", |calls| {
                let at = told_of(calls, |event| {
                    let Event::Completed { result, .. } = event else { return false };
                    matches!(result, Ok(mingle_proto::Done::MetaSet))
                });
                calls.remove(at);
            }),
        ],
    );
}

#[test]
fn exchanges_used_twice_or_when_they_are_not_open_are_found() {
    fn again(calls: &mut Vec<Call>, turn: Turn) {
        let at = first(calls, |call| matches!(call.what, What::Turn(_, is) if is == turn));
        calls.insert(at, calls[at].clone());
    }
    check(
        Checker::Exchanges,
        &[
            ("a number used twice", |calls| again(calls, Turn::Dial)),
            ("an answer said twice", |calls| again(calls, Turn::Reply)),
            ("an end told twice", |calls| again(calls, Turn::Close)),
        ],
    );
}

#[test]
fn a_node_that_is_woken_for_ever_is_found() {
    let again: Alteration = |calls| {
        let at = first(calls, |call| match &mut call.what {
            What::Handled { shown, node } => {
                *shown = node.poll_timeout().unwrap();
                true
            }
            _ => false,
        });
        let handled = calls[at].clone();
        let woken = Call { what: What::Woken, ..handled.clone() };
        for _ in 0..20 {
            calls.insert(at, handled.clone());
            calls.insert(at, woken.clone());
        }
    };
    check(Checker::Progress, &[("for ever", again)]);
}

#[test]
fn what_is_corrupted_and_accepted_is_found() {
    let accepted: Alteration = |calls| {
        let to = ([10, 0, 0, 1], 7946).into();
        let last = calls.last().unwrap().clone();
        calls.push(Call { what: What::Corrupted { to }, ..last });
    };
    check(Checker::Corruption, &[("accepted", accepted)]);
}

/// A node among nine others, with its insides changed.
fn tampered(change: impl FnOnce(&mut Value)) -> Node {
    let config = Config::lan();
    let local = |i: u8| {
        let address = SocketAddr::from(([10, 0, 0, i], 7946));
        Local::new(format!("n{i}"), address.into())
    };
    let start = Instant::ORIGIN;
    let member = |i| Node::new(config.clone(), local(i), 1, start).unwrap().local();
    let others: Vec<Member> = (1..10).map(member).collect();
    let node = Node::among(config.clone(), local(0), 1, start, &others).unwrap();
    let mut value = serde_json::to_value(&node).unwrap();
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn checked_by_itself(checker: Checker, change: fn(&mut Value)) -> usize {
    let node = tampered(change);
    let mut checks = Checks::default();
    checks.started(Instant::ORIGIN, 0, Instant::ORIGIN, &node);
    checks.handled(Instant::ORIGIN, 0, Instant::ORIGIN, &node);
    checks.findings().iter().filter(|finding| finding.checker == checker.name()).count()
}

#[test]
fn bounds_that_do_not_hold_are_found() {
    assert_eq!(checked_by_itself(Checker::Bounds, |_| {}), 0);
    let wrong: [fn(&mut Value); 4] = [
        |node| node["config"]["max_members"] = 9.into(),
        // Two are gone.
        |node| {
            for i in [3, 4] {
                node["members"]["slots"][i]["state"] = "Left".into();
            }
            let ring = node["members"]["ring"].as_array_mut().unwrap();
            ring.retain(|key| *key != 3 && *key != 4);
            node["config"]["max_gone"] = 1.into();
        },
        |node| {
            node["config"]["max_tombstones"] = 0.into();
            let belief = serde_json::json!({ "incarnation": 1, "state": "Dead" });
            let stone = serde_json::json!({ "belief": belief, "since": 0, "told": null });
            node["tombstones"]["by_name"]["gone"] = stone;
        },
        |node| node["awareness"]["score"] = 8.into(),
    ];
    for change in wrong {
        assert!(checked_by_itself(Checker::Bounds, change) > 0);
    }
}

#[test]
fn indexes_that_are_wrong_are_found() {
    assert_eq!(checked_by_itself(Checker::Indexes, |_| {}), 0);
    let wrong: [fn(&mut Value); 3] = [
        // Somebody live is not in the ring.
        |node| drop(node["members"]["ring"].as_array_mut().unwrap().pop()),
        // One name in two places.
        |node| {
            let slots = node["members"]["slots"].as_array_mut().unwrap();
            slots[3]["profile"] = slots[2]["profile"].clone();
            slots[3]["since"] = 7.into();
        },
        // Somebody is suspect, and no suspicion runs.
        |node| node["members"]["slots"][3]["state"] = "Suspect".into(),
    ];
    for change in wrong {
        assert!(checked_by_itself(Checker::Indexes, change) > 0);
    }
}

#[test]
fn a_fingerprint_that_is_not_that_of_its_view_is_found() {
    let (right, wrong) =
        (tampered(|_| {}), tampered(|node| node["members"]["fingerprint"] = 7.into()));
    let mut checks = Checks::default();
    for (host, node) in [(0, &right), (1, &right), (2, &wrong)] {
        assert_eq!(checks.findings(), []);
        checks.started(Instant::ORIGIN, host, Instant::ORIGIN, node);
        checks.handled(Instant::ORIGIN, host, Instant::ORIGIN, node);
    }
    assert!(checks.findings().iter().any(|f| f.checker == Checker::Fingerprint.name()));
}

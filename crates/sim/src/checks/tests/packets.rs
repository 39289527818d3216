//! Of what is asked and answered in packets and on streams.

use mingle_wire::memberlist::PushPullWriter;
use mingle_wire::{
    Alive, Dead, Delegate, Incarnation, Mark, NodeState, SeqNo, State, StreamMessage, Versions,
};

use super::altered::{Alteration, check, check_of, first, is_gossip};
use super::*;

/// What a packet begins with, of which it may consist.
fn begins(body: &[u8]) -> Option<Message<'_>> {
    memberlist::messages(body).next()?.ok()
}

fn sent(call: &Call) -> Option<Message<'_>> {
    let What::Sent { body, .. } = &call.what else { return None };
    begins(body)
}

/// What the node took in before it did the call at this place.
fn input(calls: &[Call], at: usize) -> &What {
    let is_input = |call: &&Call| {
        !matches!(
            call.what,
            What::Sent { .. } | What::Said { .. } | What::Turn(..) | What::Event { .. }
        )
    };
    &calls[..at].iter().rfind(is_input).expect("everything follows on an input").what
}

/// The first packet that this is so of, with what the node took in before it.
fn packet(calls: &[Call], is: impl Fn(&Message<'_>, &What) -> bool) -> usize {
    let fits = |&at: &usize| sent(&calls[at]).is_some_and(|it| is(&it, input(calls, at)));
    (0..calls.len()).find(fits).expect("the history has such a packet")
}

/// An ack that is passed on.
fn relayed_ack(calls: &[Call]) -> usize {
    packet(calls, |message, input| {
        let What::Packet { body, .. } = input else { return false };
        matches!((message, begins(body)), (Message::Ack(_), Some(Message::Ack(_))))
    })
}

fn ack(calls: &[Call]) -> usize {
    packet(calls, |message, input| {
        let What::Packet { body, .. } = input else { return false };
        matches!((message, begins(body)), (Message::Ack(_), Some(Message::Ping(_))))
    })
}

fn nack(calls: &[Call]) -> usize {
    packet(calls, |message, _| matches!(message, Message::Nack(_)))
}

fn indirect_ping(calls: &[Call]) -> usize {
    packet(calls, |message, _| matches!(message, Message::IndirectPing(_)))
}

fn again(calls: &mut Vec<Call>, at: usize) {
    calls.insert(at, calls[at].clone());
}

fn send_instead(call: &mut Call, message: &Message<'_>) {
    let What::Sent { body, .. } = &mut call.what else { return };
    body.clear();
    message.encode(body);
}

fn send_elsewhere(call: &mut Call, address: SocketAddr) {
    if let What::Sent { to, .. } = &mut call.what {
        *to = address;
    }
}

fn numbered_otherwise(call: &mut Call) {
    let Some(Message::Ack(ack)) = sent(call) else { return };
    let seq = SeqNo(ack.seq.0 + 1);
    send_instead(call, &Message::Ack(mingle_wire::Ack { seq, payload: &[] }));
}

#[test]
fn pings_without_an_answer_and_answers_without_a_ping_are_found() {
    check(
        Checker::Pings,
        &[
            ("no answer", |calls| drop(calls.remove(ack(calls)))),
            ("two answers", |calls| again(calls, ack(calls))),
            ("another number", |calls| {
                let at = ack(calls);
                numbered_otherwise(&mut calls[at]);
            }),
            ("an answer to somebody else", |calls| {
                let at = ack(calls);
                send_elsewhere(&mut calls[at], ([10, 9, 9, 9], 7946).into());
            }),
        ],
    );
}

#[test]
fn indirect_pings_without_their_one_answer_are_found() {
    check(
        Checker::Relays,
        &[
            ("nobody is pinged", |calls| {
                let at = packet(calls, |message, input| {
                    let What::Packet { body, .. } = input else { return false };
                    let asked = matches!(begins(body), Some(Message::IndirectPing(_)));
                    asked && matches!(message, Message::Ping(_))
                });
                calls.remove(at);
            }),
            ("an ack is not passed on", |calls| drop(calls.remove(relayed_ack(calls)))),
            ("it is passed on with another number", |calls| {
                let at = relayed_ack(calls);
                numbered_otherwise(&mut calls[at]);
            }),
            ("a nack after the ack", |calls| {
                let at = relayed_ack(calls);
                let Some(Message::Ack(ack)) = sent(&calls[at]) else { return };
                let nack = Message::Nack(mingle_wire::Nack { seq: ack.seq });
                let mut call = calls[at].clone();
                send_instead(&mut call, &nack);
                calls.insert(at + 1, call);
            }),
            ("no nack", |calls| drop(calls.remove(nack(calls)))),
            ("two nacks", |calls| again(calls, nack(calls))),
            ("a nack to somebody else", |calls| {
                let at = nack(calls);
                send_elsewhere(&mut calls[at], ([10, 9, 9, 9], 7946).into());
            }),
        ],
    );
}

#[test]
fn helpers_that_can_not_help_are_found() {
    check(
        Checker::Helpers,
        &[
            ("the target itself", |calls| {
                let at = indirect_ping(calls);
                let Some(Message::IndirectPing(ping)) = sent(&calls[at]) else { return };
                let target = ping.target.socket_addr();
                send_elsewhere(&mut calls[at], target);
            }),
            ("one helper twice", |calls| again(calls, indirect_ping(calls))),
            ("a probe that is none", |calls| {
                let at = indirect_ping(calls);
                let Some(Message::IndirectPing(ping)) = sent(&calls[at]) else { return };
                let seq = SeqNo(ping.seq.0 + 1);
                let node = ping.node.to_owned();
                let other = mingle_wire::IndirectPing { seq, node: &node, ..ping };
                let mut body = Vec::new();
                Message::IndirectPing(other).encode(&mut body);
                if let What::Sent { body: sent, .. } = &mut calls[at].what {
                    *sent = body;
                }
            }),
        ],
    );
}

#[test]
fn gossip_to_one_member_twice_is_found() {
    let twice: Alteration = |calls| {
        let woken = |&at: &usize| is_gossip(&calls[at]) && matches!(input(calls, at), What::Woken);
        let at = (0..calls.len()).find(woken).unwrap();
        again(calls, at);
    };
    check(Checker::Gossip, &[("twice", twice)]);
}

fn correction(calls: &[Call]) -> usize {
    packet(calls, |message, input| {
        let is_claim =
            matches!(message, Message::Dead(_) | Message::Suspect(_) | Message::Alive(_));
        is_claim && matches!(input, What::Packet { .. } | What::Opened { .. })
    })
}

/// So many who speak of themselves in one packet, below what is held against them, and are all told.
fn many_corrected(calls: &mut Vec<Call>, many: u32) {
    let from = SocketAddr::from(([10, 0, 0, 1], 7946));
    let heard = first(calls, |call| matches!(call.what, What::Packet { .. }));
    let sample = calls[correction(calls)].clone();
    let names: Vec<String> = (0..many).map(|i| format!("stranger-{i}")).collect();
    let spelled = |message: Message<'_>| {
        let mut body = Vec::new();
        message.encode(&mut body);
        body
    };
    let incarnation = Incarnation::FIRST;
    let versions = Versions::ours(Delegate::SERF, Mark::Mingle);
    let claim = |node| Alive { incarnation, node, address: from.into(), meta: &[], versions };
    let claims: Vec<_> = names.iter().map(|name| spelled(Message::Alive(claim(name)))).collect();
    let mut all = Vec::new();
    memberlist::write_packet(claims.iter().map(Vec::as_slice), &mut all);
    calls[heard].what = What::Packet { from, received: calls[heard].now, body: all };
    let (now, host) = (calls[heard].now, calls[heard].host);
    for node in &names {
        let mut told = Call { now, host, ..sample.clone() };
        send_instead(&mut told, &Message::Dead(Dead { incarnation, node, from: "n1" }));
        send_elsewhere(&mut told, from);
        calls.insert(heard + 1, told);
    }
}

#[test]
fn corrections_that_are_too_many_too_long_or_of_nothing_are_found() {
    check(
        Checker::Corrections,
        &[
            ("twice", |calls| again(calls, correction(calls))),
            ("to somebody else", |calls| {
                let at = correction(calls);
                send_elsewhere(&mut calls[at], ([10, 0, 0, 99], 7946).into());
            }),
            ("longer than what it answers", |calls| {
                let at = correction(calls);
                let What::Sent { body, .. } = calls[at].what.clone() else { return };
                let (node, incarnation) = match begins(&body).unwrap() {
                    Message::Dead(claim) => (claim.node, claim.incarnation),
                    Message::Suspect(claim) => (claim.node, claim.incarnation),
                    Message::Alive(claim) => (claim.node, claim.incarnation),
                    other => panic!("{other:?} corrects nothing"),
                };
                let from = &"x".repeat(200);
                send_instead(&mut calls[at], &Message::Dead(Dead { incarnation, node, from }));
            }),
            ("33 in a second", |calls| many_corrected(calls, 33)),
        ],
    );
}

#[test]
fn thirty_two_corrections_in_a_second_are_not_too_many() {
    let (mut calls, _) = recorded(BUSY, 2);
    many_corrected(&mut calls, 32);
    let is_it = |finding: &Finding| finding.checker == Checker::Corrections.name();
    assert!(!told(&calls, |_| true).findings().iter().any(is_it));
}

/// Two nodes hear each other by the third only, and then as usual.
const ODD: &str = r#"
nodes = 3
duration = "40s"
[[fault]]
at = "5s"
for = "20s"
do = "link"
from = "0"
to = "1"
both_ways = true
carrier = "packets"
effect = "cut"
"#;

#[test]
fn links_that_degrade_or_are_restored_twice_or_of_the_gone_are_found() {
    fn link(event: &mut Event) -> Option<&mut Member> {
        match event {
            Event::LinkDegraded { member, .. } => Some(member),
            _ => None,
        }
    }
    fn degraded(call: &mut Call) -> Option<&mut Member> {
        match &mut call.what {
            What::Event { event, .. } => link(event),
            _ => None,
        }
    }
    check_of(
        ODD,
        Checker::Links,
        &[
            ("degraded twice", |calls| {
                let at = first(calls, |call| degraded(call).is_some());
                again(calls, at);
            }),
            ("restored only", |calls| {
                let at = first(calls, |call| degraded(call).is_some());
                calls.remove(at);
            }),
            ("of somebody who is dead", |calls| {
                first(calls, |call| match degraded(call) {
                    Some(member) => {
                        member.state = State::Dead;
                        true
                    }
                    None => false,
                });
            }),
        ],
    );
}

/// Spells the first view anew that this turn says and that can be changed so.
fn shown(
    calls: &mut [Call],
    turn: Turn,
    mut change: impl FnMut(&Node, &mut Vec<NodeState<'_>>) -> bool,
) {
    for at in 1..calls.len() {
        let What::Said { body, .. } = &calls[at].what else { continue };
        let said = matches!(calls[at - 1].what, What::Turn(_, is) if is == turn);
        let Ok(StreamMessage::PushPull(view)) = memberlist::decode_stream(body) else { continue };
        let handled = calls[at..].iter().find_map(|call| match &call.what {
            What::Handled { node, .. } => Some(node),
            _ => None,
        });
        let mut records: Vec<NodeState<'_>> = view.records().flatten().collect();
        if said && change(handled.expect("every step ends"), &mut records) {
            let mut anew = Vec::new();
            let count = u32::try_from(records.len()).unwrap();
            let mut writer = PushPullWriter::new(&mut anew, view.join, count);
            records.iter().for_each(|record| writer.record(record));
            writer.finish();
            memberlist::append_user_state(&mut anew, &[]);
            if let What::Said { body, .. } = &mut calls[at].what {
                *body = anew;
            }
            return;
        }
    }
    panic!("the history has no such view");
}

fn down<'r, 'b>(records: &'r mut [NodeState<'b>]) -> Option<&'r mut NodeState<'b>> {
    records.iter_mut().find(|record| !record.state.is_live())
}

#[test]
fn views_shown_otherwise_than_they_are_are_found() {
    check(
        Checker::Shown,
        &[
            ("without those that are gone", |calls| {
                shown(calls, Turn::Dial, |_, records| {
                    let before = records.len();
                    records.retain(|record| record.state.is_live());
                    records.len() < before
                });
            }),
            ("one for another", |calls| {
                shown(calls, Turn::Dial, |_, records| {
                    records[1] = records[0];
                    true
                });
            }),
            ("the left as dead", |calls| {
                shown(calls, Turn::Dial, |_, records| {
                    let left = down(records).filter(|record| record.state == State::Left);
                    left.map(|record| record.state = State::Dead).is_some()
                });
            }),
            ("another incarnation", |calls| {
                shown(calls, Turn::Reply, |_, records| {
                    records[0].alive.incarnation = records[0].alive.incarnation.next();
                    true
                });
            }),
            ("an answer after merging", |calls| {
                shown(calls, Turn::Reply, |node, records| {
                    let mut changed = false;
                    for record in records {
                        let Some(after) = node.member(record.alive.node) else { continue };
                        changed |= record.state != after.state;
                        changed |= record.alive.incarnation != after.incarnation;
                        record.state = after.state;
                        record.alive.incarnation = after.incarnation;
                    }
                    changed
                });
            }),
        ],
    );
}

#[test]
fn exchanges_left_open_or_not_on_the_books_are_found() {
    fn without_the_first(calls: &mut Vec<Call>, is: fn(&What) -> bool) {
        let at = first(calls, |call| is(&call.what));
        calls.remove(at);
    }
    check(
        Checker::Exchanges,
        &[
            ("one of a peer's left open", |calls| {
                without_the_first(calls, |what| {
                    matches!(what, What::Turn(ExchangeId::Theirs(_), Turn::Close))
                });
            }),
            ("one of its own still on the books", |calls| {
                without_the_first(calls, |what| matches!(what, What::Turn(_, Turn::Dial)));
            }),
            ("one of its own no more on the books", |calls| {
                without_the_first(calls, |what| {
                    matches!(what, What::Turn(ExchangeId::Ours(_), Turn::Close))
                });
            }),
        ],
    );
}

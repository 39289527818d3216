use std::rc::Rc;

use mingle_wire::{Alive, Dead, Incarnation, NodeState, State, StreamMessage, Suspect};

use super::altered::check;
use super::*;

/// What a node says of itself at an incarnation.
fn alive(me: &Member, incarnation: Incarnation) -> Alive<'_> {
    let (node, address) = (me.name(), me.address());
    Alive { incarnation, node, address, meta: me.meta(), versions: me.versions() }
}

/// What was taken in before the first step that ends so, and who took it in.
fn taken_in(calls: &[Call], is: impl Fn(&What) -> bool, ends: impl Fn(&Node) -> bool) -> usize {
    let found = calls.windows(2).position(|pair| match &pair[1].what {
        What::Handled { node, .. } => is(&pair[0].what) && ends(node),
        _ => false,
    });
    found.expect("the history has such a step")
}

#[test]
fn what_is_said_of_a_node_and_not_refuted_is_found() {
    fn accused(calls: &mut [Call], claim: fn(&Member) -> Vec<u8>) {
        let is_packet = |what: &What| matches!(what, What::Packet { .. });
        let at = taken_in(calls, is_packet, |node| node.local().state == State::Alive);
        let What::Handled { node, .. } = &calls[at + 1].what else { unreachable!() };
        let claim = claim(&node.local());
        let What::Packet { body, .. } = &mut calls[at].what else { unreachable!() };
        memberlist::append_part(body, &claim);
    }
    fn spelled(message: &Message<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    }
    check(
        Checker::Refutations,
        &[
            ("an accusation", |calls| {
                accused(calls, |me| {
                    let (incarnation, node) = (me.incarnation, me.name());
                    spelled(&Message::Suspect(Suspect { incarnation, node, from: "somebody" }))
                });
            }),
            ("a verdict far ahead", |calls| {
                accused(calls, |me| {
                    let incarnation = me.incarnation.next().next();
                    spelled(&Message::Dead(Dead { incarnation, node: me.name(), from: "n9" }))
                });
            }),
            ("another meta", |calls| {
                accused(calls, |me| {
                    let alive = Alive { meta: b"untrue", ..alive(me, me.incarnation) };
                    spelled(&Message::Alive(alive))
                });
            }),
            ("a life that it has forgotten", |calls| {
                accused(calls, |me| spelled(&Message::Alive(alive(me, me.incarnation.next()))));
            }),
            ("an accusation in a view", |calls| {
                let opened = |what: &What| match what {
                    What::Opened { body, .. } => {
                        matches!(memberlist::decode_stream(body), Ok(StreamMessage::PushPull(_)))
                    }
                    _ => false,
                };
                let opened = calls.iter().position(|call| opened(&call.what)).unwrap();
                let host = calls[opened].host;
                let after = calls[opened..].iter().find_map(|call| match &call.what {
                    What::Handled { node, .. } if call.host == host => Some(Rc::clone(node)),
                    _ => None,
                });
                let me = after.unwrap().local();
                let What::Opened { body, .. } = &mut calls[opened].what else { unreachable!() };
                body.clear();
                let mut view = memberlist::PushPullWriter::new(body, false, 1);
                view.record(&NodeState { state: State::Dead, alive: alive(&me, me.incarnation) });
                view.finish();
            }),
        ],
    );
}

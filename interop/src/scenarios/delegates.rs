//! What applications say beside membership: the state in push/pulls, the payload of acks, and
//! broadcasts.

use anyhow::Result;

use super::cluster::{Company, Kit, Setting};
use super::patience;
use super::record::{ensure_clean_go_log, ensure_clean_stats};
use crate::context::Context;
use crate::peers::{Ack, GoEvent, GoPeer, GoPeerOptions, MingleNode, NodeMessage, UserState, Way};
use crate::view::{Expectation, View, wait_until_views_agree};

/// One joins from each side, so that each side is once the one that is asked.
pub(super) fn states_and_acks(context: &Context) -> Result<()> {
    let kit = Kit { context, company: Company::Memberlist, setting: Setting::PLAIN };
    let go = |name: &str| {
        let (state, ack) = (format!("state of {name}"), format!("ack of {name}"));
        GoPeer::start(context, &GoPeerOptions { state, ack, ..GoPeerOptions::named(name) })
    };
    let node = |name: &str| -> Result<MingleNode> {
        let node = kit.node(name)?;
        node.set_user_state(format!("state of {name}").as_bytes())?;
        node.set_ack_payload(format!("ack of {name}").as_bytes())?;
        Ok(node)
    };
    let (go_1, node_1) = (go("go-1")?, node("node-1")?);
    node_1.join(go_1.addr())?;
    both_have_heard(&node_1, &go_1)?;
    let (go_2, node_2) = (go("go-2")?, node("node-2")?);
    go_2.join(node_2.addr())?;
    both_have_heard(&node_2, &go_2)
}

fn both_have_heard(node: &MingleNode, go: &GoPeer) -> Result<()> {
    let (ours, theirs) = (node.name(), go.name());
    wait_until_views_agree(&[node, go], &Expectation::alive([ours, theirs]), patience::JOIN)?;
    let state = UserState { join: true, state: format!("state of {theirs}").into_bytes() };
    node.wait_for_user_state(&state, patience::MESSAGE)?;
    let our_state = format!("state of {ours}");
    go.wait_for_event(&our_state, patience::MESSAGE, |event| {
        matches!(event, GoEvent::RemoteState { text, join: true, .. } if *text == our_state)
    })?;
    let payload = format!("ack of {theirs}").into_bytes();
    node.wait_for_ack(&Ack { name: theirs.to_owned(), payload }, patience::MESSAGE)?;
    let our_ack = format!("ack of {ours}");
    go.wait_for_event(&our_ack, patience::MESSAGE, |event| {
        matches!(event, GoEvent::PingComplete { name, payload, .. } if name == ours && *payload == our_ack)
    })?;
    // Two nodes only: a broadcast is sent twice, and memberlist's applications do not pass it on.
    go.broadcast("by gossip")?;
    let message = NodeMessage { way: Way::Packet, payload: b"by gossip".to_vec() };
    node.wait_for_message(&message, patience::MESSAGE)?;
    ensure_clean_stats(node)?;
    ensure_clean_go_log(theirs, &go.logs()?)
}

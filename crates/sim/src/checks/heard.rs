use mingle_proto::{ExchangeId, Input};
use mingle_wire::{Dead, Message, NodeState, PushPull, State, StreamMessage, Suspect, memberlist};

/// Gives `take` every message that a node takes in, the records of a view as the messages that they
/// are acted on as (spec section 10). `me` is the node's own name.
pub(super) fn each(me: &str, input: &Input<'_>, mut take: impl FnMut(&Message<'_>)) {
    match *input {
        Input::Packet { body, .. } => {
            memberlist::messages(body).flatten().for_each(|message| take(&message));
        }
        Input::Exchange { body, .. } => {
            if let Ok(StreamMessage::PushPull(view)) = memberlist::decode_stream(body) {
                records(me, &view, &mut take);
            }
        }
        Input::ExchangeMessage { exchange: ExchangeId::Ours(_), body } => {
            let message = memberlist::decode_stream(body);
            // An answer in which nobody else lives is taken for one's own view, and left alone.
            if let Ok(StreamMessage::PushPull(view)) = message
                && has_others(me, &view)
            {
                records(me, &view, &mut take);
            }
        }
        Input::ExchangeMessage { .. }
        | Input::ExchangeEnded { .. }
        | Input::SendFailed { .. }
        | Input::Timeout
        | Input::Command(_) => {}
    }
}

fn has_others(me: &str, view: &PushPull<'_>) -> bool {
    view.records().flatten().any(|record| record.state.is_live() && record.alive.node != me)
}

fn records(me: &str, view: &PushPull<'_>, take: &mut impl FnMut(&Message<'_>)) {
    for NodeState { state, alive } in view.records().flatten() {
        let (incarnation, node) = (alive.incarnation, alive.node);
        take(&match state {
            State::Alive => Message::Alive(alive),
            State::Suspect | State::Dead => {
                Message::Suspect(Suspect { incarnation, node, from: me })
            }
            State::Left => Message::Dead(Dead { incarnation, node, from: node }),
        });
    }
}

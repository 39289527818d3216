use mingle_proto::{ExchangeId, Input};
use mingle_wire::{Dead, Message, NodeState, PushPull, State, StreamMessage, Suspect, memberlist};

/// Gives `take` the records of a view that a node takes in, as the messages that they are acted on as
/// (spec section 10). `me` is the node's own name.
pub(super) fn on_stream(me: &str, input: &Input<'_>, mut take: impl FnMut(&Message<'_>)) {
    let (body, is_answer) = match *input {
        Input::Exchange { body, .. } => (body, false),
        Input::ExchangeMessage { exchange: ExchangeId::Ours(_), body } => (body, true),
        _ => return,
    };
    let Ok(StreamMessage::PushPull(view)) = memberlist::decode_stream(body) else { return };
    // An answer in which nobody else lives is taken for one's own view, and left alone.
    if is_answer && !has_others(me, &view) {
        return;
    }
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

fn has_others(me: &str, view: &PushPull<'_>) -> bool {
    view.records().flatten().any(|record| record.state.is_live() && record.alive.node != me)
}

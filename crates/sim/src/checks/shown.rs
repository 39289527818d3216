use mingle_wire::{NodeState, StreamMessage, memberlist};

use super::desk::{Checker, Desk};
use super::names::Names;
use super::views::View;
use crate::watch::Turn;

/// Views that are written to streams in this step: an answer is the view before what it answers was
/// merged (spec 5.4), and who dials says what it believes by then.
#[derive(Debug, Default)]
pub(super) struct Shown {
    turn: Option<Turn>,
    views: Vec<(Turn, Vec<u8>)>,
}

impl Shown {
    /// What a node does with an exchange; what it says comes next.
    pub(super) fn turn(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    pub(super) fn sent_message(&mut self, message: &StreamMessage<'_>, body: &[u8]) {
        let Some(turn) = self.turn.take() else { return };
        if let StreamMessage::PushPull(_) = message {
            self.views.push((turn, body.to_vec()));
        }
    }

    /// All events of the step were told; none of them was compared with the machine yet.
    pub(super) fn handled(&mut self, desk: &mut Desk, names: &mut Names, view: &View) {
        for (turn, body) in self.views.drain(..) {
            compare(desk, names, view, turn, &body);
        }
    }
}

/// A record for each member, whatever its state, as it is believed to be.
fn compare(desk: &mut Desk, names: &mut Names, view: &View, turn: Turn, body: &[u8]) {
    let Ok(StreamMessage::PushPull(shown)) = memberlist::decode_stream(body) else { return };
    let count = match turn {
        Turn::Reply => view.count_before(),
        Turn::Dial | Turn::Close => view.count(),
    };
    desk.check(Checker::Shown, shown.nodes as usize == count, || {
        format!("{turn:?} shows {} members of {count}", shown.nodes)
    });
    let mut seen = vec![false; names.len()];
    for record in shown.records() {
        let holds = record.as_ref().is_ok_and(|record| {
            let id = names.id(record.alive.node);
            let believed = match turn {
                Turn::Reply => view.before(id),
                Turn::Dial | Turn::Close => view.get(id),
            };
            let first = seen.get_mut(id.index()).is_some_and(|seen| !std::mem::replace(seen, true));
            first && believed.is_some_and(|member| shows(record, member))
        });
        desk.check(Checker::Shown, holds, || {
            format!(
                "{turn:?} shows {record:?}, which is not what it believes, or for the second time"
            )
        });
    }
}

fn shows(record: &NodeState<'_>, member: &mingle_proto::Member) -> bool {
    let NodeState { state, alive } = record;
    *state == member.state
        && alive.incarnation == member.incarnation
        && alive.address == member.address()
        && alive.versions == member.versions()
        && alive.meta == member.meta()
}

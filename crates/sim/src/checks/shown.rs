use std::collections::BTreeSet;

use mingle_proto::{Config, Input, Instant, Member};
use mingle_wire::{NodeState, StreamMessage, memberlist};

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::views::View;
use crate::watch::Turn;

/// Views that are written to streams in this step: an answer is the view before what it answers was
/// merged (spec 5.4), and who dials says what it believes by then. Its owner is in each; of others who
/// went long ago, only those whom the view that is answered has alive.
#[derive(Debug, Default)]
pub(super) struct Shown {
    turn: Option<Turn>,
    views: Vec<(Turn, Vec<u8>)>,
    /// Who lives in the view that is answered in this step.
    asked: BTreeSet<NameId>,
}

impl Shown {
    /// What a node takes in.
    pub(super) fn before(&mut self, names: &mut Names, input: &Input<'_>) {
        self.asked.clear();
        let Input::Exchange { body, .. } = input else { return };
        let Ok(StreamMessage::PushPull(view)) = memberlist::decode_stream(body) else { return };
        let live = view.records().flatten().filter(|record| record.state.is_live());
        self.asked = live.map(|record| names.id(record.alive.node)).collect();
    }

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
    pub(super) fn handled(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        config: &Config,
        view: &View,
        shown: Instant,
    ) {
        for (turn, body) in std::mem::take(&mut self.views) {
            let believed = |id| match turn {
                Turn::Reply => view.before(id),
                Turn::Dial | Turn::Close => view.get(id),
            };
            let recent = config.gossip_to_the_dead_time;
            let is_told = |id: NameId, member: &Member| {
                id == view.me()
                    || member.state.is_live()
                    || shown.since(member.since) <= recent
                    || turn == Turn::Reply && self.asked.contains(&id)
            };
            let told = |id| believed(id).filter(|member| is_told(id, member));
            compare(desk, names, view.ids(), turn, &body, told);
        }
    }
}

/// A record for each member that is told of, as it is believed to be.
fn compare<'m>(
    desk: &mut Desk,
    names: &mut Names,
    ids: impl Iterator<Item = NameId>,
    turn: Turn,
    body: &[u8],
    told: impl Fn(NameId) -> Option<&'m Member>,
) {
    let Ok(StreamMessage::PushPull(shown)) = memberlist::decode_stream(body) else { return };
    let mut missing: BTreeSet<NameId> = ids.filter(|&id| told(id).is_some()).collect();
    for record in shown.records() {
        let holds = record.as_ref().is_ok_and(|record| {
            let id = names.id(record.alive.node);
            missing.remove(&id) && told(id).is_some_and(|member| shows(record, member))
        });
        desk.check(Checker::Shown, holds, || {
            format!("{turn:?} shows {record:?}, which is not what it tells, or for the second time")
        });
    }
    desk.check(Checker::Shown, missing.is_empty(), || {
        let missing: Vec<_> = missing.iter().map(|&id| names.name(id)).collect();
        format!("{turn:?} does not show {missing:?}")
    });
}

fn shows(record: &NodeState<'_>, member: &Member) -> bool {
    let NodeState { state, alive } = record;
    *state == member.state
        && alive.incarnation == member.incarnation
        && alive.address == member.address()
        && alive.versions == member.versions()
        && alive.meta == member.meta()
}

use std::collections::BTreeSet;

use mingle_proto::{Change, Event, Member};

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};
use super::views::View;

/// Whom nodes hear, but not by direct packets, as they tell it: it begins and ends in turn, and nobody
/// hears those who are gone.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By (observer, member).
    degraded: BTreeSet<(u32, NameId)>,
}

impl Links {
    pub(super) fn started(&mut self, host: u32) {
        self.degraded.retain(|&(of, _)| of != host);
    }

    /// With whoever goes its link is gone too.
    pub(super) fn told(&mut self, about: (u32, NameId), change: Change) {
        if matches!(change, Change::Failed | Change::Left | Change::Reaped) {
            self.degraded.remove(&about);
        }
    }

    pub(super) fn event(
        &mut self,
        desk: &mut Desk,
        names: &mut Names,
        view: &View,
        host: u32,
        event: &Event,
    ) {
        let (member, is_news, what) = match event {
            Event::LinkDegraded { member, .. } => {
                let is_news = self.degraded.insert((host, names.id(member.name())));
                (member, is_news, "degraded")
            }
            Event::LinkRestored { member, .. } => {
                let is_news = self.degraded.remove(&(host, names.id(member.name())));
                (member, is_news, "restored")
            }
            Event::Member { .. }
            | Event::Refuted { .. }
            | Event::Conflict { .. }
            | Event::Health { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::Completed { .. }
            | Event::Pong { .. } => return,
        };
        let known: Option<&Member> = view.get(names.id(member.name()));
        let is_there = known == Some(member) && member.state.is_live();
        desk.check(Checker::Links, is_news && is_there, || {
            let again = if is_news { "" } else { " again" };
            format!(
                "the link to {member:?} is {what}{again}; it has told before that it is {known:?}"
            )
        });
    }
}

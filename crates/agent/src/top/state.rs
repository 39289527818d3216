use std::collections::{BTreeMap, VecDeque};

use crate::api::{DecisionView, MemberView, RecorderView, SelfView, StatusEvent, TrafficView};
use crate::cli::SortBy;
use crate::client::Happening;
use crate::members;
use crate::output::escape;

/// What is known, from all that was told.
pub(super) struct State {
    /// The agent, as a person calls it.
    pub(super) agent: String,
    members: BTreeMap<String, MemberView>,
    /// How the agent is, and what it sent and received in the last second.
    pub(super) status: Option<(StatusEvent, Rates)>,
    /// The latest first.
    pub(super) decisions: VecDeque<DecisionView>,
    pub(super) sort: SortBy,
    /// Members above the first one that is drawn.
    pub(super) scroll: usize,
}

/// Packets and bytes in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) packets_in: u64,
    pub(super) packets_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// Decisions that are kept.
const MAX_DECISIONS: usize = 100;

impl State {
    pub(super) fn new(sort: SortBy, itself: &SelfView, past: RecorderView) -> Self {
        let agent = format!("{} at {}", escape(&itself.name), itself.address);
        let mut decisions: VecDeque<_> = past.decisions.into_iter().rev().collect();
        decisions.truncate(MAX_DECISIONS);
        Self { agent, members: BTreeMap::new(), status: None, decisions, sort, scroll: 0 }
    }

    pub(super) fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Snapshot(snapshot) => {
                let members = snapshot.members.into_iter();
                self.members = members.map(|member| (member.name.clone(), member)).collect();
            }
            Happening::Change(change) => {
                let is_reaped =
                    change.decision.member.as_ref().is_some_and(|member| member.change == "reaped");
                if is_reaped {
                    self.members.remove(&change.member.name);
                } else {
                    self.members.insert(change.member.name.clone(), change.member);
                }
                self.note(change.decision);
            }
            Happening::Decision(decision) => {
                let link = decision.link_degraded.as_ref().or(decision.link_restored.as_ref());
                if let Some(member) = link.and_then(|link| self.members.get_mut(&link.name)) {
                    member.degraded = decision.link_degraded.as_ref().map(Into::into);
                }
                self.note(*decision);
            }
            Happening::Status(status) => {
                let before =
                    self.status.take().map_or(status.traffic, |(before, _)| before.traffic);
                let rates = Rates::between(before, status.traffic);
                self.status = Some((*status, rates));
            }
            Happening::Rtts(rtts) => {
                for (name, rtt) in rtts {
                    if let Some(member) = self.members.get_mut(&name) {
                        member.rtt_ms = Some(rtt);
                    }
                }
            }
            Happening::Gap(_) | Happening::Log(_) | Happening::End | Happening::Other => {}
        }
    }

    fn note(&mut self, decision: DecisionView) {
        self.decisions.push_front(decision);
        self.decisions.truncate(MAX_DECISIONS);
    }

    /// Members in the order that is asked for.
    pub(super) fn members(&self) -> Vec<&MemberView> {
        let mut members: Vec<_> = self.members.values().collect();
        members.sort_by(|one, other| members::compare(self.sort, one, other));
        members
    }
}

impl Rates {
    fn between(before: TrafficView, now: TrafficView) -> Self {
        let bytes_in = |of: TrafficView| of.datagram_bytes_in + of.stream_bytes_in;
        let bytes_out = |of: TrafficView| of.datagram_bytes_out + of.stream_bytes_out;
        Self {
            packets_in: now.datagrams_in.saturating_sub(before.datagrams_in),
            packets_out: now.datagrams_out.saturating_sub(before.datagrams_out),
            bytes_in: bytes_in(now).saturating_sub(bytes_in(before)),
            bytes_out: bytes_out(now).saturating_sub(bytes_out(before)),
        }
    }
}

#[cfg(test)]
impl State {
    /// An agent of which nothing but its name is known.
    pub(super) fn of(name: &str, sort: SortBy) -> Self {
        let (members, decisions) = (BTreeMap::new(), VecDeque::new());
        let agent = format!("{name} at 127.0.0.1:7946");
        Self { agent, members, status: None, decisions, sort, scroll: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ChangeEvent, LinkView, SnapshotEvent};

    fn member(name: &str, state: &str) -> MemberView {
        serde_json::from_value(serde_json::json!({
            "name": name, "address": "127.0.0.1:1", "state": state, "tags": {},
            "incarnation": 1, "since": "", "rtt_ms": null, "degraded": null,
        }))
        .unwrap()
    }

    fn change(member: MemberView, change: &str) -> Happening {
        let decision: DecisionView = serde_json::from_value(serde_json::json!({
            "at": "", "first": "", "times": 1, "kind": "member", "text": change,
            "member": {
                "name": member.name, "change": change, "state": member.state, "incarnation": 1,
                "address": "127.0.0.1:1",
                "evidence": { "cause": "announced", "incarnation": 1, "via": "own", "lag_ms": 0.0 },
            },
        }))
        .unwrap();
        Happening::Change(Box::new(ChangeEvent { version: 1, member, decision }))
    }

    #[test]
    fn it_knows_what_it_was_told() {
        let mut state = State::of("a", SortBy::State);
        let members = vec![member("a", "alive"), member("b", "alive"), member("c", "left")];
        let snapshot = SnapshotEvent { version: 0, now: String::new(), members };
        state.take(Happening::Snapshot(snapshot));
        state.take(change(member("b", "suspect"), "suspected"));
        state.take(change(member("c", "left"), "reaped"));
        state.take(Happening::Rtts(BTreeMap::from([("a".to_owned(), 2.5), ("x".to_owned(), 1.0)])));
        let link = LinkView {
            name: "a".to_owned(),
            kind: "streams_only".to_owned(),
            since: String::new(),
        };
        let decision = DecisionView { link_degraded: Some(link), ..DecisionView::default() };
        state.take(Happening::Decision(Box::new(decision)));
        let members = state.members();
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!((members[1].rtt_ms, members[1].degraded.is_some()), (Some(2.5), true));
        assert_eq!((state.decisions.len(), state.decisions[1].text.as_str()), (3, "reaped"));
    }
}

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::decision::{Decided, Decision};
use crate::driver::Shared;
use crate::flight::{Dropped, Recorded};
use crate::view::Known;
use crate::{DecisionKind, Member};

/// Why this node believes of a member what it believes. Made by [`crate::Cluster::why`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Why {
    /// When this was put together.
    pub now: SystemTime,
    /// The member as it is believed to be; `None` when it was forgotten.
    pub member: Option<Arc<Member>>,
    /// What was decided of it, the oldest first, with attempts to reach an address that it had. The
    /// reason for its present state is there however long ago that was, but for this node itself.
    pub timeline: Vec<Decision>,
    /// What happened to this node itself within a minute of any of that: a slow accuser is no good
    /// witness. Empty for the node itself, whose timeline has it.
    pub ourselves: Vec<Decision>,
    /// What is no longer recorded, of whomever; `None` when everything is.
    pub dropped: Option<Dropped>,
}

/// How near in time to a decision what happened to ourselves may have to do with it.
const NEAR: Duration = Duration::from_secs(60);

impl Why {
    /// `None` when nothing is known of the name.
    pub(crate) fn of(shared: &Shared, name: &str) -> Option<Self> {
        let known = shared.view.known(name);
        let Recorded { decisions, dropped } = shared.flight.read();
        let local = name == shared.name;
        let places = places(known.as_ref(), &decisions, name);
        let belongs = |decision: &Decision| {
            let what = &decision.what;
            what.names(name) || (local && what.is_ours()) || is_attempt_at(&places, what)
        };
        let (mut timeline, others): (Vec<_>, Vec<_>) = decisions.into_iter().partition(belongs);
        if let Some(reason) = known.as_ref().and_then(Known::reason) {
            add_reason(&mut timeline, reason);
        }
        if known.is_none() && timeline.is_empty() {
            return None;
        }
        let is_near = |decision: &Decision| {
            decision.what.is_ours() && timeline.iter().any(|other| near(other, decision))
        };
        let ourselves = others.into_iter().filter(is_near).collect();
        let member = known.map(|known| known.member);
        Some(Self { now: SystemTime::now(), member, timeline, ourselves, dropped })
    }
}

/// Where the member is, and where it was.
fn places(known: Option<&Known>, decisions: &[Decision], name: &str) -> BTreeSet<SocketAddr> {
    let recorded = decisions.iter().filter_map(|decision| match &decision.what {
        Decided::Member(change) if &*change.name == name => Some(change.address),
        Decided::Member(_)
        | Decided::Conflict { .. }
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Late { .. }
        | Decided::Reconnect { .. }
        | Decided::LinkDegraded { .. }
        | Decided::LinkRestored { .. } => None,
    });
    recorded.chain(known.map(|known| known.member.address)).collect()
}

fn is_attempt_at(places: &BTreeSet<SocketAddr>, what: &Decided) -> bool {
    matches!(what, Decided::Reconnect { to, .. } if places.contains(to))
}

/// The reason for the present state, unless it is recorded.
fn add_reason(timeline: &mut Vec<Decision>, reason: Decision) {
    let Decided::Member(last) = &reason.what else { return };
    let is_it = |decision: &Decision| match &decision.what {
        Decided::Member(change) => Arc::ptr_eq(&change.evidence, &last.evidence),
        Decided::Conflict { .. }
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Late { .. }
        | Decided::Reconnect { .. }
        | Decided::LinkDegraded { .. }
        | Decided::LinkRestored { .. } => false,
    };
    if !timeline.iter().any(is_it) {
        timeline.push(reason);
        timeline.sort_by_key(|decision| decision.at);
    }
}

/// Whether what happened to ourselves was at the time of a decision about a member. Attempts to
/// reach somebody go on for as long as it takes, and say nothing of a time.
fn near(decision: &Decision, ours: &Decision) -> bool {
    let Decision { first, at, .. } = decision;
    decision.what.kind() != DecisionKind::Reconnect
        && ours.at + NEAR >= *first
        && ours.first <= *at + NEAR
}

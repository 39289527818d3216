//! What the node tells goes to the view, to subscribers and to the log.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use mingle_proto::{Change, Event, Evidence, Via};
use mingle_wire::{Incarnation, State};
use tracing::{debug, field, info, warn};

use crate::clock::Clock;
use crate::cluster::{Message, Notice, PeerState};
use crate::decision::{Decided, MemberChange};
use crate::driver::Shared;
use crate::flight::Cost;
use crate::member::{DegradedLink, Member};
use crate::queue::{Published, lock};
use crate::stats::Tally;

/// The evidence of the last change of a member. A view that comes changes many for one reason, which is kept once.
#[derive(Debug, Default)]
pub(crate) struct LastEvidence(Mutex<Option<Arc<Evidence>>>);

impl LastEvidence {
    fn same_or_new(&self, evidence: Evidence) -> Arc<Evidence> {
        let mut last = lock(&self.0);
        match &*last {
            Some(same) if **same == evidence => Arc::clone(same),
            Some(_) | None => Arc::clone(last.insert(Arc::new(evidence))),
        }
    }
}

/// Gives an event of the node on to whoever wants to know.
pub(crate) fn publish(shared: &Shared, event: Event, clock: &Clock) {
    let at = clock.system_time(clock.now());
    match event {
        Event::Member { change, member, evidence } => {
            let evidence = shared.last_evidence.same_or_new(evidence);
            changed(shared, Changed { at, change, member, evidence }, clock);
        }
        Event::Conflict { member, other } => {
            let (held, claimed) = (member.address().socket_addr(), other.socket_addr());
            conflict(shared, at, member.name(), held, claimed);
        }
        Event::Health { score } => {
            debug!(score, "health");
            count_cost(shared, shared.flight.record_health(at, score));
            let published = shared.notices.publish(0, || Notice::Health { score });
            count(shared, published, None, Tally::NoticesMissed);
        }
        Event::UserMessage { from, via, payload } => message(shared, from, via, &payload),
        Event::UserState { from, join, state } => {
            let peer_state = || PeerState { from, join, state: state.as_slice().into() };
            let published = shared.user_states.publish(state.len(), peer_state);
            count(shared, published, Some(Tally::UserStatesUnheard), Tally::UserStatesMissed);
        }
        Event::Pong { member, rtt, payload } => {
            shared.tallies.answered(rtt);
            if let Some(known) = shared.view.member(member.name()) {
                known.rtt.set(rtt);
            }
            let pong = || Notice::Pong {
                name: member.name().into(),
                rtt,
                payload: payload.as_slice().into(),
            };
            let published = shared.notices.publish(payload.len(), pong);
            count(shared, published, None, Tally::NoticesMissed);
        }
        Event::Refuted { incarnation, evidence } => {
            refuted(shared, at, incarnation, Arc::new(evidence));
        }
        Event::LinkDegraded { member, kind, since } => {
            let link = DegradedLink { kind, since: clock.system_time(since) };
            set_link(shared, member.name(), Some(link));
            link_degraded(shared, at, member.name().into(), link);
        }
        Event::LinkRestored { member, kind, since } => {
            let link = DegradedLink { kind, since: clock.system_time(since) };
            set_link(shared, member.name(), None);
            link_restored(shared, at, member.name().into(), link);
        }
        // The driver answers whoever asked, and says what came of attempts.
        Event::Completed { .. } | Event::Reconnect { .. } => {}
    }
}

/// A user message has come.
pub(crate) fn message(shared: &Shared, from: SocketAddr, via: Via, payload: &[u8]) {
    let message = || Message { from, via, payload: payload.into() };
    let published = shared.messages.publish(payload.len(), message);
    count(shared, published, Some(Tally::MessagesUnheard), Tally::MessagesMissed);
}

fn refuted(shared: &Shared, at: SystemTime, incarnation: Incarnation, evidence: Arc<Evidence>) {
    let (why, via, lag) = (&evidence.cause, &evidence.via, evidence.lag);
    info!(incarnation = incarnation.get(), %why, %via, ?lag, "refuted");
    record(shared, at, Decided::Refuted { incarnation, evidence: Arc::clone(&evidence) });
    let published = shared.notices.publish(0, || Notice::Refuted { incarnation, evidence });
    count(shared, published, None, Tally::NoticesMissed);
}

fn set_link(shared: &Shared, name: &str, link: Option<DegradedLink>) {
    if let Some(known) = shared.view.member(name) {
        known.link.set(link);
    }
}

fn link_degraded(shared: &Shared, at: SystemTime, name: Arc<str>, link: DegradedLink) {
    let DegradedLink { kind, since } = link;
    warn!(
        member = &*name,
        heard = kind.as_str(),
        "packets to or from this member get lost, though it lives; look at the network between"
    );
    record(shared, at, Decided::LinkDegraded { name: Arc::clone(&name), kind, since });
    let published = shared.notices.publish(0, || Notice::LinkDegraded { name, kind, since });
    count(shared, published, None, Tally::NoticesMissed);
}

fn link_restored(shared: &Shared, at: SystemTime, name: Arc<str>, link: DegradedLink) {
    let DegradedLink { kind, since } = link;
    info!(member = &*name, "packets pass again");
    record(shared, at, Decided::LinkRestored { name: Arc::clone(&name), kind, since });
    let published = shared.notices.publish(0, || Notice::LinkRestored { name, kind, since });
    count(shared, published, None, Tally::NoticesMissed);
}

/// Keeps a decision for those who ask why.
pub(crate) fn record(shared: &Shared, at: SystemTime, what: Decided) {
    count_cost(shared, shared.flight.record(at, what));
}

fn count_cost(shared: &Shared, cost: Cost) {
    shared.tallies.add(Tally::DecisionsDropped, cost.dropped);
    shared.tallies.add(Tally::DecisionsMissed, cost.missed);
}

/// A change of what is believed of a member.
struct Changed {
    at: SystemTime,
    change: Change,
    member: mingle_proto::Member,
    evidence: Arc<Evidence>,
}

fn changed(shared: &Shared, changed: Changed, clock: &Clock) {
    let Changed { at, change, member, evidence } = changed;
    shared.tallies.changed(change, evidence.before);
    match change {
        Change::Renewed => {
            let incarnation = member.incarnation.get();
            debug!(member = member.name(), incarnation, "renewed");
        }
        Change::Joined
        | Change::Suspected
        | Change::Recovered
        | Change::Updated
        | Change::Failed
        | Change::Left
        | Change::Reaped => info!(
            change = change.as_str(),
            member = member.name(),
            address = %member.address(),
            incarnation = member.incarnation.get(),
            before = evidence.before.map_or("unknown", State::as_str),
            why = %evidence.cause,
            via = %evidence.via,
            last_ack = evidence.last_ack.map(field::debug),
            lag = ?evidence.lag,
            "membership"
        ),
    }
    let known = shared.view.member(member.name());
    let link = known.as_ref().map(|known| known.link.clone()).unwrap_or_default();
    if !member.state.is_live() {
        // The node forgets the links of those who go.
        link.set(None);
    }
    let same_place = known.filter(|known| known.address == member.address().socket_addr());
    let rtt = same_place.map(|known| known.rtt.clone()).unwrap_or_default();
    let member = Arc::new(Member::new(&member, rtt, link, clock));
    let reason = MemberChange::new(change, &member, Arc::clone(&evidence));
    record(shared, at, Decided::Member(reason));
    let dropped = shared.view.publish(at, change, member, evidence);
    shared.tallies.add(Tally::WatchChangesMissed, dropped);
}

fn conflict(shared: &Shared, at: SystemTime, name: &str, held: SocketAddr, claimed: SocketAddr) {
    let name: Arc<str> = name.into();
    match shared.conflicts.note(&name, Instant::now()) {
        Some(times) => warn!(
            name = &*name,
            %held,
            %claimed,
            times,
            "two nodes claim one name; give one of them another"
        ),
        None => debug!(name = &*name, %held, %claimed, "two nodes claim one name, as told"),
    }
    record(shared, at, Decided::Conflict { name: Arc::clone(&name), held, claimed });
    let notice = || Notice::Conflict { name, held, claimed };
    let published = shared.notices.publish(0, notice);
    count(shared, published, None, Tally::NoticesMissed);
}

fn count(shared: &Shared, published: Published, unheard: Option<Tally>, missed: Tally) {
    match (published, unheard) {
        (Published::Heard { dropped }, _) => shared.tallies.add(missed, dropped),
        (Published::Unheard, Some(unheard)) => shared.tallies.count(unheard),
        (Published::Unheard, None) => {}
    }
}

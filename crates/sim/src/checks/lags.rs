use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Cause, Change, Evidence, Instant, Member};
use mingle_wire::State;

use super::desk::{Checker, Desk};
use super::names::NameId;

/// Suspicions, by (observer, member).
#[derive(Debug, Default)]
pub(super) struct Lags(BTreeMap<(u32, NameId), Run>);

#[derive(Debug)]
struct Run {
    since: Instant,
    /// How late timers ran at the worst meanwhile.
    worst: Duration,
}

/// Machines do not count a lag below this.
pub(super) const WORTH_NOTING: Duration = Duration::from_millis(20);

impl Lags {
    pub(super) fn stopped(&mut self, host: u32) {
        self.0.retain(|&(of, _), _| of != host);
    }

    /// A wake-up came late, before anything was made of it.
    pub(super) fn late(&mut self, host: u32, lag: Duration, shown: Instant) {
        let of_host = (host, NameId::FIRST)..(host + 1, NameId::FIRST);
        for (_, run) in self.0.range_mut(of_host) {
            run.worst = run.worst.max(lag.min(shown.since(run.since)));
        }
    }

    pub(super) fn told(
        &mut self,
        desk: &mut Desk,
        about: (u32, NameId),
        change: Change,
        (member, shown): (&Member, Instant),
        evidence: &Evidence,
    ) {
        if let Cause::SuspicionExpired { .. } = evidence.cause {
            let (said, was) = (evidence.lag, self.0.get(&about).map(|run| run.worst));
            desk.check(Checker::Lags, was == Some(said), || {
                let whom = member.name();
                format!("{whom} is dead with a lag of {said:?}; timers were {was:?} late meanwhile")
            });
        }
        if member.state != State::Suspect {
            self.0.remove(&about);
        } else if matches!(change, Change::Suspected | Change::Renewed) {
            // With the accusation comes how late we were while we probed.
            self.0.insert(about, Run { since: shown, worst: evidence.lag });
        }
    }
}

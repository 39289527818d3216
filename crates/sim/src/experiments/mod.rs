//! Experiments that others have published, carried out with our machines.

pub mod lifeguard;
mod page;
mod statistics;

use mingle_proto::{Change, Event, Instant};

use crate::watch::Onlooker;

pub use statistics::{Interval, Quantile, quantile, sum_with_interval};

/// Who declared whom dead, and when.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) verdicts: Vec<Verdict>,
}

/// One member became dead in one view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) at: Instant,
    pub(crate) observer: u32,
    pub(crate) subject: u32,
}

impl Onlooker for Ledger {
    fn event(&mut self, now: Instant, host: u32, _: Instant, event: &Event) {
        let Event::Member { change: Change::Failed, member, .. } = event else { return };
        let Some(subject) = member.name().strip_prefix('n').and_then(|name| name.parse().ok())
        else {
            return;
        };
        self.verdicts.push(Verdict { at: now, observer: host, subject });
    }
}

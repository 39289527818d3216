use std::time::Duration;

use mingle_wire::{Incarnation, SeqNo};
use serde::{Deserialize, Serialize};

use crate::members::MemberKey;
use crate::{Instant, ProbeReport, StreamPing};

/// One round about one member (spec 8.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probe {
    pub(crate) target: MemberKey,
    /// What was known of the target when the probe began; this is what may be accused.
    pub(crate) incarnation: Incarnation,
    pub(crate) seq: SeqNo,
    pub(crate) sent: Instant,
    pub(crate) phase: Phase,
    /// The health score when it began.
    pub(crate) health: u32,
    pub(crate) helpers: u32,
    pub(crate) nacks_expected: u32,
    pub(crate) nacks: u32,
    pub(crate) stream: StreamPing,
    /// The worst lag of our own timers since it began.
    pub(crate) lag: Duration,
    /// Whether the direct ping could not even be sent.
    pub(crate) unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Waiting for the ack of our own ping.
    Direct,
    /// Helpers and the stream try too.
    Indirect,
}

impl Probe {
    pub(crate) fn new(
        target: MemberKey,
        incarnation: Incarnation,
        seq: SeqNo,
        health: u32,
        now: Instant,
    ) -> Self {
        Self {
            target,
            incarnation,
            seq,
            sent: now,
            phase: Phase::Direct,
            health,
            helpers: 0,
            nacks_expected: 0,
            nacks: 0,
            stream: StreamPing::NotTried,
            lag: Duration::ZERO,
            unsent: false,
        }
    }

    /// How much worse the health score gets when it fails: one for each nack that was promised and
    /// did not come, or one where none was promised (spec 8.2).
    pub(crate) fn penalty(&self) -> u32 {
        match self.nacks_expected {
            0 => 1,
            expected => expected.saturating_sub(self.nacks),
        }
    }

    pub(crate) fn report(&self, now: Instant) -> ProbeReport {
        ProbeReport {
            waited: now.since(self.sent),
            helpers: self.helpers,
            nacks_expected: self.nacks_expected,
            nacks: self.nacks,
            stream: self.stream,
            health: self.health,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::keys;

    #[test]
    fn missing_nacks_make_us_doubt_ourselves_and_full_ones_do_not() {
        let mut probe = Probe::new(keys(1)[0], Incarnation::FIRST, SeqNo(1), 0, Instant::ORIGIN);
        assert_eq!(probe.penalty(), 1);
        probe.nacks_expected = 3;
        assert_eq!(probe.penalty(), 3);
        probe.nacks = 2;
        assert_eq!(probe.penalty(), 1);
        probe.nacks = 3;
        assert_eq!(probe.penalty(), 0);
    }
}

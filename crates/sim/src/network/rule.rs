use std::time::Duration;

use hashbrown::hash_map::Entry;
use mingle_proto::Instant;
use serde::{Deserialize, Serialize};

use super::latency::Sampler;
use super::{Link, Passage};
use crate::nodes::NodeSet;
use crate::rng::{Chance, Rng};

/// Names a rule in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleId(pub(super) u32);

/// What a rule sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// Packets and streams.
    #[default]
    Both,
    /// Packets only.
    Packets,
    /// Streams only.
    Streams,
}

/// What happens to what goes from some nodes to others.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) from: NodeSet,
    pub(crate) to: NodeSet,
    pub(crate) carrier: Carrier,
    pub(crate) effect: Effect,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Nothing gets through.
    Cut,
    /// This share is lost, each on its own.
    Loss(Chance),
    /// Loss comes in bursts (Gilbert, 1960; Elliott, 1963): each packet may begin or end one.
    Bursts { begin: Chance, end: Chance, lost_within: Chance, lost_outside: Chance },
    /// Everything takes that much longer.
    Delay(Sampler),
    /// This share comes twice, the second time that much later.
    Duplicate(Chance, Sampler),
    /// This share takes that much longer, so that others overtake it.
    Reorder(Chance, Sampler),
    /// A bit of this share changes.
    Corrupt(Chance),
    /// What is longer vanishes: a path whose MTU nobody knows.
    Mtu(usize),
    /// So many bytes pass in a second; so many wait, and what comes then is dropped.
    Bandwidth { bytes_per_second: u64, queue: u64 },
}

/// What a rule remembers of a link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    within_burst: bool,
    busy_until: Instant0,
}

/// Nanoseconds of the world's time.
type Instant0 = u64;

/// How long a stream waits before it sends again what was lost; doubled every time.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// Bytes of a segment.
const SEGMENT: usize = 1448;
/// A stream gives up after so many losses of one message.
const MOST_RETRANSMISSIONS: u32 = 8;

impl Rule {
    pub(super) fn sees(&self, link: Link, carrier: Carrier) -> bool {
        (self.carrier == Carrier::Both || self.carrier == carrier)
            && self.from.holds(link.from)
            && self.to.holds(link.to)
    }
}

type Place<'a> = Entry<'a, (RuleId, u32, u32), Memory, foldhash::quality::FixedState>;

impl Effect {
    /// Whether the packet passes; how, is written down in `passage`.
    pub(super) fn on_packet(
        &self,
        passage: &mut Passage,
        memory: Place<'_>,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> bool {
        match self {
            Self::Cut => return false,
            Self::Loss(share) => return !rng.chance(*share),
            Self::Bursts { begin, end, lost_within, lost_outside } => {
                let memory = memory.or_default();
                let turn = if memory.within_burst { *end } else { *begin };
                memory.within_burst ^= rng.chance(turn);
                let lost = if memory.within_burst { *lost_within } else { *lost_outside };
                return !rng.chance(lost);
            }
            Self::Delay(by) => passage.after += by.draw(rng),
            Self::Duplicate(share, by) => {
                if rng.chance(*share) {
                    passage.copy = Some(passage.after + by.draw(rng));
                }
            }
            Self::Reorder(share, by) => {
                if rng.chance(*share) {
                    passage.after += by.draw(rng);
                }
            }
            Self::Corrupt(share) => passage.corrupt |= rng.chance(*share),
            Self::Mtu(most) => return bytes <= *most,
            Self::Bandwidth { bytes_per_second, queue } => {
                let waits = memory.or_default().enqueue(bytes, *bytes_per_second, now);
                if waits.as_secs_f64() * to_f64(*bytes_per_second) > to_f64(*queue) {
                    return false;
                }
                passage.after += waits;
            }
        }
        true
    }

    /// Whether the message arrives some time; when, is written down in `passage`.
    pub(super) fn on_message(
        &self,
        passage: &mut Passage,
        memory: Place<'_>,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> bool {
        match self {
            Self::Cut => return false,
            Self::Loss(share) => return resend(passage, *share, bytes, rng),
            Self::Bursts { begin, end, lost_within, lost_outside } => {
                let memory = memory.or_default();
                let turn = if memory.within_burst { *end } else { *begin };
                memory.within_burst ^= rng.chance(turn);
                let lost = if memory.within_burst { *lost_within } else { *lost_outside };
                return resend(passage, lost, bytes, rng);
            }
            Self::Delay(by) => passage.after += by.draw(rng),
            // The far end puts segments in order and drops what it has.
            Self::Duplicate(..) => {}
            Self::Reorder(share, by) => {
                if rng.chance(*share) {
                    passage.after += by.draw(rng);
                }
            }
            Self::Corrupt(share) => passage.corrupt |= rng.chance(*share),
            // Whole segments vanish, over and over.
            Self::Mtu(most) => return bytes <= *most,
            Self::Bandwidth { bytes_per_second, .. } => {
                passage.after += memory.or_default().enqueue(bytes, *bytes_per_second, now);
            }
        }
        true
    }
}

/// A message is lost in part when any of its segments is. Windows are not modelled: one timeout
/// stands for all that was lost in one round.
fn resend(passage: &mut Passage, share: Chance, bytes: usize, rng: &mut Rng) -> bool {
    let mut missing = bytes.div_ceil(SEGMENT).max(1);
    for round in 0..MOST_RETRANSMISSIONS {
        missing = (0..missing).filter(|_| rng.chance(share)).count();
        if missing == 0 {
            return true;
        }
        passage.after += RETRANSMISSION * 2_u32.pow(round);
    }
    false
}

impl Memory {
    /// How long these bytes wait for those before them, and take to pass.
    fn enqueue(&mut self, bytes: usize, per_second: u64, now: Instant) -> Duration {
        let takes = (bytes as u64).saturating_mul(1_000_000_000) / per_second.max(1);
        self.busy_until = self.busy_until.max(now.as_nanos()).saturating_add(takes);
        Duration::from_nanos(self.busy_until - now.as_nanos())
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes per second are far below 2^52")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

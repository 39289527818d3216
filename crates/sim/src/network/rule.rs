use std::time::Duration;

use hashbrown::HashMap;
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
    Bursts(Bursts),
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

/// Loss that comes in bursts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bursts {
    pub(crate) begin: Chance,
    pub(crate) end: Chance,
    pub(crate) lost_within: Chance,
    pub(crate) lost_outside: Chance,
}

/// What a rule remembers of the links that it has seen.
#[derive(Debug, Default)]
pub(super) struct Memories(HashMap<Link, Memory, foldhash::quality::FixedState>);

/// What a rule remembers of a link.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    within_burst: bool,
    /// When all that waits has passed, in nanoseconds of the world's time.
    free_at: u64,
}

/// What comes to a rule: so many bytes on a link.
#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) link: Link,
    pub(super) bytes: usize,
    pub(super) now: Instant,
    pub(super) memories: &'a mut Memories,
    pub(super) rng: &'a mut Rng,
}

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

impl Effect {
    /// Whether the packet passes; how, is written down in `passage`.
    pub(super) fn on_packet(&self, passage: &mut Passage, load: &mut Load<'_>) -> bool {
        match self {
            Self::Cut => return false,
            Self::Loss(share) => return !load.rng.chance(*share),
            Self::Bursts(bursts) => {
                let share = load.loss(bursts);
                return !load.rng.chance(share);
            }
            Self::Delay(by) => passage.after += by.draw(load.rng),
            Self::Duplicate(share, by) => {
                if load.rng.chance(*share) {
                    passage.copy = Some(passage.after + by.draw(load.rng));
                }
            }
            Self::Reorder(share, by) => {
                if load.rng.chance(*share) {
                    passage.after += by.draw(load.rng);
                }
            }
            Self::Corrupt(share) => passage.corrupt |= load.rng.chance(*share),
            Self::Mtu(most) => return load.bytes <= *most,
            Self::Bandwidth { bytes_per_second, queue } => {
                let Some(waits) = load.enqueue(*bytes_per_second, *queue) else { return false };
                passage.after += waits;
            }
        }
        true
    }

    /// Whether the message arrives some time; when, is written down in `passage`.
    pub(super) fn on_message(&self, passage: &mut Passage, load: &mut Load<'_>) -> bool {
        match self {
            Self::Loss(share) => resend(passage, *share, load),
            Self::Bursts(bursts) => {
                let share = load.loss(bursts);
                resend(passage, share, load)
            }
            // The far end puts segments in order and drops what it has.
            Self::Duplicate(..) => true,
            // A sender waits until there is room.
            Self::Bandwidth { bytes_per_second, .. } => {
                passage.after += load.enqueue(*bytes_per_second, u64::MAX).unwrap_or_default();
                true
            }
            // Of a message that is too long whole segments vanish, over and over.
            Self::Cut | Self::Delay(_) | Self::Reorder(..) | Self::Corrupt(_) | Self::Mtu(_) => {
                self.on_packet(passage, load)
            }
        }
    }
}

/// A message is lost in part when any of its segments is. Windows are not modelled: one timeout
/// stands for all that was lost in one round.
fn resend(passage: &mut Passage, share: Chance, load: &mut Load<'_>) -> bool {
    let mut missing = load.bytes.div_ceil(SEGMENT).max(1);
    for round in 0..MOST_RETRANSMISSIONS {
        missing = (0..missing).filter(|_| load.rng.chance(share)).count();
        if missing == 0 {
            return true;
        }
        passage.after += RETRANSMISSION * 2_u32.pow(round);
    }
    false
}

impl Load<'_> {
    /// The share that is lost now: it may be the first of a burst, or the first after one.
    fn loss(&mut self, bursts: &Bursts) -> Chance {
        let memory = self.memories.0.entry(self.link).or_default();
        let turn = if memory.within_burst { bursts.end } else { bursts.begin };
        memory.within_burst ^= self.rng.chance(turn);
        if memory.within_burst { bursts.lost_within } else { bursts.lost_outside }
    }

    /// How long these bytes wait for those before them, and take to pass; `None` when no more than
    /// `queue` bytes can wait.
    fn enqueue(&mut self, bytes_per_second: u64, queue: u64) -> Option<Duration> {
        let takes = |bytes: u64| bytes.saturating_mul(1_000_000_000) / bytes_per_second.max(1);
        let memory = self.memories.0.entry(self.link).or_default();
        let now = self.now.as_nanos();
        let free = memory.free_at.max(now).saturating_add(takes(self.bytes as u64));
        if free - now > takes(queue) {
            return None;
        }
        memory.free_at = free;
        Some(Duration::from_nanos(free - now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_takes_no_room_in_the_queue() {
        let effect = Effect::Bandwidth { bytes_per_second: 1_000, queue: 1_000 };
        let link = Link { from: 0, to: 1 };
        let (mut memories, mut rng) = (Memories::default(), Rng::new(1));
        let mut passed = |second: u64| {
            let now = Instant::from_millis(second * 1_000);
            let memories = &mut memories;
            let mut load = Load { link, bytes: 500, now, memories, rng: &mut rng };
            (0..10).filter(|_| effect.on_packet(&mut Passage::default(), &mut load)).count()
        };
        assert_eq!(passed(0), 2);
        assert_eq!(passed(1), 2, "both have gone, and the other eight never waited");
    }
}

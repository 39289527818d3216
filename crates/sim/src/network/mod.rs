//! What becomes of packets and streams on their way.
//!
//! The way between two nodes has a latency. Everything else is a [`Rule`]: it sees a packet or a
//! stream between two nodes, and lets it pass, delays it, doubles it or drops it. Rules stand from
//! the beginning, or come and go as faults.

mod geography;
mod latency;
mod rule;

use std::time::Duration;

use mingle_proto::Instant;

pub(crate) use geography::Geography;
pub use geography::Region;
pub use latency::Latency;
pub(crate) use latency::Sampler;
pub use rule::Carrier;
pub(crate) use rule::{Bursts, Effect, Rule, RuleId};

use crate::nodes::NodeSet;
use crate::rng::Rng;
use rule::{Load, Memories};

/// From one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passage {
    /// How long it takes.
    pub(crate) after: Duration,
    /// How long a second copy takes.
    pub(crate) copy: Option<Duration>,
    /// Whether a bit of it changes on the way.
    pub(crate) corrupt: bool,
}

/// What became of packets and streams, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Traffic {
    /// Packets handed to the network.
    pub packets: u64,
    /// Their bytes, bodies only.
    pub packet_bytes: u64,
    /// Packets that rules dropped.
    pub packets_lost: u64,
    /// Packets that came twice.
    pub packets_doubled: u64,
    /// Packets changed on the way; each must be refused.
    pub packets_corrupted: u64,
    /// Packets dropped because a host's buffer was full.
    pub packets_overflowed: u64,
    /// Packets to addresses where nobody was.
    pub packets_undeliverable: u64,
    /// Streams dialled.
    pub streams: u64,
    /// Bytes of their messages.
    pub stream_bytes: u64,
    /// Streams that did not come to an answer.
    pub streams_failed: u64,
    /// Streams changed on the way; each must be refused.
    pub streams_corrupted: u64,
}

/// The state of the whole network.
#[derive(Debug)]
pub(crate) struct Network {
    geography: Geography,
    rules: Vec<(RuleId, Rule, Memories)>,
    next: u32,
    pub(crate) traffic: Traffic,
}

impl Network {
    pub(crate) fn new(geography: Geography) -> Self {
        Self { geography, rules: Vec::new(), next: 0, traffic: Traffic::default() }
    }

    /// Puts a rule in force.
    pub(crate) fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        self.rules.push((id, rule, Memories::default()));
        id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(other, ..)| *other != id);
    }

    /// Nothing stands between nodes any more but distance.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Sends a packet on its way; `None` when it is lost.
    pub(crate) fn packet(
        &mut self,
        link: Link,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Passage> {
        let passage = self.pass(link, Carrier::Packets, bytes, now, rng);
        match passage {
            None => self.traffic.packets_lost += 1,
            Some(Passage { copy: Some(_), .. }) => self.traffic.packets_doubled += 1,
            Some(_) => {}
        }
        passage
    }

    /// How long a message of a stream takes in one direction; `None` when it never arrives. A stream
    /// sends again what was lost, so loss makes it slow.
    pub(crate) fn message(
        &mut self,
        link: Link,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Passage> {
        self.pass(link, Carrier::Streams, bytes, now, rng)
    }

    fn pass(
        &mut self,
        link: Link,
        carrier: Carrier,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Passage> {
        let after = self.geography.latency(link, rng);
        let mut passage = Passage { after, ..Passage::default() };
        for (_, rule, memories) in &mut self.rules {
            if !rule.sees(link, carrier) {
                continue;
            }
            let mut load = Load { link, bytes, now, memories, rng };
            let passes = match carrier {
                Carrier::Streams => rule.effect.on_message(&mut passage, &mut load),
                Carrier::Packets | Carrier::Both => rule.effect.on_packet(&mut passage, &mut load),
            };
            if !passes {
                return None;
            }
        }
        Some(passage)
    }
}

impl Rule {
    /// A rule for everything between any two nodes.
    pub(crate) fn everywhere(effect: Effect) -> Self {
        Self { from: NodeSet::ALL, to: NodeSet::ALL, carrier: Carrier::Both, effect }
    }
}

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::{Bursts, Carrier, Effect, Geography, Latency, Network, Region, Rule, Sampler};
use crate::rng::Chance;

/// What is between the nodes all the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// How far any two are from each other.
    pub latency: Latency,
    /// Instead, nodes dealt out over these regions in turn, as far from each other as those are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// What else stands between any two of them.
    #[serde(rename = "disturbance", skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<Everywhere>,
    /// Bytes that a packet's body may have: a usual Ethernet's MTU less headers and checksum.
    pub packet_room: u32,
}

/// A disturbance that stands everywhere and always.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Everywhere {
    /// What it concerns.
    #[serde(default)]
    pub carrier: Carrier,
    /// What it does.
    #[serde(flatten)]
    pub disturbance: Disturbance,
}

/// What something between two nodes does to what passes. Shares are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Disturbance {
    /// Nothing gets through.
    Cut,
    /// A share is lost.
    Loss {
        /// Which.
        share: f64,
    },
    /// Loss comes in bursts (Gilbert and Elliott): each packet may begin or end one.
    Bursts {
        /// The chance that one begins.
        begin: f64,
        /// The chance that one ends.
        end: f64,
        /// The share that is lost in one.
        lost_within: f64,
        /// The share that is lost outside.
        #[serde(default)]
        lost_outside: f64,
    },
    /// It takes longer.
    Delay {
        /// How much.
        by: Latency,
    },
    /// A share comes twice.
    Duplicate {
        /// Which.
        share: f64,
        /// How much later the second one comes.
        by: Latency,
    },
    /// A share takes longer, so that others overtake it.
    Reorder {
        /// Which.
        share: f64,
        /// How much longer.
        by: Latency,
    },
    /// A bit of a share changes.
    Corrupt {
        /// Which.
        share: f64,
    },
    /// What is longer vanishes.
    Mtu {
        /// The most bytes that pass.
        bytes: u32,
    },
    /// So many bytes pass in a second, and so many wait.
    Bandwidth {
        /// How many pass.
        bytes_per_second: u64,
        /// How many wait.
        queue: u64,
    },
}

impl Default for Standing {
    /// One data centre.
    fn default() -> Self {
        Self {
            latency: Latency::LogNormal { median: Duration::from_micros(250), sigma: 0.4 },
            regions: Vec::new(),
            disturbances: Vec::new(),
            packet_room: 1395,
        }
    }
}

impl Standing {
    pub(crate) fn build(&self, nodes: u32) -> Network {
        let mut network = Network::new(if self.regions.is_empty() {
            Geography::uniform(self.latency)
        } else {
            Geography::regions(&self.regions, nodes)
        });
        for everywhere in &self.disturbances {
            let effect = everywhere.disturbance.effect();
            network.add(Rule { carrier: everywhere.carrier, ..Rule::everywhere(effect) });
        }
        network
    }
}

impl Disturbance {
    pub(crate) fn effect(&self) -> Effect {
        match self {
            Self::Cut => Effect::Cut,
            Self::Loss { share } => Effect::Loss(Chance::of(*share)),
            Self::Bursts { begin, end, lost_within, lost_outside } => Effect::Bursts(Bursts {
                begin: Chance::of(*begin),
                end: Chance::of(*end),
                lost_within: Chance::of(*lost_within),
                lost_outside: Chance::of(*lost_outside),
            }),
            Self::Delay { by } => Effect::Delay(Sampler::of(*by)),
            Self::Duplicate { share, by } => {
                Effect::Duplicate(Chance::of(*share), Sampler::of(*by))
            }
            Self::Reorder { share, by } => Effect::Reorder(Chance::of(*share), Sampler::of(*by)),
            Self::Corrupt { share } => Effect::Corrupt(Chance::of(*share)),
            Self::Mtu { bytes } => Effect::Mtu(*bytes as usize),
            Self::Bandwidth { bytes_per_second, queue } => {
                Effect::Bandwidth { bytes_per_second: *bytes_per_second, queue: *queue }
            }
        }
    }

    /// The shares that it has, by name.
    pub(crate) fn shares(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Loss { share }
            | Self::Duplicate { share, .. }
            | Self::Reorder { share, .. }
            | Self::Corrupt { share } => vec![("share", *share)],
            Self::Bursts { begin, end, lost_within, lost_outside } => vec![
                ("begin", *begin),
                ("end", *end),
                ("lost_within", *lost_within),
                ("lost_outside", *lost_outside),
            ],
            Self::Cut | Self::Delay { .. } | Self::Mtu { .. } | Self::Bandwidth { .. } => {
                Vec::new()
            }
        }
    }
}

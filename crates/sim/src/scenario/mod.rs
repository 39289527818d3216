//! What happens in a world, as data: people write it as TOML, the swarm draws it from a seed, and
//! what the swarm has shrunk is written down as the same TOML again.

mod check;
mod config;
mod crowd;
mod expect;
mod fault;
mod keys;
mod network;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use check::ScenarioError;
pub use config::{Overrides, Profile, Rules};
pub use crowd::Crowd;
pub use expect::Expect;
pub use fault::{Address, Claim, Fault, Hostile, Memory, Timed};
pub(crate) use network::Everywhere;
pub use network::{Disturbance, Standing};

use crate::units::{duration, optional_duration};

/// One world from its beginning to its end.
///
/// First come faults and work, for `duration`. Then every fault ends, the network's standing
/// disturbances too, whoever is down stays down, and the world is calm; at the latest after a time that the configuration gives, all must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in reports.
    #[serde(default)]
    pub name: String,
    /// What it shows, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Where all chance comes from.
    #[serde(default = "one")]
    pub seed: u64,
    /// How often it is run, each time with the next seed.
    #[serde(default = "once")]
    pub repetitions: u32,
    /// How many nodes there are.
    pub nodes: u32,
    /// How they begin.
    #[serde(default)]
    pub start: Start,
    /// How long faults and work go on.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// How long the calm after it may last at most; without it, as long as the configuration gives.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub calm: Option<Duration>,
    /// Whether, when the faults have ended, every node that is up joins the first one that is up, as
    /// operators and their scripts do after an outage.
    #[serde(default)]
    pub rejoin: bool,
    /// Its full size, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<Full>,
    /// Peers that are modelled, around one node that is real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// Which preset the configuration begins with.
    #[serde(default)]
    pub profile: Profile,
    /// By whose rules.
    #[serde(default)]
    pub rules: Rules,
    /// Fields of the configuration that differ from the preset.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub config: Overrides,
    /// What is between the nodes all the time.
    #[serde(default)]
    pub network: Standing,
    /// What happens, and when.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Timed>,
    /// What must come out.
    #[serde(default)]
    pub expect: Expect,
}

/// How nodes begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Everybody knows everybody: a cluster that has been there for long.
    #[default]
    Converged,
    /// All start at once, and join the first one.
    Joining,
    /// Nobody is started; the faults start them.
    Down,
}

/// Its full size, where it is written at one that every check of the sources can afford.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Full {
    /// How many nodes there are then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// How long it takes then.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// How often it is run then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<u32>,
    /// What today's protocol lacks then, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<String>,
}

impl Scenario {
    /// The scenario at its full size; as it is where it says of none.
    #[must_use]
    pub fn at_full_size(mut self) -> Self {
        if let Some(full) = self.full.take() {
            match &mut self.crowd {
                Some(crowd) => crowd.peers = full.nodes.unwrap_or(crowd.peers),
                None => self.nodes = full.nodes.unwrap_or(self.nodes),
            }
            self.duration = full.duration.unwrap_or(self.duration);
            self.repetitions = full.repetitions.unwrap_or(self.repetitions);
            self.expect.shortfall = full.shortfall.or(self.expect.shortfall);
        }
        self
    }
}

fn one() -> u64 {
    1
}

fn once() -> u32 {
    1
}

//! What happens in a world, as data: people write it as TOML, the swarm draws it from a seed, and
//! what the swarm has shrunk is written down as the same TOML again.

mod check;
mod config;
mod fault;
mod network;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use check::ScenarioError;
pub use config::{Overrides, Profile, Rules};
pub use fault::{Address, Claim, Fault, Memory, Timed};
pub use network::{Disturbance, Everywhere, Standing};

use crate::units::{duration, optional_duration};

/// One world from its beginning to its end.
///
/// First come faults and work, for `duration`. Then every fault ends, whoever is down stays down,
/// and the world is calm; at the latest after a time that the configuration gives, all must agree.
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

/// What must come out, for the scenario to pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Whether all agree in the end.
    pub agreement: bool,
    /// How many times a node that was up and reachable may be declared dead, at most; without it, as
    /// often as it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_failures: Option<u64>,
    /// The longest time until all agree after the faults have ended.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub agreement_within: Option<Duration>,
    /// The longest queue of claims that any node may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_queue: Option<u64>,
    /// What is known to be missing: the scenario fails today, the report says so and why, and it is
    /// an error when it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<String>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            agreement: true,
            false_failures: None,
            agreement_within: None,
            longest_queue: None,
            shortfall: None,
        }
    }
}

fn one() -> u64 {
    1
}

fn once() -> u32 {
    1
}

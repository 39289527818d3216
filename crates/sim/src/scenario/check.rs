//! What is wrong with a scenario, in a sentence with a remedy.

use super::Scenario;
use super::fault::{Fault, Timed};
use super::network::Disturbance;
use crate::nodes::Nodes;

/// Why a scenario can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is no TOML, or has a key that does not belong there.
    #[error("{what}")]
    Syntax {
        /// What, and where.
        what: String,
    },
    /// The configuration can't be run with.
    #[error("config: {what}")]
    Config {
        /// What is wrong.
        what: String,
    },
    /// A value out of bounds.
    #[error("{field} is {value}; {remedy}")]
    Value {
        /// Which.
        field: String,
        /// What it is.
        value: String,
        /// What to do.
        remedy: String,
    },
}

/// The most nodes of a world.
const MOST_NODES: u32 = 100_000;

impl Scenario {
    /// A scenario from TOML.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, with its line.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)
            .map_err(|error| ScenarioError::Syntax { what: error.to_string() })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The scenario as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every scenario can be written as TOML")
    }

    /// Whether it can be run.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), ScenarioError> {
        if !(1..=MOST_NODES).contains(&self.nodes) {
            return Err(value("nodes", self.nodes, format!("set it from 1 to {MOST_NODES}")));
        }
        if self.repetitions == 0 {
            return Err(value("repetitions", 0, "set it to 1 or more"));
        }
        self.config.apply(self.profile, self.rules)?;
        let room = self.network.packet_room;
        let least = mingle_proto::Room::LEAST;
        if (room as usize) < least {
            return Err(value("network.packet_room", room, format!("set it to {least} or more")));
        }
        for (i, everywhere) in self.network.disturbances.iter().enumerate() {
            shares(&format!("network.disturbance[{i}]"), &everywhere.disturbance)?;
        }
        for (i, timed) in self.faults.iter().enumerate() {
            self.check_fault(&format!("fault[{i}]"), timed)?;
        }
        Ok(())
    }

    fn check_fault(&self, place: &str, timed: &Timed) -> Result<(), ScenarioError> {
        if timed.at > self.duration {
            let at = humantime::format_duration(timed.at);
            return Err(value(&format!("{place}.at"), at, "set it within the duration"));
        }
        for (field, nodes) in timed.fault.nodes() {
            if let Some(last) = nodes.last().filter(|&last| last >= self.nodes) {
                let remedy = format!("{last} does not exist, the last one is {}", self.nodes - 1);
                return Err(value(&format!("{place}.{field}"), nodes, remedy));
            }
        }
        match &timed.fault {
            Fault::Link { disturbance, .. } => shares(place, disturbance),
            Fault::Meta { bytes, .. } if *bytes as usize > mingle_wire::MAX_META => {
                let remedy = format!("at most {} fit", mingle_wire::MAX_META);
                Err(value(&format!("{place}.bytes"), bytes, remedy))
            }
            Fault::Churn { percent_per_minute: percent, .. }
                if !(0.0..=6000.0).contains(percent) =>
            {
                let field = format!("{place}.percent_per_minute");
                Err(value(&field, percent, "set it from 0 to 6000"))
            }
            Fault::Partition { sides, .. } if sides.len() < 2 => {
                Err(value(&format!("{place}.sides"), sides.len(), "name two sides or more"))
            }
            _ => Ok(()),
        }
    }
}

fn shares(place: &str, disturbance: &Disturbance) -> Result<(), ScenarioError> {
    for (name, share) in disturbance.shares() {
        if !(0.0..=1.0).contains(&share) {
            return Err(value(&format!("{place}.{name}"), share, "set it from 0 to 1"));
        }
    }
    if let Disturbance::Bandwidth { bytes_per_second: 0, .. } = disturbance {
        return Err(value(&format!("{place}.bytes_per_second"), 0, "use the effect cut instead"));
    }
    Ok(())
}

fn value(field: &str, value: impl std::fmt::Display, remedy: impl Into<String>) -> ScenarioError {
    ScenarioError::Value {
        field: field.to_owned(),
        value: value.to_string(),
        remedy: remedy.into(),
    }
}

impl Fault {
    /// Lets `change` at all nodes that it names.
    pub(crate) fn each_nodes(&mut self, change: &mut dyn FnMut(&mut Nodes)) {
        match self {
            Self::Start { nodes, with } => {
                change(nodes);
                if let Some(with) = with {
                    change(with);
                }
            }
            Self::Crash { nodes, .. }
            | Self::Leave { nodes, .. }
            | Self::RollingRestart { nodes, .. }
            | Self::Churn { nodes, .. }
            | Self::Pause { nodes }
            | Self::Block { nodes }
            | Self::Slow { nodes, .. }
            | Self::Drift { nodes, .. }
            | Self::Leap { nodes, .. }
            | Self::WallClock { nodes, .. }
            | Self::Meta { nodes, .. } => change(nodes),
            Self::Partition { sides, .. } => sides.iter_mut().for_each(change),
            Self::Link { from, to, .. } => {
                change(from);
                change(to);
            }
            Self::Join { nodes, with } => {
                change(nodes);
                change(with);
            }
            Self::Send { nodes, to, .. } => {
                change(nodes);
                change(to);
            }
            Self::Forge { to, .. } => change(to),
        }
    }

    /// The nodes that it names, by field.
    pub(crate) fn nodes(&self) -> Vec<(&'static str, Nodes)> {
        match self {
            Self::Start { nodes, with } => {
                let with = with.iter().map(|with| ("with", with.clone()));
                std::iter::once(("nodes", nodes.clone())).chain(with).collect()
            }
            Self::Crash { nodes, .. }
            | Self::Leave { nodes, .. }
            | Self::RollingRestart { nodes, .. }
            | Self::Churn { nodes, .. }
            | Self::Pause { nodes }
            | Self::Block { nodes }
            | Self::Slow { nodes, .. }
            | Self::Drift { nodes, .. }
            | Self::Leap { nodes, .. }
            | Self::WallClock { nodes, .. }
            | Self::Meta { nodes, .. } => vec![("nodes", nodes.clone())],
            Self::Partition { sides, .. } => {
                sides.iter().map(|side| ("sides", side.clone())).collect()
            }
            Self::Link { from, to, .. } => vec![("from", from.clone()), ("to", to.clone())],
            Self::Join { nodes, with } => vec![("nodes", nodes.clone()), ("with", with.clone())],
            Self::Send { nodes, to, .. } => vec![("nodes", nodes.clone()), ("to", to.clone())],
            Self::Forge { to, about, .. } => {
                vec![("to", to.clone()), ("about", Nodes::one(*about))]
            }
        }
    }
}

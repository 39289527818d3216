//! What is wrong with a scenario, in a sentence with a remedy.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fault::{Fault, Timed};
use super::keys::{check_keys, line_of_field, syntax};
use super::network::{Disturbance, Standing};
use super::{Crowd, Scenario};
use crate::network::Latency;
use crate::nodes::Nodes;

/// Why a scenario can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It was to be stopped before it ended.
    #[error("stopped before it ended")]
    Stopped,
    /// Something at a line.
    #[error("line {line}: {what}")]
    At {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It can't be read.
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

impl ScenarioError {
    /// The sentence without the line, for texts that have lines of their own.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::At { what, .. } => what.clone(),
            Self::Stopped | Self::Syntax { .. } | Self::Config { .. } | Self::Value { .. } => {
                self.to_string()
            }
        }
    }

    /// The same with the line where what is wrong is written.
    fn at_its_line(self, text: &str) -> Self {
        let field = match &self {
            Self::Value { field, .. } => field.clone(),
            // Its sentences begin with the field.
            Self::Config { what } => {
                format!("config.{}", what.split(' ').next().unwrap_or_default())
            }
            Self::Stopped | Self::At { .. } | Self::Syntax { .. } => return self,
        };
        match line_of_field(text, &field) {
            Some(line) => Self::At { line, what: self.to_string() },
            None => self,
        }
    }
}

/// The most nodes of a world.
const MOST_NODES: u32 = 100_000;
/// The longest world.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Scenario {
    /// A scenario from TOML.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, with its line.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        check_keys(text)?;
        let scenario: Self = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let located = |error: ScenarioError| error.at_its_line(text);
        if scenario.duration.is_zero() {
            let remedy = "set it to the time that faults and work go on";
            return Err(located(value("duration", "0s", remedy)));
        }
        scenario.check().map_err(located)?;
        scenario.clone().at_full_size().check().map_err(located)?;
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
        if self.duration > LONGEST {
            let time = humantime::format_duration(self.duration);
            return Err(value("duration", time, "set it to a year at most"));
        }
        if let Some(crowd) = self.crowd {
            self.check_crowd(crowd)?;
        }
        self.config.apply(self.profile, self.rules)?;
        let room = self.network.packet_room;
        let least = mingle_proto::Room::LEAST;
        if (room as usize) < least {
            return Err(value("network.packet_room", room, format!("set it to {least} or more")));
        }
        if !self.network.regions.is_empty() && self.network.latency != Standing::default().latency {
            let remedy = "take it out, or the latency: regions have their own";
            return Err(value("network.regions", "set beside latency", remedy));
        }
        latency("network.latency", self.network.latency)?;
        for (i, everywhere) in self.network.disturbances.iter().enumerate() {
            shares(&format!("network.disturbance[{i}]"), &everywhere.disturbance)?;
        }
        for (i, timed) in self.faults.iter().enumerate() {
            self.check_fault(&format!("fault[{i}]"), timed)?;
        }
        Ok(())
    }

    fn check_sides(&self, field: &str, sides: &[Nodes]) -> Result<(), ScenarioError> {
        let mut seen = BTreeSet::new();
        for side in sides {
            let Some(named) = side.named(self.nodes) else {
                return Err(value(field, side, "name nodes by number: shares may overlap"));
            };
            if let Some(node) = named.into_iter().find(|&node| !seen.insert(node)) {
                let remedy = "let each node stand on one side at most";
                return Err(value(field, format!("a list with n{node} on two sides"), remedy));
            }
        }
        Ok(())
    }

    fn check_crowd(&self, crowd: Crowd) -> Result<(), ScenarioError> {
        if self.nodes != 1 {
            return Err(value("nodes", self.nodes, "set it to 1: around it the crowd is modelled"));
        }
        if !self.faults.is_empty() {
            return Err(value("fault", self.faults.len(), "take it out: a crowd has only churn"));
        }
        if !(2..=MOST_NODES).contains(&crowd.peers) {
            let remedy = format!("set it from 2 to {MOST_NODES}");
            return Err(value("crowd.peers", crowd.peers, remedy));
        }
        percent("crowd.percent_per_minute", crowd.percent_per_minute)
    }

    fn check_fault(&self, place: &str, timed: &Timed) -> Result<(), ScenarioError> {
        if timed.at > self.duration {
            let at = humantime::format_duration(timed.at);
            return Err(value(&format!("{place}.at"), at, "set it within the duration"));
        }
        if let Some(again) = timed.again.filter(|&again| again <= timed.lasts.unwrap_or_default()) {
            let again = humantime::format_duration(again);
            let remedy = "set it longer than the fault lasts, or take it out";
            return Err(value(&format!("{place}.again"), again, remedy));
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
            Fault::Churn { percent_per_minute, .. } => {
                percent(&format!("{place}.percent_per_minute"), *percent_per_minute)
            }
            Fault::Partition { sides, .. } if sides.len() < 2 => {
                Err(value(&format!("{place}.sides"), sides.len(), "name two sides or more"))
            }
            Fault::Partition { sides, .. } => self.check_sides(&format!("{place}.sides"), sides),
            Fault::Slow { timers, per_packet, .. } if timers.is_zero() && per_packet.is_zero() => {
                Err(value(place, "slow by nothing", "set timers, per_packet, or both"))
            }
            _ => Ok(()),
        }
    }
}

fn latency(field: &str, latency: Latency) -> Result<(), ScenarioError> {
    if let Latency::Uniform { low, high } = latency
        && low > high
    {
        let low = humantime::format_duration(low);
        return Err(value(&format!("{field}.low"), low, "set it to high at most"));
    }
    Ok(())
}

fn percent(field: &str, percent: f64) -> Result<(), ScenarioError> {
    if !(0.0..=6000.0).contains(&percent) {
        return Err(value(field, percent, "set it from 0 to 6000"));
    }
    Ok(())
}

fn shares(place: &str, disturbance: &Disturbance) -> Result<(), ScenarioError> {
    for (name, share) in disturbance.shares() {
        if !(0.0..=1.0).contains(&share) {
            return Err(value(&format!("{place}.{name}"), share, "set it from 0 to 1"));
        }
    }
    if let Disturbance::Delay { by }
    | Disturbance::Duplicate { by, .. }
    | Disturbance::Reorder { by, .. } = disturbance
    {
        latency(&format!("{place}.by"), *by)?;
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
    /// Lets `change` at all nodes that it names, by field.
    pub(crate) fn each_nodes(&mut self, change: &mut dyn FnMut(&'static str, &mut Nodes)) {
        match self {
            Self::Start { nodes, with } => {
                change("nodes", nodes);
                if let Some(with) = with {
                    change("with", with);
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
            | Self::Meta { nodes, .. } => change("nodes", nodes),
            Self::Partition { sides, .. } => {
                sides.iter_mut().for_each(|side| change("sides", side));
            }
            Self::Link { from, to, .. } => {
                change("from", from);
                change("to", to);
            }
            Self::Join { nodes, with } => {
                change("nodes", nodes);
                change("with", with);
            }
            Self::Seeds { nodes, seeds } => {
                change("nodes", nodes);
                change("seeds", seeds);
            }
            Self::Send { nodes, to, .. } => {
                change("nodes", nodes);
                change("to", to);
            }
            Self::Forge { to, .. } | Self::Hostile { to, .. } => change("to", to),
        }
    }

    /// The nodes that it names, by field.
    fn nodes(&self) -> Vec<(&'static str, Nodes)> {
        let mut found = Vec::new();
        self.clone().each_nodes(&mut |field, nodes| found.push((field, nodes.clone())));
        if let Self::Forge { about, .. } = self {
            found.push(("about", Nodes::one(*about)));
        }
        found
    }
}

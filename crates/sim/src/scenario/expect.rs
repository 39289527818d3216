use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::optional_duration;

/// What must come out, for the scenario to pass. What is left out may come out as it likes. Times
/// and counts are bounds on the worst of each world, words as in [`crate::Measured`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Whether all agree in the end.
    pub agreement: bool,
    /// The longest time until all agree after the faults have ended.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub agreement_within: Option<Duration>,
    /// The longest time from a crash to its first detection.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub detected_within: Option<Duration>,
    /// The longest time from a crash until nobody sees the node live.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub dead_everywhere_within: Option<Duration>,
    /// The longest time from a start until everybody sees the node live.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub joined_everywhere_within: Option<Duration>,
    /// The longest time that a node takes to say goodbye.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub goodbye_within: Option<Duration>,
    /// The longest time from a goodbye's beginning until nobody sees the node live.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub left_everywhere_within: Option<Duration>,
    /// The longest time that a node which is up and was declared down is not seen live by all.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub recovered_within: Option<Duration>,
    /// How many times a node that was up, and that no fault concerned, may be declared dead in the view
    /// of one that could reach it, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_failures: Option<u64>,
    /// How many accusations of nodes that are up may be raised, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicions: Option<u64>,
    /// How many times nodes may have to refute, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refutations: Option<u64>,
    /// How many times a node that is up and stays may be seen to leave, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_goodbyes: Option<u64>,
    /// How many times a node that is down may be seen alive again, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns_of_the_dead: Option<u64>,
    /// The longest queue of claims that any node may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_queue: Option<u64>,
    /// The largest packet, in bytes of its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_packet: Option<u64>,
    /// How many requests must have been refused, at least: that nothing stops in silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_refused_at_least: Option<u64>,
    /// How many messages must have been refused, at least: that what is hostile is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_refused_at_least: Option<u64>,
    /// The most bytes of packets and streams that a node may send in a second, on average over all
    /// nodes and the whole time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_node_second: Option<f64>,
    /// What is known to be missing: the scenario fails today, the report says so and why, and it is
    /// an error when it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<String>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            agreement: true,
            agreement_within: None,
            detected_within: None,
            dead_everywhere_within: None,
            joined_everywhere_within: None,
            goodbye_within: None,
            left_everywhere_within: None,
            recovered_within: None,
            false_failures: None,
            suspicions: None,
            refutations: None,
            false_goodbyes: None,
            returns_of_the_dead: None,
            longest_queue: None,
            largest_packet: None,
            requests_refused_at_least: None,
            messages_refused_at_least: None,
            bytes_per_node_second: None,
            shortfall: None,
        }
    }
}

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::duration;

/// Peers that are modelled, around one node that is real: larger clusters than memory holds, as one
/// of their nodes sees them. They answer pings and exchanges, and tell of each other's deaths and
/// returns; none of them holds a view.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// How many.
    pub peers: u32,
    /// How many of a hundred crash in each minute.
    pub percent_per_minute: f64,
    /// How long each is down.
    #[serde(with = "duration")]
    pub down: Duration,
}

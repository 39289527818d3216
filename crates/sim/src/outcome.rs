use std::time::Duration;

use mingle_proto::Instant;
use serde::Serialize;

use crate::agreement::Disagreement;
use crate::checks::{Finding, Tally};
use crate::network::Traffic;
use crate::scenario::Scenario;
use crate::world::World;

/// What came of one world.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The hash of all that nodes took in and put out.
    pub transcript: u64,
    /// How long after the faults all agreed, in seconds; `None` when they did not.
    pub agreed_after: Option<f64>,
    /// Who disagreed about whom in the end.
    pub disagreements: Vec<Disagreement>,
    /// What did not hold; the world ended with the first of it.
    pub findings: Vec<Finding>,
    /// How often each checker had something to check.
    pub checks: Vec<Tally>,
    /// What went over the network.
    pub traffic: Traffic,
    /// Inputs of all nodes together.
    pub inputs: u64,
    /// How long the world went on, in seconds of its own time.
    pub simulated: f64,
}

impl Outcome {
    pub(crate) fn of(
        _scenario: &Scenario,
        world: World,
        _calm_since: Instant,
        agreed: Result<Duration, Vec<Disagreement>>,
    ) -> Self {
        let (agreed_after, disagreements) = match agreed {
            Ok(after) => (Some(after.as_secs_f64()), Vec::new()),
            Err(found) => (None, found),
        };
        Self {
            seed: 0,
            transcript: world.transcript.hash(),
            agreed_after,
            disagreements,
            findings: world.watch.checks.findings().to_vec(),
            checks: world.watch.checks.tallies(&world.network.traffic),
            traffic: world.network.traffic,
            inputs: world.inputs,
            simulated: world.now.since(Instant::ORIGIN).as_secs_f64(),
        }
    }
}

//! A whole cluster in one process and in virtual time.
//!
//! The machines are [`mingle_proto::Node`]s, the very ones that run on sockets. Around them is a
//! world: hosts that crash and freeze, a network that loses and delays, clocks that drift, all of it
//! drawn from one seed. The same seed gives the same world, bit for bit.

mod agreement;
pub mod beside;
mod checks;
mod crowd;
pub mod experiments;
mod hostile;
mod measure;
mod memory;
mod network;
mod nodes;
mod outcome;
mod repeat;
pub mod replay;
mod report;
mod rng;
mod run;
mod scenario;
pub mod script;
pub mod swarm;
mod tape;
mod units;
mod watch;
mod world;

pub use agreement::Disagreement;
pub use checks::{Finding, Tally};
pub use measure::{Distribution, Measured, Times};
pub use memory::bytes_available;
pub use network::{Carrier, Latency, Region, Traffic};
pub use nodes::{Nodes, NodesError};
pub use outcome::{Hash, Outcome, Unmet, Verdict};
pub use repeat::{Progress, cores, repeat};
pub use report::{comparison, summary};
pub use scenario::{
    Address, Claim, Crowd, Disturbance, Expect, Fault, Full, Hostile, Memory, Overrides, Profile,
    Rules, Scenario, ScenarioError, Standing, Start, Timed,
};

//! Checkers are held against histories that really happened, and against the same ones made wrong.

mod altered;
mod clean;
mod doubts;
mod history;
mod packets;
mod timely;
mod untrue;

use mingle_proto::Via;
use mingle_wire::{Message, memberlist};

use super::*;
pub(crate) use history::History;
use history::{Call, What};

/// Some of everything that changes views, at six nodes.
const BUSY: &str = r#"
nodes = 6
duration = "150s"
[config]
reap_time = "8s"
[network]
disturbance = [{ effect = "loss", share = 0.15 }]
[[fault]]
at = "5s"
do = "crash"
nodes = "4"
for = "50s"
address = "new"
[[fault]]
at = "20s"
do = "meta"
nodes = "1"
bytes = 100
[[fault]]
at = "65s"
do = "leave"
nodes = "5"
for = "8s"
memory = "kept"
[[fault]]
at = "80s"
do = "crash"
nodes = "5"
machine = true
for = "30s"
[[fault]]
at = "95s"
do = "forge"
to = "1"
claim = "moved"
about = 5
[[fault]]
at = "112s"
do = "forge"
to = "0"
claim = "dead"
about = 2
[[fault]]
at = "114s"
do = "forge"
to = "1"
claim = "suspect"
about = 3
ahead = 2
[[fault]]
at = "116s"
do = "forge"
to = "1"
claim = "left"
about = 0
[[fault]]
at = "120s"
do = "wall_clock"
nodes = "4"
seconds = -1000000000
[[fault]]
at = "121s"
do = "crash"
nodes = "4"
for = "1s"
memory = "lost"
"#;

/// A world's history, and what came of it.
fn recorded(text: &str, seed: u64) -> (Vec<Call>, crate::Outcome) {
    let scenario = Scenario::from_toml(text).unwrap();
    History::of(|| scenario.run(seed).unwrap())
}

/// Tells a history, until `enough` of what is found.
fn told(calls: &[Call], enough: impl Fn(&Finding) -> bool) -> Checks {
    let mut checks = Checks::default();
    for call in calls {
        call.tell(&mut checks);
        if checks.findings().iter().any(&enough) {
            break;
        }
    }
    checks
}

//! Whether worlds fit into memory.

use crate::nodes::Nodes;
use crate::rng::Rng;
use crate::scenario::{Fault, Scenario, Start};

/// Bytes that a node takes for each member that it has known from the beginning, with what measures
/// and checkers keep of it, rounded up. Measured as the peak of a process with a converged cluster and
/// one restart: 70 with 1,000 nodes, 62 with 2,000, 58 with 4,000.
const BYTES_PER_PAIR: u64 = 80;
/// Bytes for each member that a node learns of while the world runs: what the member says of itself is
/// not shared then, and waits in the queue to be told on. Measured with clusters that all join at
/// once: 458 with 400 nodes, 417 with 800.
const BYTES_PER_PAIR_LEARNED: u64 = 460;
/// Bytes that a node takes whomever it knows: queues, buffers, and packets under way.
const BYTES_PER_NODE: u64 = 16 * 1024;
/// Bytes that a modelled peer takes.
const BYTES_PER_PEER: u64 = 1024;

impl Scenario {
    /// About how many bytes a world of this scenario takes at most.
    #[must_use]
    pub fn bytes_needed(&self) -> u64 {
        let nodes = u64::from(self.nodes);
        let peers = self.crowd.map_or(0, |crowd| u64::from(crowd.peers));
        let members = nodes + peers;
        let learning = self.starting();
        (nodes - learning) * members * BYTES_PER_PAIR
            + learning * members * BYTES_PER_PAIR_LEARNED
            + nodes * BYTES_PER_NODE
            + peers * BYTES_PER_PEER
    }

    /// How many nodes start while the world runs, and have to learn of the others; at most all.
    fn starting(&self) -> u64 {
        let all = u64::from(self.nodes);
        if self.start == Start::Joining {
            return all;
        }
        let mut starting = 0_u64;
        for timed in &self.faults {
            starting += match &timed.fault {
                Fault::Start { nodes, .. } | Fault::RollingRestart { nodes, .. } => {
                    count(nodes, self.nodes)
                }
                Fault::Crash { nodes, .. } | Fault::Leave { nodes, .. }
                    if timed.lasts.is_some() =>
                {
                    count(nodes, self.nodes)
                }
                Fault::Churn { nodes, .. } => count(nodes, self.nodes),
                Fault::Crash { .. }
                | Fault::Leave { .. }
                | Fault::Pause { .. }
                | Fault::Block { .. }
                | Fault::Slow { .. }
                | Fault::Drift { .. }
                | Fault::Leap { .. }
                | Fault::WallClock { .. }
                | Fault::Partition { .. }
                | Fault::Link { .. }
                | Fault::Join { .. }
                | Fault::Seeds { .. }
                | Fault::Meta { .. }
                | Fault::Send { .. }
                | Fault::Forge { .. }
                | Fault::Hostile { .. } => 0,
            };
        }
        starting.min(all)
    }
}

fn count(nodes: &Nodes, all: u32) -> u64 {
    nodes.pick(all, &mut Rng::new(0)).len() as u64
}

/// How many bytes this machine could give now; `None` where it does not say.
#[must_use]
pub fn bytes_available() -> Option<u64> {
    available_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read_from_what_linux_says() {
        let text = "MemTotal:       24000000 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(available_in(text), Some(23_000_000 * 1024));
        assert_eq!(available_in("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn ten_thousand_nodes_need_less_than_ten_gibibytes() {
        let scenario = Scenario::from_toml("nodes = 10000\nduration = \"1m\"").unwrap();
        let bytes = scenario.bytes_needed();
        assert!((5 << 30..10 << 30).contains(&bytes), "{bytes}");
        let joining = Scenario { start: Start::Joining, ..scenario };
        assert!(joining.bytes_needed() > 4 * bytes);
    }
}

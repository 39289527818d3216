//! Whether worlds fit into memory.

use crate::scenario::Scenario;

/// Bytes that a node takes for each member that it knows, with what measures and checkers keep of it,
/// rounded up. Measured as the peak of a process with a converged cluster and one restart: 70 with
/// 1,000 nodes, 62 with 2,000, 58 with 4,000.
const BYTES_PER_PAIR: u64 = 80;
/// Bytes that a node takes whomever it knows: queues, buffers, and packets under way.
const BYTES_PER_NODE: u64 = 16 * 1024;

impl Scenario {
    /// About how many bytes a world of this scenario takes.
    #[must_use]
    pub fn bytes_needed(&self) -> u64 {
        let nodes = u64::from(self.nodes);
        let peers = self.crowd.map_or(0, |crowd| u64::from(crowd.peers));
        nodes * (nodes + peers) * BYTES_PER_PAIR + nodes * BYTES_PER_NODE + peers * 1024
    }
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
    }
}

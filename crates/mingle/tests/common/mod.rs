//! What the tests of real clusters share.
#![expect(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "these are parts of tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mingle::transport::MemoryNetwork;
use mingle::{Builder, Cluster, Config, State, Stats};

/// Timing that lets a test see failures within a few seconds.
pub(crate) fn quick() -> Config {
    Config {
        probe_interval: Duration::from_millis(200),
        probe_timeout: Duration::from_millis(100),
        gossip_interval: Duration::from_millis(20),
        push_pull_interval: Duration::from_secs(2),
        suspicion_mult: 3,
        suspicion_max_timeout_mult: 2,
        tcp_timeout: Duration::from_secs(2),
        ..Config::lan()
    }
}

/// A builder for a node on the loopback.
pub(crate) fn loopback(name: &str) -> Builder {
    Cluster::builder(name).bind("127.0.0.1:0").config(quick())
}

/// Starts a node in memory; `n` makes its address.
pub(crate) fn in_memory(network: &MemoryNetwork, n: u8) -> Cluster {
    let transport = network.transport(memory_address(n)).unwrap();
    Cluster::builder(format!("node-{n}")).config(quick()).start_on(transport).unwrap()
}

/// Nodes in memory that see each other.
pub(crate) async fn cluster(network: &MemoryNetwork, count: u8) -> Vec<Cluster> {
    let nodes: Vec<_> = (1..=count).map(|n| in_memory(network, n)).collect();
    for node in &nodes[1..] {
        assert!(node.join([memory_address(1)]).await.succeeded());
    }
    eventually("all see each other", 10, || all_see_alive(&nodes, count.into())).await;
    nodes
}

pub(crate) fn memory_address(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7946).into()
}

/// Polls until the condition holds; fails with `what` after `seconds`.
pub(crate) async fn eventually(what: &str, seconds: u64, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls a node's numbers until the condition holds.
pub(crate) async fn eventually_stats(
    what: &str,
    seconds: u64,
    node: &Cluster,
    condition: impl Fn(&Stats) -> bool,
) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let stats = node.stats().await;
        if condition(&stats) {
            return;
        }
        let counted = || stats.iter().filter(|stat| stat.value > 0).map(|s| (s.name, s.value));
        assert!(
            Instant::now() < deadline,
            "not within {seconds} s: {what}: {:?}",
            counted().collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a node believes of everybody.
pub(crate) fn states(node: &Cluster) -> BTreeMap<String, State> {
    node.members().iter().map(|member| (member.name.clone(), member.state)).collect()
}

/// Whether each of the nodes sees exactly these alive.
pub(crate) fn all_see_alive(nodes: &[Cluster], count: usize) -> bool {
    nodes.iter().all(|node| {
        let states = states(node);
        states.values().filter(|&&state| state == State::Alive).count() == count
    })
}

pub(crate) async fn stop_all(nodes: &[Cluster]) {
    for node in nodes {
        node.stop().await;
    }
}

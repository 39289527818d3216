//! Subscribers that stall, and subscribers that call back: regressions that other implementations had
//! (R11 and R20 of `docs/simulation.md`).

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{in_memory, memory_address, stop_all};
use mingle::transport::MemoryNetwork;
use mingle::{Change, Cluster, Member, State, Update, Watch};

/// A view that is kept from what a watch gives.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    version: u64,
    members: BTreeMap<String, (State, u32, BTreeMap<String, String>)>,
}

impl Kept {
    fn of(members: &[std::sync::Arc<Member>], version: u64) -> Self {
        let mut kept = Self { version, ..Self::default() };
        members.iter().for_each(|member| kept.put(member));
        kept
    }

    fn put(&mut self, member: &Member) {
        let is = (member.state, member.incarnation.get(), member.tags.clone());
        self.members.insert(member.name.clone(), is);
    }

    fn apply(&mut self, update: Update) {
        match update {
            Update::Snapshot(snapshot) => *self = Self::of(&snapshot.members, snapshot.version),
            Update::Diff(diff) => {
                assert_eq!(diff.version, self.version + 1, "a gap that was not told");
                self.version = diff.version;
                if diff.change == Change::Reaped {
                    self.members.remove(&diff.member.name);
                } else {
                    self.put(&diff.member);
                }
            }
            Update::Gap { missed } => assert!(missed > 0),
        }
    }
}

/// Waits until the watch tells this of the member.
async fn told(watch: &mut Watch, name: &str, change: Change) {
    loop {
        let update = watch.next().await.expect("the node runs");
        if let Update::Diff(diff) = update
            && diff.change == change
            && diff.member.name == name
        {
            return;
        }
    }
}

/// What hangs here has deadlocked.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("no deadlock")
}

async fn joined(network: &MemoryNetwork, size: u8) -> Vec<Cluster> {
    let nodes: Vec<_> = (1..=size).map(|n| in_memory(network, n)).collect();
    for node in &nodes[1..] {
        assert!(node.join([memory_address(1)]).await.succeeded());
    }
    nodes
}

/// More changes than a watch holds go by while nobody takes them: joins, a goodbye, a death and many
/// new tags. How long that takes makes no difference, so nothing here waits for a time.
#[tokio::test]
async fn a_subscriber_that_stalled_has_the_nodes_view_afterwards() {
    let network = MemoryNetwork::new();
    let first = in_memory(&network, 1);
    let (mut stalled, mut other) = (first.watch(), first.watch());
    let mut kept = Kept::default();
    kept.apply(stalled.next().await.unwrap());
    assert!(matches!(other.next().await, Some(Update::Snapshot(_))));

    let mut nodes: Vec<_> = (2..=5).map(|n| in_memory(&network, n)).collect();
    for node in &nodes {
        assert!(node.join([memory_address(1)]).await.succeeded());
    }
    nodes[3].leave().await.unwrap();
    in_time(told(&mut other, "node-5", Change::Left)).await;
    nodes.pop().unwrap().stop().await;
    nodes.pop().unwrap().stop().await;
    in_time(told(&mut other, "node-4", Change::Failed)).await;
    for n in 0..1500 {
        first.set_tags([("n", n.to_string())]).await.unwrap();
    }
    assert!(first.stats().await.get("watch_changes_missed").unwrap() > 0);

    first.set_tags([("the last", "change")]).await.unwrap();
    in_time(async {
        while !kept.members["node-1"].2.contains_key("the last") {
            kept.apply(stalled.next().await.expect("the node runs"));
        }
    })
    .await;
    assert_eq!(kept, Kept::of(&first.members(), kept.version));
    assert_eq!(kept.members["node-5"].0, State::Left);
    assert_eq!(kept.members["node-4"].0, State::Dead);
    first.stop().await;
    stop_all(&nodes).await;
}

/// For everything that it is told, a subscriber asks and commands the node that tells it.
#[tokio::test]
async fn a_subscriber_may_call_back_into_the_node() {
    let network = MemoryNetwork::new();
    let nodes = joined(&network, 3).await;
    let node = nodes[0].clone();
    let mut watch = node.watch();
    let subscriber = tokio::spawn(async move {
        let mut called = 0;
        while let Some(update) = watch.next().await {
            let Update::Diff(diff) = update else { continue };
            called += 1;
            assert!(!node.members().is_empty());
            assert!(node.member(&diff.member.name).is_some());
            let _another = node.watch();
            assert!(node.stats().await.get("view_version").unwrap() >= diff.version);
            if diff.member.name == "node-1" {
                continue;
            }
            node.set_tags([("told", diff.version.to_string())]).await.unwrap();
            // Whether it arrives does not matter, only that the call comes back.
            let _ = node.send(diff.member.name.as_str(), "welcome").await;
            let _ = node.join([memory_address(2)]).await;
            if diff.change == Change::Failed {
                node.leave().await.unwrap();
                node.stop().await;
            }
        }
        called
    });
    let late = in_memory(&network, 4);
    assert!(late.join([memory_address(2)]).await.succeeded());
    let mut watch = nodes[1].watch();
    assert!(matches!(watch.next().await, Some(Update::Snapshot(_))));
    nodes[2].stop().await;
    let called = in_time(subscriber).await.unwrap();
    assert!(called >= 3, "{called}");
    in_time(told(&mut watch, "node-1", Change::Left)).await;
    nodes[1].stop().await;
    late.stop().await;
}

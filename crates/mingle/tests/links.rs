//! A member that lives, and whose packets get lost, is told as what it is: on a degraded link.

mod common;

use std::time::Duration;

use common::{cluster, eventually, memory_address, stop_all};
use mingle::transport::MemoryNetwork;
use mingle::{Cluster, Decided, DegradedLink, Item, LinkKind, Notice, Notices, State};

/// Waits for the next word about a link: of whom, how it is heard, and whether it is restored.
async fn next_link(notices: &mut Notices) -> (String, LinkKind, bool) {
    let next = async {
        loop {
            match notices.next().await {
                Some(Item::Item(Notice::LinkDegraded { name, kind, .. })) => {
                    return (name.to_string(), kind, false);
                }
                Some(Item::Item(Notice::LinkRestored { name, kind, .. })) => {
                    return (name.to_string(), kind, true);
                }
                Some(_) => {}
                None => panic!("the node has stopped"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("word about a link in 20 s")
}

fn degraded(node: &Cluster, name: &str) -> Option<DegradedLink> {
    node.member(name).expect("it is known").degraded()
}

/// What is recorded of the member's link: how it is heard, and whether it is restored.
fn recorded(node: &Cluster, name: &str) -> Vec<(LinkKind, bool)> {
    let timeline = node.why(name).expect("it is known").timeline;
    let of_link = timeline.iter().filter_map(|decision| match &decision.what {
        Decided::LinkDegraded { kind, since, .. } => {
            assert!(*since <= decision.at, "{decision:?}");
            Some((*kind, false))
        }
        Decided::LinkRestored { kind, since, .. } => {
            assert!(*since < decision.at, "{decision:?}");
            Some((*kind, true))
        }
        Decided::Member(_)
        | Decided::Conflict { .. }
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Late { .. }
        | Decided::Reconnect { .. } => None,
    });
    of_link.collect()
}

async fn degraded_in_stats(node: &Cluster) -> Option<u64> {
    node.stats().await.get("members_degraded")
}

#[tokio::test]
async fn packets_lost_one_way_leave_streams_until_they_pass_again() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let (here, there) = (memory_address(1), memory_address(2));
    let mut notices = nodes[0].notices();
    assert_eq!(degraded(&nodes[0], "node-2"), None);
    let held = nodes[0].member("node-2").unwrap();

    network.cut_packets(here, there);
    let word = next_link(&mut notices).await;
    assert_eq!(word, ("node-2".to_owned(), LinkKind::StreamsOnly, false));
    assert_eq!(recorded(&nodes[0], "node-2"), [(LinkKind::StreamsOnly, false)]);
    let link = degraded(&nodes[0], "node-2").unwrap();
    assert_eq!(link.kind, LinkKind::StreamsOnly);
    assert!(link.since >= held.since);
    assert_eq!(held.degraded(), Some(link), "whoever holds the member sees it too");
    assert_eq!(degraded_in_stats(&nodes[0]).await, Some(1));
    assert_eq!(nodes[0].member("node-2").unwrap().state, State::Alive);

    // It stays so when the member says something new of itself.
    nodes[1].set_tags([("role", "db")]).await.unwrap();
    let has_tags = || !nodes[0].member("node-2").unwrap().tags.is_empty();
    eventually("its tags have come", 10, has_tags).await;
    assert_eq!(degraded(&nodes[0], "node-2").unwrap().kind, LinkKind::StreamsOnly);

    network.mend(here, there);
    let word = next_link(&mut notices).await;
    assert_eq!(word, ("node-2".to_owned(), LinkKind::StreamsOnly, true));
    let both = [(LinkKind::StreamsOnly, false), (LinkKind::StreamsOnly, true)];
    assert_eq!(recorded(&nodes[0], "node-2"), both);
    assert_eq!((degraded(&nodes[0], "node-2"), held.degraded()), (None, None));
    assert_eq!(degraded_in_stats(&nodes[0]).await, Some(0));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn packets_that_only_a_helper_gets_through_are_told_as_that() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 3).await;
    let mut notices = nodes[0].notices();
    network.cut_packets(memory_address(1), memory_address(2));
    let word = next_link(&mut notices).await;
    assert_eq!(word, ("node-2".to_owned(), LinkKind::HelpersOnly, false));
    assert_eq!(degraded(&nodes[0], "node-2").unwrap().kind, LinkKind::HelpersOnly);
    assert_eq!(degraded(&nodes[0], "node-3"), None);
    assert!(recorded(&nodes[0], "node-3").is_empty());
    stop_all(&nodes).await;
}

#[tokio::test]
async fn of_a_member_that_is_gone_no_link_is_told() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let mut notices = nodes[0].notices();
    network.cut_packets(memory_address(1), memory_address(2));
    next_link(&mut notices).await;
    let held = nodes[0].member("node-2").unwrap();
    assert!(held.degraded().is_some());

    nodes[1].stop().await;
    let is_dead = || nodes[0].member("node-2").unwrap().state == State::Dead;
    eventually("it is dead", 20, is_dead).await;
    assert_eq!((degraded(&nodes[0], "node-2"), held.degraded()), (None, None));
    assert_eq!(degraded_in_stats(&nodes[0]).await, Some(0));
    stop_all(&nodes).await;
}

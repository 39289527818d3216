//! Clusters inside one process.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{all_see_alive, eventually, in_memory, memory_address, quick, states, stop_all};
use mingle::transport::MemoryNetwork;
use mingle::{
    Cause, Change, Cluster, Item, LeaveError, MetaError, Notice, RequestError, SendError, State,
    Update, Via,
};

async fn cluster(network: &MemoryNetwork, size: u8) -> Vec<Cluster> {
    let nodes: Vec<_> = (1..=size).map(|n| in_memory(network, n)).collect();
    for node in &nodes[1..] {
        let report = node.join([memory_address(1)]).await;
        assert!(report.succeeded(), "{report}");
    }
    let all = nodes.len();
    eventually("all see all", 10, || all_see_alive(&nodes, all)).await;
    nodes
}

#[tokio::test]
async fn ten_nodes_join_leave_and_fail() {
    let network = MemoryNetwork::new();
    let mut nodes = cluster(&network, 10).await;

    let receipt = nodes[9].leave().await.unwrap();
    assert_eq!(receipt.confirmed.len(), 3);
    let left = |node: &Cluster| states(node).get("node-10") == Some(&State::Left);
    eventually("all know who left", 5, || nodes.iter().all(left)).await;
    nodes.pop().unwrap().stop().await;

    nodes.pop().unwrap().stop().await;
    let failed = |node: &Cluster| states(node).get("node-9") == Some(&State::Dead);
    eventually("all know who failed", 20, || nodes.iter().all(failed)).await;
    assert!(all_see_alive(&nodes, 8));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_name_may_come_back_after_it_left() {
    let network = MemoryNetwork::new();
    let mut nodes = cluster(&network, 3).await;
    let last = nodes.pop().unwrap();
    last.leave().await.unwrap();
    last.stop().await;
    let left = |node: &Cluster| states(node).get("node-3") == Some(&State::Left);
    eventually("both know who left", 5, || nodes.iter().all(left)).await;

    let again = in_memory(&network, 3);
    assert!(again.join([memory_address(1)]).await.succeeded());
    nodes.push(again);
    eventually("all see it again", 5, || all_see_alive(&nodes, 3)).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn new_tags_are_seen_by_others() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 5).await;
    nodes[2].set_tags([("role", "db"), ("zone", "b")]).await.unwrap();
    let expected = BTreeMap::from([("role", "db"), ("zone", "b")]);
    let seen = |node: &Cluster| {
        let member = node.member("node-3").unwrap();
        member.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<BTreeMap<_, _>>()
            == expected
    };
    eventually("all see the tags", 5, || nodes.iter().all(seen)).await;

    let long = "x".repeat(600);
    let error = nodes[2].set_tags([("role", long)]).await.unwrap_err();
    assert!(matches!(error, MetaError::TooLong { length, limit: 512 } if length > 600), "{error}");
    stop_all(&nodes).await;
}

#[tokio::test]
async fn messages_go_both_ways_best_effort_and_reliably() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let [mut at_1, mut at_2] = [nodes[0].messages(), nodes[1].messages()];

    nodes[0].send("node-2", "hello").await.unwrap();
    let Some(Item::Item(message)) = at_2.next().await else { panic!("no message") };
    assert_eq!(&*message.payload, b"hello");
    assert_eq!(message.from, memory_address(1));
    assert!(matches!(message.via, Via::Packet(_)));

    let big: Vec<u8> = (0..1_u32 << 20).map(|n| u8::try_from(n % 251).unwrap()).collect();
    nodes[1].send_reliable(memory_address(1), big.clone()).await.unwrap();
    let Some(Item::Item(message)) = at_1.next().await else { panic!("no message") };
    assert!(*message.payload == *big);
    assert!(matches!(message.via, Via::Stream(_)));

    let error = nodes[0].send("node-2", vec![0; 2000]).await.unwrap_err();
    assert!(matches!(error, SendError::Request(RequestError::TooLong { .. })), "{error}");
    let error = nodes[0].send("nobody", "hello").await.unwrap_err();
    assert!(matches!(error, SendError::Request(RequestError::NoSuchMember { .. })), "{error}");
    let error = nodes[0].send_reliable("node-2", vec![0; 17 << 20]).await.unwrap_err();
    assert!(matches!(error, SendError::Request(RequestError::TooLong { .. })), "{error}");
    stop_all(&nodes).await;
    let error = nodes[0].send("node-2", "hello").await.unwrap_err();
    assert_eq!(error, SendError::Stopped);
}

#[tokio::test]
async fn user_state_travels_with_push_pulls_and_ack_payloads_with_acks() {
    let network = MemoryNetwork::new();
    let nodes: Vec<_> = (1..=2).map(|n| in_memory(&network, n)).collect();
    let mut states = nodes[0].user_states();
    let mut notices = nodes[0].notices();
    nodes[1].set_user_state("all I know").await.unwrap();
    nodes[1].set_ack_payload("coordinate").await.unwrap();
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());

    let Some(Item::Item(state)) = states.next().await else { panic!("no state") };
    assert_eq!((&*state.state, state.join), (b"all I know".as_slice(), true));
    loop {
        let Some(Item::Item(notice)) = notices.next().await else { panic!("no notice") };
        if let Notice::Pong { name, payload, .. } = notice {
            assert_eq!((&*name, &*payload), ("node-2", b"coordinate".as_slice()));
            assert!(nodes[0].rtt("node-2").is_some());
            break;
        }
    }
    stop_all(&nodes).await;
    while states.next().await.is_some() {}
}

#[tokio::test]
async fn a_watch_begins_with_a_snapshot_and_goes_on_with_evidence() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 3).await;
    let mut watch = nodes[0].watch();
    let Some(Update::Snapshot(snapshot)) = watch.next().await else { panic!("no snapshot") };
    assert_eq!(snapshot.members.len(), 3);
    let mut version = snapshot.version;

    nodes[2].stop().await;
    let mut changes = Vec::new();
    while changes.last() != Some(&Change::Failed) {
        let Some(Update::Diff(diff)) = watch.next().await else { panic!("no diff") };
        assert_eq!((diff.version, &*diff.member.name), (version + 1, "node-3"));
        version = diff.version;
        let declared = match &diff.evidence.cause {
            Cause::SuspicionExpired { accusers, .. } => !accusers.is_empty(),
            Cause::Declared { by } => &**by == "node-2",
            _ => false,
        };
        assert_eq!(declared, diff.change == Change::Failed, "{diff:?}");
        changes.push(diff.change);
    }
    assert_eq!(changes, [Change::Suspected, Change::Failed]);
    stop_all(&nodes).await;
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_slow_watch_is_told_of_the_gap_and_gets_a_fresh_snapshot() {
    let network = MemoryNetwork::new();
    let node = in_memory(&network, 1);
    let mut watch = node.watch();
    assert!(matches!(watch.next().await, Some(Update::Snapshot(_))));
    for n in 0..1100 {
        node.set_tags([("n", n.to_string())]).await.unwrap();
    }
    let Some(Update::Gap { missed }) = watch.next().await else { panic!("no gap") };
    assert_eq!(missed, 1100);
    let Some(Update::Snapshot(snapshot)) = watch.next().await else { panic!("no snapshot") };
    assert_eq!(snapshot.version, 1100);
    assert_eq!(snapshot.members[0].tags["n"], "1099");
    assert!(node.stats().await.get("watch_changes_missed").unwrap() > 0);

    node.set_tags([("n", "last")]).await.unwrap();
    let Some(Update::Diff(diff)) = watch.next().await else { panic!("no diff") };
    assert_eq!((diff.version, &*diff.member.tags["n"]), (1101, "last"));
    node.stop().await;
}

#[tokio::test]
async fn stopping_twice_is_stopping_once_and_leaves_no_task() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 3).await;
    let started = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(started >= 3);
    for node in &nodes {
        node.stop().await;
        node.stop().await;
        node.stopped().await;
    }
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    eventually("no task is left", 5, || alive() == 0).await;
    assert_eq!(nodes[0].leave().await, Err(LeaveError::Stopped));
    assert!(!nodes[0].join([memory_address(2)]).await.succeeded());
    assert!(nodes[0].stats().await.get("streams_accepted").unwrap() > 0);
    // The address is free again.
    in_memory(&network, 1).stop().await;
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_node() {
    let network = MemoryNetwork::new();
    let node = in_memory(&network, 1);
    let other = node.clone();
    let mut watch = node.watch();
    drop(node);
    assert!(watch.next().await.is_some());
    assert_eq!(other.members().len(), 1);
    drop(other);
    assert!(watch.next().await.is_none());
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    eventually("no task is left", 5, || alive() == 0).await;
}

#[tokio::test]
async fn seeds_are_tried_until_one_answers() {
    let network = MemoryNetwork::new();
    let transport = network.transport(memory_address(2)).unwrap();
    let late = Cluster::builder("node-2")
        .config(quick())
        .join([memory_address(1)])
        .retry_interval(Duration::from_millis(50))
        .start_on(transport)
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let seed = in_memory(&network, 1);
    assert!(late.joined().await);
    assert_eq!(late.members().len(), 2);
    late.stop().await;
    seed.stop().await;

    let lonely = in_memory(&network, 3);
    let waiting = lonely.clone();
    let joined = tokio::spawn(async move { waiting.joined().await });
    lonely.stop().await;
    assert!(!joined.await.unwrap());
}

#[tokio::test]
async fn seeds_may_change_while_a_node_runs() {
    for config in [quick(), quick().with_memberlist_rules()] {
        let network = MemoryNetwork::new();
        let transport = network.transport(memory_address(2)).unwrap();
        let builder = Cluster::builder("node-2").config(config).join([memory_address(9)]);
        let node = builder.retry_interval(Duration::from_secs(3600)).start_on(transport).unwrap();
        let seed = in_memory(&network, 1);
        assert!(node.set_seeds(["not an address:x"]).is_err());
        node.set_seeds([memory_address(1)]).unwrap();
        assert!(node.joined().await);
        assert_eq!(node.members().len(), 2);
        node.stop().await;
        seed.stop().await;
    }
}

#[tokio::test]
async fn two_nodes_of_one_name_are_a_conflict() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let mut notices = nodes[0].notices();
    let transport = network.transport(memory_address(9)).unwrap();
    let twin = Cluster::builder("node-2").config(quick()).start_on(transport).unwrap();
    twin.join([memory_address(1)]).await;
    loop {
        let Some(Item::Item(notice)) = notices.next().await else { panic!("no notice") };
        if let Notice::Conflict { name, held, claimed } = notice {
            assert_eq!(&*name, "node-2");
            assert_eq!((held, claimed), (memory_address(2), memory_address(9)));
            break;
        }
    }
    twin.stop().await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_lost_way_is_an_accusation_that_helpers_prevent() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 4).await;
    network.cut(memory_address(1), memory_address(2));
    let before = nodes[0].stats().await.get("probes").unwrap();
    common::eventually_stats("many probes", 10, &nodes[0], |stats| {
        stats.get("probes").unwrap() > before + 9
    })
    .await;
    assert!(all_see_alive(&nodes, 4));
    network.mend(memory_address(1), memory_address(2));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn nodes_that_could_not_run_for_a_while_accuse_nobody_to_death() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 5).await;
    let mut watches: Vec<_> = nodes.iter().map(Cluster::watch).collect();
    // Ten probe intervals, and longer than any suspicion: nothing on this thread runs meanwhile.
    std::thread::sleep(Duration::from_secs(2));
    for node in &nodes {
        common::eventually_stats("it has noticed", 5, node, |stats| {
            stats.get("late_wakeups") >= Some(1)
                && stats.get("loop_lag_max_microseconds") > Some(1_000_000)
        })
        .await;
    }
    let before = nodes[0].stats().await.get("probes").unwrap();
    common::eventually_stats("probes go on", 10, &nodes[0], |stats| {
        stats.get("probes").unwrap() > before + 10
    })
    .await;
    assert!(all_see_alive(&nodes, 5));
    stop_all(&nodes).await;
    for watch in &mut watches {
        while let Some(update) = watch.next().await {
            if let Update::Diff(diff) = update {
                assert_ne!(diff.change, Change::Failed, "{diff:?}");
            }
        }
    }
}

#[tokio::test]
async fn versions_of_watches_are_those_of_the_node() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 3).await;
    nodes[0].set_tags([("a", "b")]).await.unwrap();
    let Some(Update::Snapshot(snapshot)) = nodes[0].watch().next().await else {
        panic!("no snapshot")
    };
    assert_eq!(nodes[0].stats().await.get("view_version"), Some(snapshot.version));
    stop_all(&nodes).await;
}

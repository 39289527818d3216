//! Whoever asks why a member is in its state gets the reason, with its grounds.

mod common;

use std::time::Duration;

use common::{cluster, eventually, in_memory, memory_address, quick, stop_all};
use mingle::transport::MemoryNetwork;
use mingle::{
    Cause, Change, Cluster, Config, Decided, Decision, DecisionKind, MemberChange, Sought, State,
    Via, Why,
};

fn changes(why: &Why) -> Vec<&MemberChange> {
    let timeline = why.timeline.iter();
    timeline
        .filter_map(|decision| match &decision.what {
            Decided::Member(change) => Some(change),
            Decided::Conflict { .. }
            | Decided::Refuted { .. }
            | Decided::Health { .. }
            | Decided::Late { .. }
            | Decided::Reconnect { .. }
            | Decided::LinkDegraded { .. }
            | Decided::LinkRestored { .. } => None,
        })
        .collect()
}

fn of_kind(decisions: &[Decision], kind: DecisionKind) -> Vec<&Decision> {
    decisions.iter().filter(|decision| decision.what.kind() == kind).collect()
}

#[tokio::test]
async fn of_a_killed_member_it_tells_who_suspected_it_on_what_ground_and_the_verdict() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 3).await;
    nodes[2].stop().await;
    let is_dead = |node: &Cluster| node.member("node-3").unwrap().state == State::Dead;
    eventually("both see it dead", 20, || nodes[..2].iter().all(is_dead)).await;

    let mut probed = 0;
    for node in &nodes[..2] {
        let why = node.why("node-3").unwrap();
        assert_eq!(why.member.as_ref().unwrap().state, State::Dead);
        assert!(why.dropped.is_none());
        let changes = changes(&why);
        let kinds: Vec<_> = changes.iter().map(|change| change.change).collect();
        assert_eq!(kinds, [Change::Joined, Change::Suspected, Change::Failed]);
        let [_, suspected, failed] = changes[..] else { panic!("{changes:?}") };
        match &suspected.evidence.cause {
            Cause::ProbeFailed(report) => {
                assert!(report.waited > Duration::ZERO);
                assert_eq!(suspected.evidence.via, Via::Own);
                probed += 1;
            }
            Cause::Accused { by } => assert!(["node-1", "node-2"].contains(&&**by)),
            other => panic!("{other:?}"),
        }
        match &failed.evidence.cause {
            Cause::SuspicionExpired { accusers, .. } => assert!(!accusers.is_empty()),
            Cause::Declared { by } => assert!(["node-1", "node-2"].contains(&&**by)),
            other => panic!("{other:?}"),
        }
        assert!(why.timeline.iter().all(|decision| decision.at <= why.now));
        assert!(why.timeline.is_sorted_by_key(|decision| decision.at));
    }
    assert!(probed > 0, "somebody has found it by a probe of its own");
    stop_all(&nodes).await;
    assert!(nodes[0].why("node-3").is_some(), "a stopped node still answers");
}

#[tokio::test]
async fn of_a_member_that_left_it_tells_the_goodbye() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    nodes[1].leave().await.unwrap();
    nodes[1].stop().await;
    eventually("it has left", 5, || nodes[0].member("node-2").unwrap().state == State::Left).await;
    let why = nodes[0].why("node-2").unwrap();
    let last = *changes(&why).last().unwrap();
    assert_eq!((last.change, &last.evidence.cause), (Change::Left, &Cause::Goodbye));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn of_nobody_it_tells_nothing_and_of_itself_what_happened_to_it() {
    let network = MemoryNetwork::new();
    let node = in_memory(&network, 1);
    assert!(node.why("nobody").is_none());
    assert!(node.why("").is_none());
    let why = node.why("node-1").unwrap();
    assert!(why.member.is_some() && why.timeline.is_empty() && why.ourselves.is_empty());

    // Longer than a probe interval: nothing on this thread runs meanwhile.
    let other = in_memory(&network, 2);
    assert!(other.join([memory_address(1)]).await.succeeded());
    std::thread::sleep(Duration::from_millis(600));
    let lateness = || of_kind(&node.why("node-1").unwrap().timeline, DecisionKind::Late).len();
    eventually("it knows that it was late", 5, || lateness() == 1).await;
    stop_all(&[node, other]).await;
}

#[tokio::test]
async fn ten_thousand_changes_are_bounded_and_leave_the_last_reason_of_everybody() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    for n in 0..10_000 {
        nodes[0].set_tags([("n", n.to_string())]).await.unwrap();
    }
    let recorded = nodes[0].recorder();
    assert!(recorded.len() <= 256, "{}", recorded.len());
    let of_member = |name: &str| {
        let is_it = |what: &Decided| matches!(what, Decided::Member(of) if &*of.name == name);
        nodes[0].recorder().iter().filter(|decision| is_it(&decision.what)).count()
    };
    assert_eq!(of_member("node-2"), 0);

    let why = nodes[0].why("node-2").unwrap();
    let [joined] = changes(&why)[..] else { panic!("{why:?}") };
    assert_eq!((joined.change, joined.state), (Change::Joined, State::Alive));
    let dropped = why.dropped.unwrap();
    assert!(dropped.count >= 10_000 - 256, "{dropped:?}");
    assert!(dropped.until <= recorded.last().unwrap().at);
    assert_eq!(nodes[0].stats().await.get("decisions_dropped"), Some(dropped.count));
    stop_all(&nodes).await;
}

#[tokio::test]
async fn attempts_in_vain_are_one_decision_and_belong_to_the_member_that_was_there() {
    let network = MemoryNetwork::new();
    let config = Config { reconnect_interval: Duration::from_millis(50), ..quick() };
    let start = |n: u8| {
        let transport = network.transport(memory_address(n)).unwrap();
        let builder = Cluster::builder(format!("node-{n}")).config(config.clone());
        builder.start_on(transport).unwrap()
    };
    let nodes = [start(1), start(2)];
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    nodes[1].stop().await;
    let attempts = || {
        let timeline = nodes[0].why("node-2").unwrap().timeline;
        let of_it = of_kind(&timeline, DecisionKind::Reconnect);
        assert!(of_it.len() <= 1, "{of_it:?}");
        of_it.first().map_or(0, |decision| decision.times)
    };
    eventually("it was called in vain", 20, || attempts() >= 3).await;
    let timeline = nodes[0].why("node-2").unwrap().timeline;
    let [attempt] = of_kind(&timeline, DecisionKind::Reconnect)[..] else { panic!("one") };
    assert!(attempt.first < attempt.at);
    let Decided::Reconnect { to, sought, error } = &attempt.what else { panic!("{attempt:?}") };
    assert_eq!((*to, *sought), (memory_address(2), Sought::Failed));
    assert!(error.is_some());
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_name_in_conflict_says_who_claims_it() {
    let network = MemoryNetwork::new();
    let nodes = cluster(&network, 2).await;
    let transport = network.transport(memory_address(9)).unwrap();
    let twin = Cluster::builder("node-2").config(quick()).start_on(transport).unwrap();
    twin.join([memory_address(1)]).await;
    let conflicts = || {
        let timeline = nodes[0].why("node-2").unwrap().timeline;
        of_kind(&timeline, DecisionKind::Conflict).into_iter().cloned().collect::<Vec<_>>()
    };
    eventually("the conflict is known", 10, || !conflicts().is_empty()).await;
    let Decided::Conflict { name, .. } = &conflicts()[0].what else { panic!("no conflict") };
    assert_eq!(&**name, "node-2");
    twin.stop().await;
    stop_all(&nodes).await;
}

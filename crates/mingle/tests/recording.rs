//! What a node takes in is recorded, and replays.
#![expect(clippy::unwrap_used, reason = "a test that can not set up its scene has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{
    all_see_alive, eventually, eventually_stats, memory_address, quick, states, stop_all,
};
use mingle::transport::MemoryNetwork;
use mingle::{Cluster, StartError, State};
use mingle_proto::{Advance, Begin, End, Ending, Event, Segment};

const BYTES: u64 = 1 << 20;

fn recorded(network: &MemoryNetwork, n: u8, folder: &Path) -> Cluster {
    let transport = network.transport(memory_address(n)).unwrap();
    let builder = Cluster::builder(format!("node-{n}")).config(quick());
    builder.record(folder, BYTES).start_on(transport).unwrap()
}

async fn two(network: &MemoryNetwork, folder: &Path) -> [Cluster; 2] {
    let nodes = [recorded(network, 1, folder), common::in_memory(network, 2)];
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    eventually("both see both", 10, || all_see_alive(&nodes, 2)).await;
    nodes
}

/// The recordings of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Replays a segment; gives its events, how it ends, and the checkpoint there.
fn replay(bytes: &[u8]) -> (Vec<Event>, Ending, Vec<u8>) {
    let mut replay = Segment::read(bytes).unwrap().replay().unwrap();
    let mut events = Vec::new();
    loop {
        match replay.advance().unwrap() {
            Advance::Step(step) => {
                events.extend(step.outputs.into_iter().filter_map(|(output, _)| match output {
                    mingle_proto::Output::Event(event) => Some(event),
                    _ => None,
                }));
            }
            Advance::Ended(ending) => return (events, ending, replay.node().checkpoint()),
        }
    }
}

#[tokio::test]
async fn a_death_is_recorded_with_its_evidence() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("made/here");
    let network = MemoryNetwork::new();
    let [node, other] = two(&network, &folder).await;
    other.stop().await;
    eventually("it is dead", 20, || states(&node).get("node-2") == Some(&State::Dead)).await;
    node.stop().await;

    let files = files(&folder);
    let [file] = files.as_slice() else { panic!("{} files", files.len()) };
    let (events, ending, _) = replay(file);
    assert_eq!(ending, Ending::Whole(End::Stopped));
    let changes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Member { change, member, evidence } => {
                Some(format!("{} {}: {}", change.as_str(), member.name(), evidence.cause))
            }
            _ => None,
        })
        .collect();
    let [joined, suspected, failed] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(joined, "joined node-2: it said so itself");
    assert!(suspected.starts_with("suspected node-2: no answer within"), "{suspected}");
    assert!(failed.starts_with("failed node-2: not heard of for"), "{failed}");
}

#[tokio::test]
async fn a_long_recording_keeps_to_its_bound_and_replays_from_its_oldest_file() {
    let folder = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new();
    let nodes = two(&network, folder.path()).await;
    for _ in 0..1500 {
        nodes[1].send("node-1", vec![7; 1000]).await.unwrap();
    }
    stop_all(&nodes).await;

    let files = files(folder.path());
    let bytes: usize = files.iter().map(Vec::len).sum();
    assert!(bytes <= 1 << 20, "{bytes}");
    assert!(files.len() >= 6, "{}", files.len());
    let mut before: Option<Vec<u8>> = None;
    let last = files.len() - 1;
    for (place, file) in files.iter().enumerate() {
        let segment = Segment::read(file).unwrap();
        assert_eq!(segment.origin().begin, Begin::Continued, "the first file has gone");
        assert!(before.is_none_or(|before| before == segment.checkpoint()));
        let (_, ending, checkpoint) = replay(file);
        let end = if place == last { End::Stopped } else { End::Continued };
        assert_eq!(ending, Ending::Whole(end));
        before = Some(checkpoint);
    }
}

#[tokio::test]
async fn a_node_outlives_the_place_for_its_recordings() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("recordings");
    let network = MemoryNetwork::new();
    let nodes = two(&network, &folder).await;
    fs::remove_dir_all(&folder).unwrap();
    for _ in 0..300 {
        nodes[1].send("node-1", vec![7; 1000]).await.unwrap();
    }
    eventually_stats("the recording has stopped", 10, &nodes[0], |stats| {
        stats.get("recordings_stopped") == Some(1)
    })
    .await;
    assert!(nodes[1].join([memory_address(1)]).await.succeeded(), "the node goes on");
    stop_all(&nodes).await;
}

#[tokio::test]
async fn a_message_too_large_for_a_recording_leaves_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new();
    let nodes = two(&network, folder.path()).await;
    nodes[1].set_user_state(vec![7; 500_000]).await.unwrap();
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    eventually_stats("the gap is counted", 10, &nodes[0], |stats| {
        stats.get("recording_gaps") == Some(1)
    })
    .await;
    nodes[1].set_user_state(Vec::new()).await.unwrap();
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    stop_all(&nodes).await;
    let files = files(folder.path());
    let [first, second] = files.as_slice() else { panic!("{} files", files.len()) };
    assert!(matches!(replay(first).1, Ending::Cut { .. }));
    assert_eq!(Segment::read(second).unwrap().origin().begin, Begin::Gap);
    assert_eq!(replay(second).1, Ending::Whole(End::Stopped));
}

#[tokio::test]
async fn what_can_not_be_recorded_into_is_found_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let start = |folder: &Path, bytes| {
        let builder = Cluster::builder("a").bind("127.0.0.1:0").record(folder, bytes);
        async move { builder.start().await.unwrap_err() }
    };
    let refused = start(&file, BYTES).await;
    assert!(matches!(&refused, StartError::Record { folder, .. } if *folder == file));
    let low = start(place.path(), 1000).await;
    assert_eq!(low, StartError::RecordSize { bytes: 1000, low: BYTES });
}

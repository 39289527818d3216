//! A node keeps who it is, and whom it knew, over restarts.
#![expect(clippy::unwrap_used, reason = "a test that can not set up its scene has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{
    all_see_alive, eventually, eventually_stats, memory_address, quick, states, stop_all,
};
use mingle::transport::MemoryNetwork;
use mingle::{Builder, Cluster, Incarnation, StartError, State};

/// Far above what any clock gives.
fn high() -> Incarnation {
    Incarnation::new(3_000_000_000).unwrap()
}

fn builder(name: &str, folder: &Path) -> Builder {
    Cluster::builder(name).config(quick()).retry_interval(quick().probe_interval).state(folder)
}

/// Starts a node of a network of its own.
fn alone(builder: Builder) -> Result<Cluster, StartError> {
    builder.start_on(MemoryNetwork::new().transport(memory_address(1)).unwrap())
}

/// Starts `node-N` with the state that it has in a folder of its own.
fn kept(network: &MemoryNetwork, n: u8, place: &Path) -> Cluster {
    let transport = network.transport(memory_address(n)).unwrap();
    let name = format!("node-{n}");
    builder(&name, &place.join(&name)).start_on(transport).unwrap()
}

fn all_kept(network: &MemoryNetwork, place: &Path) -> Vec<Cluster> {
    (1..=5).map(|n| kept(network, n, place)).collect()
}

/// Runs a node that has state in the folder by the end.
async fn leave_state(builder: Builder) -> PathBuf {
    let node = alone(builder).unwrap();
    let file = node.state_file().unwrap().path;
    node.stop().await;
    file
}

#[tokio::test]
async fn a_restart_begins_above_the_last_incarnation_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    leave_state(builder("a", folder.path()).incarnation(high())).await;
    for restart in 1..=2 {
        let node = alone(builder("a", folder.path())).unwrap();
        assert_eq!(node.local().incarnation.get(), high().get() + restart);
        node.stop().await;
    }
    let given = Incarnation::new(7).unwrap();
    let node = alone(builder("a", folder.path()).incarnation(given)).unwrap();
    assert_eq!(node.local().incarnation, given, "who gives one knows better");
    node.stop().await;
}

#[tokio::test]
async fn a_raised_incarnation_is_written_while_the_node_runs() {
    let place = tempfile::tempdir().unwrap();
    let [folder, copy] = ["a", "copy"].map(|name| place.path().join(name));
    let node = alone(builder("a", &folder).incarnation(high())).unwrap();
    node.set_tags([("role", "web")]).await.unwrap();
    let raised = node.local().incarnation;
    assert!(raised > high());
    eventually_stats("it is written", 10, &node, |stats| stats.get("state_file_writes") >= Some(2))
        .await;
    let file = node.state_file().unwrap();
    assert_eq!(file.bytes, fs::metadata(&file.path).unwrap().len());
    // What a node that is killed now leaves.
    fs::create_dir(&copy).unwrap();
    fs::copy(&file.path, copy.join(file.path.file_name().unwrap())).unwrap();
    let restarted = alone(builder("a", &copy)).unwrap();
    assert_eq!(restarted.local().incarnation, raised.next());
    stop_all(&[node, restarted]).await;
}

#[tokio::test]
async fn a_generated_name_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let unnamed = || Cluster::builder_unnamed().config(quick()).state(folder.path());
    let node = alone(unnamed()).unwrap();
    let name = node.name().to_owned();
    node.stop().await;
    let node = alone(unnamed()).unwrap();
    assert_eq!(node.name(), name);
    node.stop().await;
}

#[tokio::test]
async fn nodes_that_were_stopped_together_find_each_other_without_seeds() {
    let place = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new();
    let nodes = all_kept(&network, place.path());
    for node in &nodes[1..] {
        assert!(node.join([memory_address(1)]).await.succeeded());
    }
    eventually("all see all", 20, || all_see_alive(&nodes, 5)).await;
    stop_all(&nodes).await;

    let nodes = all_kept(&network, place.path());
    eventually("all see all after a crash of all", 40, || all_see_alive(&nodes, 5)).await;
    assert!(nodes[0].joined().await);
    for node in &nodes {
        node.leave().await.unwrap();
    }
    stop_all(&nodes).await;

    let nodes = all_kept(&network, place.path());
    eventually("all see all after all have left", 40, || all_see_alive(&nodes, 5)).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn who_is_not_found_again_is_not_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new();
    let nodes = [kept(&network, 1, place.path()), kept(&network, 2, place.path())];
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    eventually("both see both", 20, || all_see_alive(&nodes, 2)).await;
    stop_all(&nodes).await;

    let lonely = kept(&network, 1, place.path());
    eventually_stats("it calls in vain", 20, &lonely, |stats| stats.get("dials_failed") >= Some(2))
        .await;
    lonely.set_tags([("role", "web")]).await.unwrap();
    eventually_stats("it writes", 10, &lonely, |stats| stats.get("state_file_writes") >= Some(2))
        .await;
    lonely.stop().await;

    let mut nodes = vec![kept(&network, 1, place.path())];
    // Whoever comes back knows nothing, and calls nobody.
    nodes.push(common::in_memory(&network, 2));
    eventually("both see both again", 20, || all_see_alive(&nodes, 2)).await;
    stop_all(&nodes).await;
}

#[tokio::test]
async fn who_has_left_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new();
    let nodes = [kept(&network, 1, place.path()), kept(&network, 2, place.path())];
    assert!(nodes[1].join([memory_address(1)]).await.succeeded());
    eventually("both see both", 20, || all_see_alive(&nodes, 2)).await;
    let both = nodes[0].state_file().unwrap().path;
    nodes[1].leave().await.unwrap();
    eventually("it has left", 20, || states(&nodes[0]).get("node-2") == Some(&State::Left)).await;
    stop_all(&nodes).await;
    let content = fs::read(&both).unwrap();
    assert!(!content.windows(6).any(|part| part == b"node-2"), "{content:?}");
}

#[tokio::test]
async fn damaged_files_are_set_aside_and_at_the_bound_the_start_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = leave_state(builder("a", folder.path()).incarnation(high())).await;
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let damaged = [&whole[..whole.len() - 1], &flipped, b"", &whole[..9], b"hello"];
    let aside = |n: usize| file.with_file_name(format!("a.state.damaged-{n}"));
    for n in 1..=9 {
        let content = damaged[n % damaged.len()];
        fs::write(&file, content).unwrap();
        let node = alone(builder("a", folder.path())).unwrap();
        assert!(node.local().incarnation < high(), "it begins without the file");
        node.stop().await;
        assert_eq!(fs::read(aside(n)).unwrap(), content);
    }
    fs::write(&file, "once more").unwrap();
    let refused = alone(builder("a", folder.path())).unwrap_err();
    assert_eq!(refused, StartError::StateDamaged { file: file.clone(), aside: 9 });
    assert_eq!(fs::read(&file).unwrap(), b"once more");
    fs::remove_file(aside(3)).unwrap();
    leave_state(builder("a", folder.path())).await;
    assert_eq!(fs::read(aside(3)).unwrap(), b"once more");
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = leave_state(builder("a", folder.path())).await;
    let rest = [9, 1, 2, 3];
    let later = [b"MGLSTATE", &crc32fast::hash(&rest).to_le_bytes()[..], &rest].concat();
    fs::write(&file, &later).unwrap();
    let refused = alone(builder("a", folder.path())).unwrap_err();
    assert_eq!(refused, StartError::StateVersion { file: file.clone(), version: 9, known: 1 });
    assert!(refused.to_string().contains("has version 9"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), later);
}

#[tokio::test]
async fn the_state_of_another_node_or_cluster_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = leave_state(builder("a/b", folder.path()).label("blue")).await;
    let content = fs::read(&file).unwrap();
    // The second has the same file name.
    for given in ["c", "a_b"] {
        let refused = alone(builder(given, folder.path()).label("blue")).unwrap_err();
        let (file, held) = (file.clone(), "a/b".to_owned());
        assert_eq!(refused, StartError::StateOfOtherName { file, held, given: given.to_owned() });
    }
    let refused = alone(builder("a/b", folder.path()).label("green")).unwrap_err();
    let [held, given] = ["blue", "green"].map(str::to_owned);
    assert_eq!(refused, StartError::StateOfOtherLabel { file: file.clone(), held, given });
    assert_eq!(fs::read(&file).unwrap(), content);
}

#[tokio::test]
async fn a_folder_has_one_node_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let node = alone(builder("a", folder.path())).unwrap();
    let refused = alone(builder("a", folder.path())).unwrap_err();
    assert_eq!(refused, StartError::StateInUse { folder: folder.path().to_owned() });
    node.stop().await;
    leave_state(builder("a", folder.path())).await;
}

#[tokio::test]
async fn what_no_state_can_be_kept_in_is_found_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = alone(builder("a", &file)).unwrap_err();
    assert!(matches!(&refused, StartError::State { folder, .. } if *folder == file), "{refused}");
    // Something that is no file stands where the file is written first.
    let blocked = place.path().join("blocked");
    fs::create_dir_all(blocked.join("draft.tmp/in")).unwrap();
    let refused = alone(builder("a", &blocked)).unwrap_err();
    assert!(matches!(&refused, StartError::State { folder, .. } if *folder == blocked));
}

#[tokio::test]
async fn a_node_outlives_its_folder_and_writes_again_when_it_is_back() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let node = alone(builder("a", &folder).incarnation(high())).unwrap();
    assert_eq!(node.state_file().unwrap().error, None);
    fs::remove_dir_all(&folder).unwrap();
    node.set_tags([("role", "web")]).await.unwrap();
    eventually_stats("the error is counted", 10, &node, |stats| {
        stats.get("state_file_errors") >= Some(1)
    })
    .await;
    assert_eq!(node.state_file().unwrap().error, Some(std::io::ErrorKind::NotFound));
    assert_eq!(node.stats().await.get("state_file_failing"), Some(1));
    fs::create_dir(&folder).unwrap();
    eventually("it is written again", 20, || node.state_file().unwrap().error.is_none()).await;
    assert_eq!(node.stats().await.get("state_file_failing"), Some(0));
    let refused = alone(builder("a", &folder)).unwrap_err();
    assert_eq!(refused, StartError::StateInUse { folder: folder.clone() }, "it is locked again");
    let last = node.local().incarnation;
    node.stop().await;
    let node = alone(builder("a", &folder)).unwrap();
    assert_eq!(node.local().incarnation, last.next());
    node.stop().await;
}

#[tokio::test]
async fn a_file_that_can_not_be_replaced_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let node = alone(builder("a", folder.path()).incarnation(high())).unwrap();
    let file = node.state_file().unwrap().path;
    let content = fs::read(&file).unwrap();
    let draft = folder.path().join("draft.tmp");
    fs::create_dir_all(draft.join("in")).unwrap();
    node.set_tags([("role", "web")]).await.unwrap();
    eventually_stats("the error is counted", 10, &node, |stats| {
        stats.get("state_file_errors") >= Some(1)
    })
    .await;
    assert_eq!(fs::read(&file).unwrap(), content);
    fs::remove_dir_all(&draft).unwrap();
    let last = node.local().incarnation;
    node.stop().await;
    assert_ne!(fs::read(&file).unwrap(), content, "the last write comes with the stop");
    let node = alone(builder("a", folder.path())).unwrap();
    assert_eq!(node.local().incarnation, last.next());
    node.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("made/here");
    let file = leave_state(builder("a", &folder)).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    assert_eq!(file, folder.join("a.state"));
}

//! Agents that are started again.

use std::path::Path;

use serde_json::Value;

use crate::process::{Agent, run_refused, wait};

/// Starts an agent that keeps its state.
fn start(name: &str, folder: &Path, more: &[&str]) -> Agent {
    Agent::start(name, &[&["--state", folder.to_str().unwrap()], more].concat())
}

fn itself(agent: &Agent) -> Value {
    serde_json::from_str(&agent.ask(&["info", "--json"])).unwrap()
}

/// Checks that an agent does not start with this folder and ends with this code, and gives the reason.
fn refused(code: i32, name: &str, folder: &Path, more: &[&str]) -> String {
    let places = ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error"];
    let state = ["agent", "--name", name, "--state", folder.to_str().unwrap()];
    run_refused(&[&state, &places[..], more].concat(), code)
}

#[test]
fn an_agent_that_was_killed_comes_back_above_its_former_self_and_finds_the_others_without_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let a = Agent::start("a", &[]);
    let mut b = start("b", folder.path(), &["--join", &a.gossip()]);
    b.wait_for_log("keeping the incarnation and the members over restarts");
    let before = itself(&b)["incarnation"].as_u64().unwrap();
    let written = |agent: &Agent| {
        let metrics = agent.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
        let line = "mingle_state_file_writes_total ";
        let count = metrics.lines().find_map(|other| other.strip_prefix(line));
        count.unwrap_or_else(|| panic!("{metrics}")).parse::<u64>().unwrap()
    };
    wait("the file has a", || written(&b) >= 2);
    b.kill();
    // Elsewhere, where nobody looks for it.
    let b = start("b", folder.path(), &[]);
    b.wait_for_log("views exchanged with one that was missing");
    b.wait_for_state("a", "alive");
    a.wait_for_state("b", "alive");
    assert!(itself(&b)["incarnation"].as_u64() > Some(before));
}

#[test]
fn the_state_file_is_shown_where_an_operator_looks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.state");
    let path = path.to_str().unwrap();
    let a = start("a", folder.path(), &[]);
    assert_eq!(a.ready["state_file"], path);
    let shown = &itself(&a)["state_file"];
    assert_eq!(shown["path"], path);
    assert_eq!(shown["bytes"].as_u64(), Some(std::fs::metadata(path).unwrap().len()));
    assert!(shown["age_seconds"].is_u64() && shown["error"].is_null(), "{shown}");
    let info = a.ask(&["info"]);
    let line = format!("state file  {path}, ");
    assert!(info.lines().any(|other| other.starts_with(&line)), "{info}");
    let metrics = a.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
    for name in ["mingle_state_file_bytes", "mingle_state_file_age_seconds"] {
        assert!(metrics.contains(&format!("\n{name} ")), "{metrics}");
    }

    let without = Agent::start("b", &[]);
    assert!(without.ready["state_file"].is_null() && itself(&without)["state_file"].is_null());
}

#[test]
fn a_folder_that_is_lost_is_warned_about() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let a = start("a", &folder, &[]);
    std::fs::remove_dir_all(&folder).unwrap();
    let b = Agent::start("b", &["--join", &a.gossip()]);
    let line = a.wait_for_log("the state file can't be written");
    assert!(line.contains("the node goes on and tries again"), "{line}");
    wait("it is a warning", || itself(&a)["warnings"].as_array().unwrap().len() == 1);
    assert_eq!(a.state_of("b").as_deref(), Some("alive"));
    std::fs::create_dir(&folder).unwrap();
    a.wait_for_log("the state file is written again");
    wait("it is none any more", || itself(&a)["warnings"].as_array().unwrap().is_empty());
    drop(b);
}

#[test]
fn a_damaged_state_file_is_set_aside_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.state"), "not a state").unwrap();
    let a = start("a", folder.path(), &[]);
    let line = a.wait_for_log("the state file is damaged");
    assert!(line.contains("a.state.damaged-1"), "{line}");
    let aside = std::fs::read(folder.path().join("a.state.damaged-1")).unwrap();
    assert_eq!(aside, b"not a state");
}

#[test]
fn a_state_that_is_not_this_agents_is_an_error_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let mut b = start("b", &folder, &["--label", "blue"]);
    let said = refused(1, "a", &folder, &[]);
    assert!(said.contains("is in use by another node") && said.contains("of its own"), "{said}");
    b.ask(&["leave"]);
    b.exit_code();
    let said = refused(2, "a", &folder, &["--label", "blue"]);
    assert!(said.contains("named \"b\", and this one is \"a\""), "{said}");
    let said = refused(2, "b", &folder, &["--label", "green"]);
    assert!(said.contains("\"blue\"") && said.contains("\"green\""), "{said}");
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = refused(2, "a", &file, &[]);
    assert!(said.contains("can't keep state in") && said.contains("may write"), "{said}");
}

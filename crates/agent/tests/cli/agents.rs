//! Agents that meet, die and leave.

use serde_json::Value;

use crate::process::{Agent, run, run_fine, run_refused, sentence, wait, write_secret};

#[test]
fn three_agents_agree_and_see_one_of_them_die() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", &a.gossip(), "--tag", "role=web"]);
    let mut c = Agent::start("c", &["--join", &a.gossip()]);
    for agent in [&a, &b, &c] {
        for name in ["a", "b", "c"] {
            agent.wait_for_state(name, "alive");
        }
    }
    wait("they have one fingerprint", || {
        let print = |agent: &Agent| {
            let view: Value = serde_json::from_str(&agent.ask(&["info", "--json"])).unwrap();
            view["view"]["fingerprint"].as_str().unwrap().to_owned()
        };
        print(&a) == print(&b) && print(&b) == print(&c)
    });
    c.kill();
    for agent in [&a, &b] {
        agent.wait_for_state("c", "dead");
        assert_eq!(agent.state_of("b").as_deref(), Some("alive"));
    }
}

#[test]
fn leave_is_seen_as_left_and_ends_the_agent() {
    let a = Agent::start("a", &[]);
    let mut b = Agent::start("b", &["--join", &a.gossip()]);
    let answer: Value = serde_json::from_str(&b.ask(&["leave", "--json"])).unwrap();
    assert_eq!(answer["left"], true, "{answer}");
    assert_eq!(answer["confirmed"], serde_json::json!(["a"]), "{answer}");
    assert_eq!(b.exit_code(), Some(0));
    a.wait_for_state("b", "left");
    let http = b.http.clone();
    run_refused(&["leave", "--http", &http], 3);
}

#[cfg(unix)]
#[test]
fn sigint_and_sigterm_leave() {
    let a = Agent::start("a", &[]);
    for (name, signal) in [("b", "-TERM"), ("c", "-INT")] {
        let mut agent = Agent::start(name, &["--join", &a.gossip()]);
        agent.signal(signal);
        assert_eq!(agent.exit_code(), Some(0), "{signal}");
        a.wait_for_state(name, "left");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once() {
    let a = Agent::start_as("a", "wan", &[]);
    let mut b = Agent::start_as("b", "wan", &["--join", &a.gossip()]);
    // Nobody is there to confirm the goodbye.
    a.signal("-STOP");
    b.signal("-TERM");
    b.wait_for_log("leaving");
    b.signal("-INT");
    assert_eq!(b.exit_code(), Some(130));
    a.signal("-CONT");
}

#[test]
fn join_says_what_happened_at_each_address() {
    let (a, b) = (Agent::start("a", &[]), Agent::start("b", &[]));
    let text = b.ask(&["join", &a.gossip(), "127.0.0.1:1"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0], format!("{}: joined, 1 live member there", a.gossip()));
    assert!(lines[1].starts_with("127.0.0.1:1: can't reach it"), "{text}");
    a.wait_for_state("b", "alive");

    let http = b.http.clone();
    let args = ["join", "127.0.0.1:1", "--json", "--http", &http];
    let output = run(&args);
    sentence(&args, &output, 1);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["joined"], false);
    assert!(answer["attempts"][0]["error"].is_string(), "{answer}");
}

#[test]
fn a_join_at_the_start_needs_one_address_that_answers() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", "127.0.0.1:1", "--join", &a.gossip()]);
    b.wait_for_log("some addresses were not joined");
    a.wait_for_state("b", "alive");

    let places = ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error"];
    let args = [&["agent", "--join", "127.0.0.1:1"], &places[..]].concat();
    let output = run(&args);
    let sentence = sentence(&args, &output, 1);
    assert!(sentence.contains("127.0.0.1:1") && sentence.contains("--retry-join"), "{sentence}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_retried_join_does_not_hold_up_the_start() {
    let a = Agent::start("a", &["--retry-join", "127.0.0.1:1"]);
    let line = a.wait_for_log("nobody could be joined yet");
    assert!(line.contains("can't reach it"), "{line}");
    let b = Agent::start("b", &["--retry-join", &a.gossip()]);
    b.wait_for_state("a", "alive");
}

#[test]
fn agents_without_the_key_stay_outside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (old, new) = (run_fine(&["keygen"]), run_fine(&["keygen"]));
    let (old, new) = (old.trim(), new.trim());
    assert_ne!(old, new);
    write_secret(&file, &format!("[\"{new}\", \"{old}\"]"));

    let a = Agent::start("a", &["--keyring-file", file.to_str().unwrap()]);
    assert_eq!(a.ready["encrypted"], true);
    let b = Agent::start("b", &["--keyring-file", file.to_str().unwrap(), "--join", &a.gossip()]);
    b.wait_for_state("a", "alive");
    let places = ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error"];
    run_refused(&[&["agent", "--name", "c", "--join", &a.gossip()], &places[..]].concat(), 1);
    assert_eq!(a.state_of("c"), None);
    assert!(!a.ask(&["info", "--json"]).contains(new));
}

#[test]
fn gossip_that_is_open_and_not_encrypted_is_warned_about_everywhere() {
    let a = Agent::start("a", &["--bind", "0.0.0.0:0", "--advertise", "127.0.0.1"]);
    a.wait_for_log("is not encrypted");
    assert_eq!(a.ready["warnings"].as_array().unwrap().len(), 1);
    let info = a.ask(&["info"]);
    assert!(info.lines().any(|line| line.starts_with("warning") && line.contains("--encrypt")));
    let metrics = a.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
    for line in ["mingle_insecure 1", "mingle_warnings 1"] {
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
    }

    let b = Agent::start("b", &[]);
    let metrics = b.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
    assert!(metrics.lines().any(|line| line == "mingle_insecure 0"), "{metrics}");
    assert!(!b.ask(&["info"]).contains("warning"));
}

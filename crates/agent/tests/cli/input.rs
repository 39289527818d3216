//! Input that can't work: one sentence, the exit code, and nothing left.

use std::net::{TcpListener, UdpSocket};

use crate::process::{Agent, free, run, run_fine, run_refused, set_mode, wait, write_secret};

/// Checks that an agent with these arguments does not start and never will, says a sentence with this
/// in it, and leaves both addresses free.
fn refused(args: &[&str], expected: &str) {
    refused_with(2, args, expected);
}

/// The same of an agent that could start another time.
fn refused_now(args: &[&str], expected: &str) {
    refused_with(1, args, expected);
}

fn refused_with(code: i32, args: &[&str], expected: &str) {
    let [bind, http] = free();
    let (bind_text, http_text) = (bind.to_string(), http.to_string());
    let mut all = vec!["agent"];
    all.extend(args);
    for (flag, address) in [("--bind", &bind_text), ("--http", &http_text)] {
        if !args.contains(&flag) {
            all.extend([flag, address]);
        }
    }
    let sentence = run_refused(&all, code);
    assert!(sentence.contains(expected), "{args:?}: {sentence}");
    for address in [bind, http] {
        TcpListener::bind(address).expect("nobody listens");
    }
    UdpSocket::bind(bind).expect("nobody receives");
}

#[test]
fn names_are_bounded_and_printable() {
    refused(&["--name", &"n".repeat(1000)], "has 1000 bytes; use at most 255");
    refused(&["--name", "a\u{1b}[2J"], "use printable characters");
    refused(&["--name", ""], "is empty");
}

#[test]
fn keys_are_refused_without_being_repeated() {
    let fifteen = "AAAAAAAAAAAAAAAAAAAA";
    refused(&["--encrypt", fifteen], "has 15 bytes instead of 16, 24 or 32");
    refused(&["--encrypt", "no key"], "mingle keygen");
    assert!(!run_refused(&["agent", "--encrypt", fifteen], 2).contains(fifteen));
}

#[test]
fn keyring_files_are_refused_with_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let path = file.to_str().unwrap();
    refused(&["--keyring-file", path], "can't be read: there is no such file");
    run_fine(&["keygen", "--keyring-file", path]);
    let again = run_refused(&["keygen", "--keyring-file", path], 2);
    assert!(again.contains("is there already"), "{again}");
    set_mode(&file, 0o644);
    refused(&["--keyring-file", path], "can be read by everybody");
    write_secret(&file, "[\"AAAAAAAAAAAAAAAAAAAAAA==\", \"AAAA\"]");
    refused(&["--keyring-file", path], "entry 2 that has 3 bytes");
    write_secret(&file, "{}");
    refused(&["--keyring-file", path], "JSON array");
}

#[test]
fn timing_that_can_not_work_is_told_with_what_can() {
    let above = ["--probe-interval", "100ms", "--probe-timeout", "200ms"];
    refused(&above, "probe_timeout 200ms is above probe_interval 100ms; set it below");
    refused(&["--probe-interval", "100ms"], "probe_timeout 500ms is above probe_interval 100ms");
    refused(&["--gossip-interval", "0s"], "gossip_interval");
    refused(&["--suspicion-mult", "0"], "suspicion_mult is 0; set it between 1 and 100");
}

#[test]
fn labels_and_tags_are_bounded() {
    refused(&["--label", &"l".repeat(300)], "has 300 bytes; use at most 255");
    refused(&["--tag", &format!("t={}", "x".repeat(600))], "at most 512 fit");
    refused(&["--tag", "role"], "--tag role=web");
    refused(&["--tag", "a=1", "--tag", "a=2"], "given twice");
    refused(&["--meta", "00"], "--delegate none");
    refused(&["--delegate", "none", "--tag", "a=1"], "--meta");
    refused(&["--delegate", "none", "--meta", "0"], "two digits");
    refused(&["--delegate", "none", "--meta", &"00".repeat(513)], "at most 512 fit");
}

#[test]
fn addresses_that_are_taken_come_with_another_one() {
    let a = Agent::start("a", &[]);
    refused_now(&["--bind", &a.gossip()], "choose another port, as --bind 127.0.0.1:");
    refused_now(&["--http", &a.http], "choose another port, as --http 127.0.0.1:");
}

#[test]
fn addresses_that_are_none_are_refused() {
    refused(&["--bind", "localhost:7946"], "0.0.0.0:7946");
    refused_now(&["--bind", "192.0.2.1:7946"], "bind an address of this machine");
    refused(&["--advertise", "example.org"], "10.0.0.1:7946");
    refused(&["--advertise", "0.0.0.0:7946"], "give a specific IP");
    refused(&["--http", "0.0.0.0:8080"], "use --http 127.0.0.1:8080");
    refused(&["--http", "example.org:80"], "write an IP and a port");
    run_refused(&["members", "--http", "10.0.0.1:7374"], 2);
}

#[test]
fn a_join_that_does_not_resolve_starts_nothing() {
    let a = Agent::start("a", &[]);
    let gossip = a.gossip();
    refused_now(&["--name", "b", "--join", "nosuch.invalid"], "nosuch.invalid");
    refused(&["--name", "b", "--join", &gossip, "--join", "host:port:x"], "no address of a member");
    refused(&["--name", "b", "--retry-join", ""], "no address of a member");
    assert_eq!(a.state_of("b"), None);
    // One that answers is enough.
    let c = Agent::start("c", &["--join", "nosuch.invalid", "--join", &gossip]);
    assert!(c.wait_for_log("some addresses were not joined").contains("nosuch.invalid"));
    a.wait_for_state("c", "alive");
}

#[test]
fn a_name_that_somebody_has_is_told_and_taken_from_nobody() {
    let a = Agent::start("a", &[]);
    let gossip = a.gossip();
    refused_now(
        &["--name", "a", "--log-level", "error", "--join", &gossip],
        "is named \"a\" too; give one of the two",
    );
    let b = Agent::start("b", &["--join", &gossip]);
    let mut other = Agent::start("b", &["--join", &gossip]);
    wait("both are warned", || {
        let is_warned = |agent: &Agent| agent.ask(&["info"]).contains("has the name of this agent");
        is_warned(&b) && is_warned(&other)
    });
    other.signal("-TERM");
    assert!(other.wait_for_log("no goodbye was").contains("for its sake"));
    assert_eq!(other.exit_code(), Some(0));
    assert!(!a.ask(&["why", "b"]).contains("left: "));
    assert_eq!(a.state_of("b").as_deref(), Some("alive"));
}

#[test]
fn wrong_usage_ends_with_2() {
    let key = "AAAAAAAAAAAAAAAAAAAAAA==";
    let table: [&[&str]; 6] = [
        &[],
        &["nothing"],
        &["agent", "--profile", "moon"],
        &["agent", "--encrypt", key, "--keyring-file", "keys.json"],
        &["join"],
        &["members", "--state", "asleep"],
    ];
    for args in table {
        let output = run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        assert!(!stderr.contains(key), "{args:?}: {stderr}");
    }
}

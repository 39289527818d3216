//! The examples run, and say what they should.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where cargo has put an example. A test that is run alone builds it first.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = target.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "mingle", "--example", name]);
        assert!(cargo.status().unwrap().success(), "the example {name} builds");
    }
    path
}

fn output(name: &str) -> String {
    let output = Command::new(path(name)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn basic_runs_to_its_end() {
    assert!(!output("basic").is_empty());
}

#[test]
fn embedding_shows_each_thing_once() {
    let text = output("embedding");
    for expected in [
        " members are known",
        "\"web-2\" joined: it said so itself",
        "5 bytes from 127.0.0.1:",
        "the health score of web-1 is Some(0)",
        "as it should be: the state folder",
        "goodbye, as web-1 heard",
        "\"web-2\": left: it said goodbye",
    ] {
        assert!(text.contains(expected), "{expected:?} is not there: {text}");
    }
}

#[test]
fn encrypted_runs_to_its_end() {
    assert!(!output("encrypted").is_empty());
}

#[test]
fn events_tells_what_happens_until_it_is_stopped() {
    let mut child =
        Command::new(path("events")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!line.is_empty(), "it says something at once");
}

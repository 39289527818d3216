//! Every crowd answers every command, with five nodes on real sockets.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A crowd in a process of its own.
struct Crowd {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Crowd {
    /// Crowds of tests run at once, and each has a network of its own.
    fn start(system: &str, network: u8) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_crowd"))
            .args(["--system", system, "--network", &network.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the crowd starts");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { commands: process.stdin.take(), process, answers }
    }

    /// Says a line and gives the answer.
    #[expect(clippy::needless_pass_by_value, reason = "a command is said once")]
    fn says(&mut self, command: Value) -> Value {
        let commands = self.commands.as_mut().expect("the crowd listens");
        writeln!(commands, "{command}").expect("the crowd reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the crowd answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The crowd ends when its input does.
    fn end(mut self) {
        self.commands = None;
        assert!(self.process.wait().expect("it is our child").success());
    }
}

fn number(answer: &Value, field: &str) -> f64 {
    answer[field].as_f64().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

/// A crowd of five that have found each other.
fn joined(system: &str, network: u8) -> Crowd {
    let mut crowd = Crowd::start(system, network);
    let hello = crowd.says(json!({ "do": "hello" }));
    assert_eq!(hello["system"], system);
    assert!(hello["version"].is_string() && hello["settings"]["lan"].is_object(), "{hello}");
    assert_eq!(crowd.says(json!({ "do": "create", "nodes": 5 })), json!({ "nodes": 5 }));
    let join = crowd.says(json!({ "do": "join", "pace_ms": 1.0, "limit_s": 40 }));
    assert_eq!((&join["seen"], &join["of"], &join["refused"]), (&json!(20), &json!(20), &json!(0)));
    assert!(number(&join, "most_ms") <= number(&join, "all_ms"));
    crowd
}

/// Joins, rests, and loses a node.
fn check_members(system: &str, network: u8) -> Crowd {
    let mut crowd = joined(system, network);
    let rest = crowd.says(json!({ "do": "rest", "seconds": 1 }));
    assert_eq!(rest, json!({ "false_downs": 0 }));
    let kill = crowd.says(json!({ "do": "kill", "nodes": [2], "limit_s": 90 }));
    assert_eq!(kill["each_ms"], json!([kill["first_ms"]]));
    assert!(0.0 < number(&kill, "first_ms"), "{kill}");
    assert!(number(&kill, "first_ms") <= number(&kill, "all_ms"), "{kill}");
    let again = crowd.says(json!({ "do": "kill", "nodes": [2], "limit_s": 1 }));
    assert!(again["error"].is_string(), "{again}");
    crowd
}

fn check_broadcasts(crowd: &mut Crowd) {
    let command = json!({
        "do": "broadcast", "count": 20, "per_second": 100, "bytes": 64, "limit_s": 5,
    });
    let answer = crowd.says(command);
    // Three others are left.
    assert_eq!(answer["of"], 60);
    let (lost, whole) = (number(&answer, "lost"), number(&answer, "whole"));
    assert!(lost < 30.0 && whole > 0.0 && whole + lost >= 20.0, "{answer}");
    assert!(0.0 < number(&answer, "each_p50_ms"), "{answer}");
    assert!(number(&answer, "each_p50_ms") <= number(&answer, "each_p99_ms"), "{answer}");
    assert!(number(&answer, "all_p50_ms") <= number(&answer, "all_p99_ms"), "{answer}");
}

fn pour(crowd: &mut Crowd, mode: &str) -> Value {
    crowd.says(json!({ "do": "pour", "mode": mode, "senders": 2, "bytes": 64, "seconds": 0.3 }))
}

fn check_pour(crowd: &mut Crowd, mode: &str) {
    let answer = pour(crowd, mode);
    assert!(0.0 < number(&answer, "delivered"), "{answer}");
    assert!(number(&answer, "delivered") <= number(&answer, "sent"), "{answer}");
    assert!(number(&answer, "seconds") >= 0.3, "{answer}");
}

fn check_none(answer: &Value) {
    assert!(answer["none"].is_string(), "{answer}");
}

#[test]
fn mingle_answers() {
    let mut crowd = check_members("mingle", 201);
    let broadcast = json!({
        "do": "broadcast", "count": 1, "per_second": 1, "bytes": 64, "limit_s": 1,
    });
    check_none(&crowd.says(broadcast));
    check_pour(&mut crowd, "best_effort");
    check_pour(&mut crowd, "reliable");
    crowd.end();
}

#[test]
fn foca_answers() {
    let mut crowd = check_members("foca", 202);
    check_broadcasts(&mut crowd);
    check_none(&pour(&mut crowd, "best_effort"));
    check_none(&pour(&mut crowd, "reliable"));
    crowd.end();
}

#[test]
fn memberlist_answers() {
    let mut crowd = check_members("memberlist", 203);
    check_broadcasts(&mut crowd);
    check_pour(&mut crowd, "best_effort");
    check_pour(&mut crowd, "reliable");
    crowd.end();
}

#[test]
fn chitchat_answers() {
    let mut crowd = check_members("chitchat", 204);
    check_broadcasts(&mut crowd);
    check_none(&pour(&mut crowd, "best_effort"));
    check_none(&pour(&mut crowd, "reliable"));
    crowd.end();
}

#[test]
fn raw_sockets_only_pour() {
    let mut crowd = Crowd::start("raw", 205);
    assert_eq!(crowd.says(json!({ "do": "hello" }))["system"], "raw");
    assert_eq!(crowd.says(json!({ "do": "create", "nodes": 2 })), json!({ "nodes": 2 }));
    check_none(&crowd.says(json!({ "do": "join", "pace_ms": 1, "limit_s": 1 })));
    assert_eq!(crowd.says(json!({ "do": "rest", "seconds": 0.01 })), json!({ "false_downs": 0 }));
    check_none(&crowd.says(json!({ "do": "kill", "nodes": [1], "limit_s": 1 })));
    check_pour(&mut crowd, "best_effort");
    check_none(&pour(&mut crowd, "reliable"));
    crowd.end();
}

#[test]
fn equal_constants_are_taken() {
    for (system, network) in
        [("mingle", 206), ("foca", 207), ("memberlist", 208), ("chitchat", 209)]
    {
        let mut crowd = Crowd::start(system, network);
        let create = crowd.says(json!({ "do": "create", "nodes": 3, "equal": true }));
        assert_eq!(create, json!({ "nodes": 3 }));
        let join = crowd.says(json!({ "do": "join", "pace_ms": 0, "limit_s": 40 }));
        assert_eq!(join["seen"], 6, "{system}: {join}");
        crowd.end();
    }
}

#[test]
fn mistakes_are_answered_and_the_crowd_goes_on() {
    let mut crowd = Crowd::start("foca", 210);
    for wrong in [
        json!({ "do": "rest", "seconds": 1 }),
        json!({ "do": "nothing" }),
        json!({ "do": "create", "nodes": 0 }),
        json!(17),
    ] {
        let answer = crowd.says(wrong);
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(crowd.says(json!({ "do": "create", "nodes": 2 })), json!({ "nodes": 2 }));
    for wrong in [
        json!({ "do": "create", "nodes": 2 }),
        json!({ "do": "rest", "seconds": -1 }),
        json!({ "do": "kill", "nodes": [2], "limit_s": 1 }),
        json!({ "do": "kill", "nodes": [1, 1], "limit_s": 1 }),
        json!({ "do": "broadcast", "count": 1, "per_second": 1, "bytes": 7, "limit_s": 1 }),
        json!({ "do": "broadcast", "count": 1, "per_second": 0, "bytes": 64, "limit_s": 1 }),
    ] {
        let answer = crowd.says(wrong);
        assert!(answer["error"].is_string(), "{answer}");
    }
    crowd.end();
}

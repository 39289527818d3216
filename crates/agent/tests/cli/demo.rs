//! The demonstration, from its first agent to its bill.

use serde_json::Value;

use crate::process::{run, run_fine};

#[test]
fn the_demonstration_shows_what_it_promises() {
    let text = run_fine(&["demo", "--nodes", "4", "--json"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut said = lines.iter().map(|line| line["text"].as_str().unwrap());
    for expected in [
        "all 4 see each other after",
        "decided: suspected:",
        "decided: failed:",
        "had it dead after",
        "had it at 127.0.0.1:",
        "the link is told as degraded",
        "the link is told as restored",
        "confirmed it within",
        "had it as left after",
        "bytes per agent and second",
        "; 0 false accusations",
    ] {
        assert!(
            said.any(|text| text.contains(expected)),
            "{expected:?} is not there in turn: {text}"
        );
    }
    let times: Vec<_> = lines.iter().map(|line| line["at_ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn fewer_agents_than_the_play_has_parts_are_refused() {
    for nodes in ["3", "65", "five"] {
        let output = run(&["demo", "--nodes", nodes]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("--nodes"), "{stderr}");
    }
}

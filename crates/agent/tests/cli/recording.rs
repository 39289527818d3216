//! Agents record, and their recordings replay.

use std::ops::ControlFlow;
use std::path::Path;

use mingle_sim::replay::{Line, Moment, Recordings};
use serde_json::Value;

use crate::process::{Agent, run_refused, wait};

/// What a recording says of changes, one line each.
fn replay(folder: &Path) -> Vec<String> {
    let recordings = Recordings::open(&[folder.to_path_buf()]).unwrap();
    let mut lines = Vec::new();
    let replayed = recordings.replay(|moment| {
        if let Moment::Step { step, .. } = moment {
            let events = step.outputs.iter().map(|(out, body)| Line::of_output(out, body));
            lines.extend(events.map(|line| format!("{} {}", line.kind, line.text)));
        }
        ControlFlow::Continue(())
    });
    assert_eq!(replayed, Ok(()));
    lines
}

#[test]
fn the_recording_of_one_agent_shows_the_death_of_another_with_its_evidence() {
    let place = tempfile::tempdir().unwrap();
    let [folder, other] = ["a", "b"].map(|name| place.path().join(name));
    let mut a = Agent::start("a", &["--record", folder.to_str().unwrap()]);
    let record = ["--record", other.to_str().unwrap(), "--record-size", "1MiB"];
    let mut b = Agent::start("b", &[&["--join", &a.gossip()], &record[..]].concat());
    assert_eq!(a.ready["recording"], folder.to_str().unwrap());
    a.wait_for_log("recording what peers say, in plain text and without keys");
    a.wait_for_state("b", "alive");
    let recorded = |agent: &Agent| -> u64 {
        let metrics = agent.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
        let bytes =
            metrics.lines().find_map(|line| line.strip_prefix("mingle_recorded_bytes_total "));
        bytes.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
    };
    let before = recorded(&b);
    wait("what b has seen is written", || recorded(&b) > before);
    b.kill();
    a.wait_for_state("b", "dead");
    let answer: Value = serde_json::from_str(&a.ask(&["leave", "--json"])).unwrap();
    assert_eq!(answer["left"], true);
    assert_eq!(a.exit_code(), Some(0));

    let lines = replay(&folder);
    let find = |start: &str| {
        let found = lines.iter().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {lines:#?}"))
    };
    find("joined \"b\" at ");
    let suspected = find("suspected \"b\" at ");
    assert!(suspected.contains("no answer within"), "{suspected}");
    let failed = find("failed \"b\" at ");
    assert!(failed.contains("not heard of for"), "{failed}");
    assert!(failed.contains("after being accused by \"a\""), "{failed}");
    // The one that was killed has left what it had seen by then.
    assert!(replay(&other).iter().any(|line| line.starts_with("joined \"a\" at ")));
}

#[test]
fn a_place_or_size_that_can_not_be_recorded_into_is_an_error_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let places = ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error"];
    let refused =
        |flags: &[&str]| run_refused(&[&["agent", "--name", "a"], &places[..], flags].concat(), 2);
    let said = refused(&["--record", file.to_str().unwrap()]);
    assert!(said.contains("can't record into") && said.contains("may write"), "{said}");
    let said = refused(&["--record", place.path().to_str().unwrap(), "--record-size", "1kB"]);
    assert!(said.contains("1000 bytes are too few") && said.contains("at least"), "{said}");
}

//! What the agent answers over HTTP.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::process::{Agent, free, run_fine, run_refused, wait};

const JSON: &str = "Host: localhost\r\nContent-Type: application/json";

/// Checks that a request is refused, and how.
fn refused(agent: &Agent, head: &str, body: &str, status: u16) {
    let response = agent.request(head, body);
    let (response_head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(response_head.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}: {response}");
    assert!(response_head.contains("application/problem+json"), "{head:?}: {response}");
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], status, "{head:?}");
    for field in ["type", "title", "detail"] {
        assert!(!problem[field].as_str().unwrap().is_empty(), "{head:?}: {response}");
    }
}

#[test]
fn requests_of_other_sites_change_nothing() {
    let agent = Agent::start("a", &[]);
    let leave = "POST /v1/leave HTTP/1.1\r\n";
    let foreign = format!("{leave}{JSON}\r\nOrigin: http://example.org");
    refused(&agent, &foreign, "{}", 403);
    refused(&agent, &format!("{leave}{JSON}\r\nOrigin: http://localhost:3000"), "{}", 403);
    refused(&agent, &format!("{leave}{JSON}\r\nSec-Fetch-Site: cross-site"), "{}", 403);
    refused(&agent, &format!("{leave}Host: localhost"), "{}", 415);
    refused(&agent, &format!("{leave}Host: localhost\r\nContent-Type: text/plain"), "{}", 415);
    let rebound = format!("{leave}Host: example.org\r\nContent-Type: application/json");
    refused(&agent, &rebound, "{}", 403);
    refused(&agent, "GET /v1/members HTTP/1.1\r\nHost: example.org:7374", "", 403);
    assert_eq!(agent.state_of("a").as_deref(), Some("alive"));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let agent = Agent::start("a", &[]);
    let join = format!("POST /v1/join HTTP/1.1\r\n{JSON}");
    for body in ["", "[]", "{}", "{\"addresses\": []}", "{\"addresses\": [1]}", "{\"a\": []}"] {
        refused(&agent, &join, body, 400);
    }
    refused(&agent, &join, &format!("{{\"addresses\": {:?}}}", [""; 65]), 400);
    refused(&agent, &join, &" ".repeat(64 * 1024 + 1), 413);
    refused(&agent, &format!("POST /v1/leave HTTP/1.1\r\n{JSON}"), "{\"force\": true}", 400);
    refused(&agent, "GET /v1/nothing HTTP/1.1\r\nHost: localhost", "", 404);
    refused(&agent, "GET /v1/leave HTTP/1.1\r\nHost: localhost", "", 405);
    refused(&agent, &format!("DELETE /v1/members HTTP/1.1\r\n{JSON}"), "", 405);
    assert_eq!(agent.state_of("a").as_deref(), Some("alive"));
}

#[test]
fn an_agent_is_ready_when_somebody_has_answered_it() {
    let [nobody, _] = free();
    let alone = Agent::start("alone", &[]);
    let waiting = Agent::start("waiting", &["--retry-join", &nobody.to_string()]);
    let get = |agent: &Agent, path: &str| {
        let response = agent.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost"), "");
        response.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!([get(&alone, "/healthz"), get(&alone, "/readyz")], ["200", "200"]);
    assert_eq!([get(&waiting, "/healthz"), get(&waiting, "/readyz")], ["200", "503"]);
    refused(&waiting, "GET /readyz HTTP/1.1\r\nHost: localhost", "", 503);
    let sentence = run_refused(&["info", "--ready", "--http", &waiting.http], 1);
    assert!(sentence.contains("none of those that it should join"), "{sentence}");
    waiting.ask(&["join", &alone.gossip()]);
    assert_eq!(get(&waiting, "/readyz"), "200");
    assert_eq!(waiting.ask(&["info", "--ready"]), "ready\n");
}

#[test]
fn members_have_the_fields_that_are_promised() {
    let agent = Agent::start("a", &["--tag", "role=web", "--label", "blue"]);
    let text = agent.request("GET /v1/members HTTP/1.1\r\nHost: localhost", "");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let members: Value = serde_json::from_str(body).unwrap();
    let member = members[0].as_object().unwrap();
    let mut fields: Vec<_> = member.keys().map(String::as_str).collect();
    fields.sort_unstable();
    let promised =
        ["address", "degraded", "incarnation", "name", "rtt_ms", "since", "state", "tags"];
    assert_eq!(fields, promised);
    assert_eq!(member["degraded"], Value::Null);
    assert_eq!(member["tags"]["role"], "web");

    let view: Value = serde_json::from_str(&agent.ask(&["info", "--json"])).unwrap();
    assert_eq!(view["label"], "blue");
    assert_eq!(view["profile"], "local");
    assert_eq!(view["members"]["alive"], 1);
    assert_eq!(view["listening"]["gossip"], agent.ready["gossip"]);
}

/// What `GET /metrics` gives.
fn metrics(agent: &Agent) -> String {
    let text = agent.request("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:1", "");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// The value of one sample, spelled with its labels.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Some(line?.parse().unwrap())
}

#[test]
fn metrics_are_described_before_their_samples() {
    let agent = Agent::start("a", &["--tag", "role=never-a-label"]);
    let body = metrics(&agent);
    let mut described: Vec<&str> = Vec::new();
    let mut kind = "";
    for line in body.lines() {
        if let Some(described_as) = line.strip_prefix("# TYPE ") {
            let name;
            (name, kind) = described_as.split_once(' ').unwrap();
            assert!(!described.contains(&name), "{name} is described twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            described.push(name);
        } else if !line.starts_with('#') {
            let (mut name, _) = line.split_once([' ', '{']).unwrap();
            if kind == "histogram" {
                let of = ["_bucket", "_sum", "_count"].into_iter();
                name = of.filter_map(|end| name.strip_suffix(end)).next().unwrap();
            }
            assert_eq!(described.last(), Some(&name), "{line}");
        }
    }
    assert!(described.len() > 50, "{described:?}");
    assert!(body.contains("mingle_members{state=\"alive\"} 1\n"), "{body}");
    assert!(!body.contains("never-a-label"));
}

#[test]
fn every_metric_is_in_the_operators_guide_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let key = run_fine(&["keygen"]);
    let state = folder.path().to_str().unwrap();
    let agent = Agent::start("a", &["--state", state, "--encrypt", key.trim()]);
    let body = metrics(&agent);
    let described = body.lines().filter_map(|line| line.strip_prefix("# TYPE mingle_"));
    let mut exported: BTreeSet<_> = described
        .map(|rest| rest.split(' ').next().unwrap())
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    // It is there for programs that use the library.
    exported.insert("members_live");
    let guide = include_str!("../../../../docs/operating.md");
    let (_, tables) = guide.split_once("### Every metric").unwrap();
    let (tables, _) = tables.split_once("\n## ").unwrap();
    let rows = tables.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(explained, exported);
}

#[test]
fn metrics_tell_changes_and_round_trips_and_lags() {
    let a = Agent::start("a", &[]);
    let mut b = Agent::start("b", &["--join", &a.gossip()]);
    let place = b.gossip();
    wait("b has answered", || sample(&metrics(&a), "mingle_round_trip_seconds_count") > Some(0.0));
    let body = metrics(&a);
    assert_eq!(sample(&body, "mingle_changes_total{change=\"joined\"}"), Some(1.0), "{body}");
    assert_eq!(sample(&body, "mingle_changes_total{change=\"returned\"}"), Some(0.0));
    for name in ["round_trip", "loop_lag"] {
        let of = |end: &str| sample(&body, &format!("mingle_{name}_seconds_{end}")).unwrap();
        let count = of("count");
        assert_eq!(of("bucket{le=\"+Inf\"}"), count, "{body}");
        assert!(count > 0.0 && of("sum") > 0.0, "{body}");
        assert!(of("bucket{le=\"0.00025\"}") <= of("bucket{le=\"4.096\"}"), "{body}");
    }
    b.kill();
    a.wait_for_state("b", "dead");
    let _again = Agent::start("b", &["--bind", &place, "--join", &a.gossip()]);
    a.wait_for_state("b", "alive");
    let body = metrics(&a);
    for change in ["joined", "suspected", "failed", "returned"] {
        let name = format!("mingle_changes_total{{change=\"{change}\"}}");
        assert!(sample(&body, &name) >= Some(1.0), "{name}: {body}");
    }
}

#[test]
fn what_was_encrypted_is_told_with_the_key() {
    let [one, other] = [run_fine(&["keygen"]), run_fine(&["keygen"])];
    let a = Agent::start("a", &["--encrypt", one.trim()]);
    let b = Agent::start("b", &["--encrypt", one.trim(), "--join", &a.gossip()]);
    b.wait_for_state("a", "alive");
    let sealed = |body: &str| {
        let line = body.lines().find(|line| line.starts_with("mingle_messages_sealed_under_key"));
        let (labels, value) = line.unwrap().rsplit_once(' ').unwrap();
        (labels.to_owned(), value.parse::<u64>().unwrap())
    };
    let label = |place: usize| {
        let list = a.ask(&["keys", "list"]);
        let key = list.lines().nth(place).unwrap().split(' ').next().unwrap();
        format!("mingle_messages_sealed_under_key{{key=\"{key}\"}}")
    };
    let body = metrics(&a);
    assert!(sample(&body, "mingle_primary_key_age_seconds") < Some(60.0), "{body}");
    let (labels, count) = sealed(&body);
    assert_eq!(labels, label(0));
    assert!(count > 0);
    assert!(!body.contains(one.trim()));
    a.ask(&["keys", "install", other.trim()]);
    let new = label(1);
    a.ask(&["keys", "use", other.trim()]);
    assert_eq!(sealed(&metrics(&a)).0, new);
    let open = Agent::start("open", &[]);
    let body = metrics(&open);
    assert!(!body.contains("sealed_under_key") && !body.contains("key_age"), "{body}");
}

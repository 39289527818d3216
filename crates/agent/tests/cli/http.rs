//! What the agent answers over HTTP.

use serde_json::Value;

use crate::process::{Agent, free};

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
    waiting.ask(&["join", &alone.gossip()]);
    assert_eq!(get(&waiting, "/readyz"), "200");
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

#[test]
fn metrics_are_described_before_their_samples() {
    let agent = Agent::start("a", &["--tag", "role=never-a-label"]);
    let text = agent.request("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:1", "");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let mut described: Vec<&str> = Vec::new();
    for line in body.lines() {
        if let Some(described_as) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described_as.split_once(' ').unwrap();
            assert!(!described.contains(&name), "{name} is described twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            described.push(name);
        } else if !line.starts_with('#') {
            let (name, _) = line.split_once([' ', '{']).unwrap();
            assert_eq!(described.last(), Some(&name), "{line}");
        }
    }
    assert!(described.len() > 50, "{described:?}");
    assert!(body.contains("mingle_members{state=\"alive\"} 1\n"), "{body}");
    assert!(!body.contains("never-a-label"));
}

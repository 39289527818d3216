//! Asking why a member is in its state.

use serde_json::Value;

use crate::process::{Agent, run, run_refused, wait};

/// What the API says of a member.
fn why(agent: &Agent, name: &str) -> Value {
    serde_json::from_str(&agent.ask(&["why", name, "--json"])).unwrap()
}

/// The changes in a timeline.
fn changes(why: &Value) -> Vec<&Value> {
    let timeline = why["timeline"].as_array().unwrap();
    timeline.iter().filter_map(|decision| decision.get("member")).collect()
}

#[test]
fn a_killed_member_has_a_timeline_with_grounds_and_hints() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", &a.gossip()]);
    let mut c = Agent::start("c", &["--join", &a.gossip()]);
    b.wait_for_state("c", "alive");
    a.wait_for_state("c", "alive");
    c.kill();
    for agent in [&a, &b] {
        agent.wait_for_state("c", "dead");
    }
    let answers = [why(&a, "c"), why(&b, "c")];
    let mut probed = 0;
    for answer in &answers {
        let changes = changes(answer);
        let kinds: Vec<_> = changes.iter().map(|change| &change["change"]).collect();
        assert_eq!(kinds, ["joined", "suspected", "failed"], "{answer}");
        let [_, suspected, failed] = changes[..] else { panic!("{answer}") };
        probed += usize::from(suspected["evidence"]["probe"]["waited_ms"].is_number());
        let causes = ["suspicion_expired", "declared"];
        assert!(causes.contains(&failed["evidence"]["cause"].as_str().unwrap()), "{answer}");
        assert!(!answer["hints"].as_array().unwrap().is_empty(), "{answer}");
        assert_eq!(
            (&answer["member"]["state"], &answer["dropped"]),
            (&"dead".into(), &Value::Null)
        );
    }
    assert!(probed > 0, "{answers:?}");

    let text = a.ask(&["why", "c"]);
    assert!(text.starts_with("c is dead since "), "{text}");
    for expected in ["  suspected: ", "  failed: ", "our own timers were", "\nHints:\n- "] {
        assert!(text.contains(expected), "{expected:?}: {text}");
    }
    let recorder = a.request("GET /v1/recorder HTTP/1.1\r\nHost: localhost", "");
    let (_, body) = recorder.split_once("\r\n\r\n").unwrap();
    let recorder: Value = serde_json::from_str(body).unwrap();
    assert!(recorder["decisions"].as_array().unwrap().len() >= 4, "{recorder}");
}

#[test]
fn a_member_that_left_said_goodbye() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", &a.gossip()]);
    b.ask(&["leave"]);
    a.wait_for_state("b", "left");
    let text = a.ask(&["why", "b"]);
    assert!(text.starts_with("b has left the cluster since "), "{text}");
    assert!(text.contains("left: it said goodbye"), "{text}");
    let left = why(&a, "b");
    assert_eq!(changes(&left).last().unwrap()["evidence"]["cause"], "goodbye");
}

#[test]
fn of_an_unknown_name_the_answer_is_no() {
    let a = Agent::start("a", &[]);
    let http = a.http.clone();
    let sentence = run_refused(&["why", "nobody", "--http", &http], 1);
    assert!(sentence.contains("nothing is known of \"nobody\""), "{sentence}");
    let response = a.request("GET /v1/members/nobody/why HTTP/1.1\r\nHost: localhost", "");
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    assert!(response.contains("application/problem+json"), "{response}");
    let response = a.request("GET /v1/members/%FF/why HTTP/1.1\r\nHost: localhost", "");
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert_eq!(run(&["why", "", "--http", &http]).status.code(), Some(2));
}

#[test]
fn without_a_name_it_is_about_the_agent_itself() {
    let a = Agent::start("a/b c", &[]);
    let text = a.ask(&["why"]);
    assert!(text.starts_with("a/b c, this agent, is alive since "), "{text}");
    assert_eq!(why(&a, "a/b c")["itself"], true);
}

#[test]
fn names_of_peers_can_do_nothing_to_a_terminal() {
    let a = Agent::start("a", &[]);
    let name = "x\u{202e}txt\u{200b}\\";
    let _b = Agent::start(name, &["--join", &a.gossip()]);
    a.wait_for_state(name, "alive");
    for args in [&["why", name][..], &["why", name, "--json"]] {
        let text = a.ask(args);
        assert!(!text.contains(['\u{202e}', '\u{200b}']), "{args:?}: {text:?}");
    }
    assert!(a.ask(&["why", name]).starts_with("x\\u{202e}txt\\u{200b}\\\\ is alive"));
    assert_eq!(why(&a, name)["name"], name);
}

#[test]
fn info_says_how_many_agree_and_who_is_missing() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", &a.gossip(), "--retry-join", "127.0.0.1:1"]);
    wait("a has told its view", || {
        b.ask(&["info"]).contains("agreed by 1 of 1 members that told their view")
    });
    wait("the seed is missing", || b.ask(&["info"]).contains("0 failed, 1 seeds, 0 remembered"));
    let metrics = b.request("GET /metrics HTTP/1.1\r\nHost: localhost", "");
    for line in ["mingle_view_told 1", "mingle_missing_seeds 1", "mingle_missing_failed 0"] {
        assert!(metrics.lines().any(|other| other == line), "{line}: {metrics}");
    }
}

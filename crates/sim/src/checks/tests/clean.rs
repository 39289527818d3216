use super::*;

/// What only some seeds of these worlds have; in `packets.rs` it has one of its own.
const BY_CHANCE: &str = "links";

fn check(name: &str, text: &str, nothing: &[&str]) {
    let scenario = Scenario::from_toml(text).unwrap();
    for seed in 1..=3 {
        let outcome = scenario.run(seed).unwrap();
        assert_eq!(outcome.findings, [], "{name}, seed {seed}");
        for Tally { checker, checked, skipped } in outcome.checks {
            let expected = nothing.contains(&checker) || checker == BY_CHANCE && checked == 0;
            assert_eq!(checked == 0, expected, "{name}, seed {seed}: {checker} checked {checked}");
            assert!(!skipped, "{name}: {checker} can be had");
        }
    }
}

#[test]
fn worlds_that_are_in_order_have_no_findings_and_every_checker_has_something_to_check() {
    check("busy", BUSY, &["corruption"]);
    check("joining", JOINING, &[]);
    check("by the rules of memberlist", MEMBERLIST, &["corrections", "corruption"]);
}

const JOINING: &str = r#"
nodes = 20
duration = "100s"
start = "joining"
rejoin = true
[network]
disturbance = [{ effect = "loss", share = 0.05 }, { effect = "corrupt", share = 0.01 }]
[[fault]]
at = "10s"
do = "crash"
nodes = "20%"
for = "40s"
memory = "lost"
[[fault]]
at = "20s"
for = "30s"
do = "partition"
sides = ["0-9", "10-19"]
[[fault]]
at = "60s"
for = "20s"
do = "pause"
nodes = "10%"
[[fault]]
at = "60s"
for = "20s"
do = "slow"
nodes = "10%"
timers = "900ms"
per_packet = "1ms"
"#;

const MEMBERLIST: &str = r#"
nodes = 12
rules = "memberlist"
duration = "100s"
start = "joining"
rejoin = true
[config]
reap_time = "10s"
[network]
disturbance = [{ effect = "loss", share = 0.1 }]
[[fault]]
at = "10s"
do = "crash"
nodes = "20%"
for = "50s"
address = "new"
memory = "lost"
[[fault]]
at = "40s"
for = "30s"
do = "pause"
nodes = "20%"
[[fault]]
at = "70s"
do = "leave"
nodes = "20%"
for = "10s"
"#;

#[test]
fn in_large_worlds_the_tallies_say_what_was_skipped() {
    let text = "nodes = 301\nduration = \"1s\"";
    let outcome = Scenario::from_toml(text).unwrap().run(1).unwrap();
    assert_eq!(outcome.findings, []);
    let skipped: Vec<&str> =
        outcome.checks.iter().filter(|tally| tally.skipped).map(|tally| tally.checker).collect();
    assert!(skipped.contains(&"views") && skipped.contains(&"verdicts"));
    assert!(!skipped.contains(&"packets") && !skipped.contains(&"progress"));
    assert!(outcome.checks.iter().all(|tally| tally.checked == 0 || !tally.skipped));
}

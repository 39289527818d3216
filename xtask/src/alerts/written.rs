//! How the rules and the board are written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{BOARD, RULES};
use crate::shell::{output, root};

/// Each alert is complete, each expression of the board can be parsed, and all of them are about metrics that agents have.
///
/// # Errors
///
/// What is wrong first.
pub(super) fn check(rules: &[Value], exported: &BTreeSet<&str>, folder: &Path) -> Result<()> {
    let recorded = fs::read_to_string(root().join(RULES))?;
    for rule in rules {
        let name = rule["name"].as_str().unwrap_or_default();
        complete(rule).with_context(|| name.to_owned())?;
        let expression = rule["query"].as_str().unwrap_or_default();
        known(expression, exported, &recorded).with_context(|| name.to_owned())?;
    }
    let board = serde_json::from_str(&fs::read_to_string(root().join(BOARD))?).context(BOARD)?;
    let expressions = expressions(&board);
    ensure!(!expressions.is_empty(), "{BOARD} has no expressions");
    for expression in &expressions {
        known(expression, exported, &recorded).context(BOARD)?;
    }
    parse(&expressions, folder)?;
    println!(
        "{} alerts and {} expressions of the board are well written",
        rules.len(),
        expressions.len()
    );
    Ok(())
}

/// What an alert is told with has no holes.
pub(super) fn rendered(annotations: &Value) -> Result<()> {
    let text = annotations.to_string();
    ensure!(!text.contains("<no value>") && !text.contains("<error"), "a hole in {text}");
    Ok(())
}

fn complete(rule: &Value) -> Result<()> {
    ensure!(rule["duration"].as_f64() > Some(0.0), "it has no `for`");
    let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
    ensure!(["warning", "critical"].contains(&severity), "its severity is {severity:?}");
    for annotation in ["summary", "description", "runbook_url"] {
        let text = rule["annotations"][annotation].as_str().unwrap_or_default();
        ensure!(!text.is_empty(), "it has no {annotation}");
    }
    Ok(())
}

/// Each name of ours is that of a sample, or of a rule that records.
fn known(expression: &str, exported: &BTreeSet<&str>, rules: &str) -> Result<()> {
    let names = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    for name in names.filter(|name| name.contains("mingle_")) {
        let is_recorded = || rules.lines().any(|line| line.trim() == format!("- record: {name}"));
        ensure!(exported.contains(name) || is_recorded(), "no agent has {name}, in {expression}");
    }
    Ok(())
}

/// Every expression of a board, with what the variables may stand for.
fn expressions(board: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(board, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(expression)) = fields.get("expr") {
                let plain = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
                found.push(plain);
            }
            fields.values().for_each(|field| collect(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Rules that record them are parsed by who knows the language. Its YAML may be JSON.
fn parse(expressions: &[String], folder: &Path) -> Result<()> {
    let rules: Vec<_> = (0..)
        .zip(expressions)
        .map(
            |(number, expr): (u32, _)| json!({ "record": format!("board:{number}"), "expr": expr }),
        )
        .collect();
    let file = folder.join("board.yml");
    fs::write(&file, json!({ "groups": [{ "name": "board", "rules": rules }] }).to_string())?;
    output(Command::new("promtool").args(["check", "rules"]).arg(&file)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_no_agent_has_is_found() {
        let exported = BTreeSet::from(["mingle_a", "mingle_b_total"]);
        let rules = "      - record: key:mingle_c:sum\n";
        known("mingle_a{x=~\"y\"} > rate(mingle_b_total[5m])", &exported, rules).unwrap();
        known("sum(key:mingle_c:sum) + up", &exported, rules).unwrap();
        for wrong in ["mingle_b", "1 - mingle_a_total", "key:mingle_c", "mingle_c"] {
            assert!(known(wrong, &exported, rules).is_err(), "{wrong}");
        }
    }

    #[test]
    fn expressions_are_found_at_any_depth() {
        let board = json!({ "panels": [
            { "targets": [{ "expr": "rate(a{i=~\"$instance\"}[$__rate_interval])" }] },
            { "panels": [{ "targets": [{ "expr": "b" }, { "query": "c" }] }] },
        ]});
        assert_eq!(expressions(&board), ["rate(a{i=~\".*\"}[5m])", "b"]);
    }

    #[test]
    fn an_alert_that_is_not_complete_is_found() {
        let whole = json!({
            "duration": 300,
            "labels": { "severity": "warning" },
            "annotations": { "summary": "a", "description": "b", "runbook_url": "c" },
        });
        complete(&whole).unwrap();
        for (place, wrong) in [
            ("/duration", json!(0)),
            ("/labels/severity", json!("page")),
            ("/annotations/summary", json!("")),
            ("/annotations/runbook_url", json!(null)),
        ] {
            let mut rule = whole.clone();
            *rule.pointer_mut(place).unwrap() = wrong;
            assert!(complete(&rule).is_err(), "{place}");
        }
    }

    #[test]
    fn what_could_not_be_filled_in_is_found() {
        rendered(&json!({ "summary": "3 members" })).unwrap();
        assert!(rendered(&json!({ "summary": "<no value> members" })).is_err());
    }
}

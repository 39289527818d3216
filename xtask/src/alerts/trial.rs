//! Real agents with real faults, and what Prometheus says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process;
use std::slice::from_ref;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::agents::names;
use super::faults::{CASES, Case, HEALTHY, prepare};
use super::prometheus::{Alert, Prometheus};
use super::{TESTS, written};
use crate::shell::root;

/// For all of it.
const LIMIT: Duration = Duration::from_secs(175);
/// How long the agents are looked at before anything is done to them: as long as the alerts of ten minutes need to fire.
const QUIET: Duration = Duration::from_secs(20);
/// How long after its fault an alert may fire: twice what the slowest one waits for.
const FIRES_WITHIN: Duration = Duration::from_secs(120);

/// Starts the clusters, induces the faults, and sees the alerts fire.
///
/// # Errors
///
/// When an alert does not fire or has no fault, or one fires that must not.
pub(super) fn run(program: &Path, folder: &Path) -> Result<()> {
    end_after(LIMIT);
    prepare()?;
    let numbered = || (1..).zip(&CASES);
    let places: Vec<_> =
        numbered().map(|(number, case)| (case.cluster, case.places(number))).collect();
    let prometheus = Prometheus::start(folder, &places)?;
    let start = |(number, case): (u8, &Case)| case.start(program, folder, number);
    let mut grounds = numbered().map(start).collect::<Result<Vec<_>>>()?;
    let rules = prometheus.alerts()?;
    cover(&rules, &fs::read_to_string(root().join(TESTS))?)?;
    let pages = grounds.iter().flat_map(|ground| &ground.agents).map(|agent| agent.metrics());
    let pages = pages.collect::<Result<Vec<_>>>()?;
    written::check(&rules, &pages.iter().flat_map(|page| names(page)).collect(), folder)?;

    println!("{} agents run; nothing may fire for {} s", pages.len(), QUIET.as_secs());
    thread::sleep(QUIET);
    let fired = prometheus.fired()?;
    ensure!(fired.is_empty(), "fired before anything was done: {}", shown(&fired));

    for (case, ground) in CASES.iter().zip(&mut grounds) {
        case.induce(ground)?;
    }
    wait_for_alerts(&prometheus)?;
    let fired = prometheus.fired()?;
    let healthy: Vec<_> = fired.into_iter().filter(|alert| alert.cluster == HEALTHY).collect();
    ensure!(healthy.is_empty(), "fired where nothing was done: {}", shown(&healthy));
    println!("every alert has fired with its fault, and none without");
    Ok(())
}

/// Ends this process, which all others of the trial end with.
fn end_after(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("xtask: not done within {} s", limit.as_secs());
        process::exit(1);
    });
}

/// Each alert has a fault here, or numbers in the test of the rules.
fn cover(rules: &[Value], tests: &str) -> Result<()> {
    let induced: BTreeSet<_> = CASES.iter().flat_map(|case| case.fires).copied().collect();
    let known: BTreeSet<_> = rules.iter().filter_map(|rule| rule["name"].as_str()).collect();
    let tested =
        |name: &str| tests.contains(&format!("alertname=\"{name}\", alertstate=\"firing\""));
    for name in &known {
        ensure!(induced.contains(name) || tested(name), "nothing sets off {name}");
    }
    match induced.difference(&known).next() {
        Some(name) => bail!("{name} is no alert"),
        None => Ok(()),
    }
}

fn wait_for_alerts(prometheus: &Prometheus) -> Result<()> {
    let began = Instant::now();
    let wanted: BTreeSet<_> =
        CASES.iter().flat_map(|case| case.fires.iter().map(|name| alert(name, case))).collect();
    let mut seen: BTreeMap<Alert, Duration> = BTreeMap::new();
    while !wanted.iter().all(|alert| seen.contains_key(alert)) {
        let missing: Vec<_> =
            wanted.iter().filter(|alert| !seen.contains_key(alert)).cloned().collect();
        ensure!(began.elapsed() < FIRES_WITHIN, "did not fire: {}", shown(&missing));
        thread::sleep(Duration::from_millis(500));
        for (alert, annotations) in prometheus.firing()? {
            if seen.contains_key(&alert) {
                continue;
            }
            let after = began.elapsed();
            let summary = annotations["summary"].as_str().unwrap_or_default();
            let also = if wanted.contains(&alert) { "" } else { ", too" };
            println!("{:5.1} s  {}{also}: {summary}", after.as_secs_f64(), shown(from_ref(&alert)));
            written::rendered(&annotations)?;
            seen.insert(alert, after);
        }
    }
    Ok(())
}

fn alert(name: &str, case: &Case) -> Alert {
    Alert { name: name.to_owned(), cluster: case.cluster.to_owned() }
}

fn shown(alerts: &[Alert]) -> String {
    let shown: Vec<_> =
        alerts.iter().map(|alert| format!("{} in {}", alert.name, alert.cluster)).collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_nothing_sets_off_is_found() {
        let mut rules: Vec<_> = CASES
            .iter()
            .flat_map(|case| case.fires)
            .map(|name| serde_json::json!({ "name": name }))
            .collect();
        cover(&rules, "").unwrap();
        rules.push(serde_json::json!({ "name": "MingleNew" }));
        let error = cover(&rules, "ALERTS{alertname=\"MingleNew\", alertstate=\"pending\"}")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "nothing sets off MingleNew");
        let tests = "ALERTS{alertname=\"MingleNew\", alertstate=\"firing\"}";
        cover(&rules, tests).unwrap();
        let error = cover(&rules[1..], tests).unwrap_err().to_string();
        assert!(error.ends_with(" is no alert"), "{error}");
    }
}

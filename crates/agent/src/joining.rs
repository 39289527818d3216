use mingle::{Cluster, DEFAULT_PORT, JoinAddress, JoinReport, ResolveError};
use tracing::{info, warn};

use crate::api::Attempt;
use crate::exit::Failure;

/// Whether a text can stand for members; see [`JoinAddress`]. Nothing is looked up.
pub(crate) fn check(text: &str) -> Result<(), Failure> {
    parse(text).map(|_| ())
}

/// Looks them up until one is found, so that nothing is started when all are misspelled.
pub(crate) async fn resolve(addresses: &[String]) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for text in addresses {
        match parse(text)?.resolve(DEFAULT_PORT).await {
            Ok(_) => return Ok(()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::No(format!(
        "{}: check the spelling, or use --retry-join if it appears later",
        failures.join("; ")
    )))
}

fn parse(text: &str) -> Result<JoinAddress, Failure> {
    text.parse().map_err(|error: ResolveError| Failure::Input(error.to_string()))
}

/// Joins at the start. One address that answers is enough; the others are logged.
pub(crate) async fn at_start(cluster: &Cluster, addresses: &[String]) -> Result<(), Failure> {
    if addresses.is_empty() {
        return Ok(());
    }
    let report = cluster.join(addresses).await;
    if report.succeeded() {
        info!(contacted = report.contacted(), "joined");
        if let Some(reasons) = reasons(&report) {
            warn!(reasons, "some addresses were not joined");
        }
        return Ok(());
    }
    Err(Failure::No(format!(
        "nobody could be joined: {}; start one of them first, or use --retry-join to keep trying",
        reasons(&report).unwrap_or_default()
    )))
}

/// What went wrong at each address that did not answer.
fn reasons(report: &JoinReport) -> Option<String> {
    let reason = |attempt: Attempt| Some(format!("{:?}: {}", attempt.given, attempt.error?));
    let reasons: Vec<_> = attempts(report).into_iter().filter_map(reason).collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

/// A report as the API gives it.
pub(crate) fn attempts(report: &JoinReport) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for target in &report.targets {
        let attempt = |address, members, error| Attempt {
            given: target.given.clone(),
            address,
            members,
            error,
        };
        match &target.result {
            Err(error) => attempts.push(attempt(None, None, Some(error.to_string()))),
            Ok(tried) => attempts.extend(tried.iter().map(|tried| match &tried.result {
                Ok(members) => attempt(Some(tried.address), Some(*members), None),
                Err(error) => attempt(Some(tried.address), None, Some(error.to_string())),
            })),
        }
    }
    attempts
}

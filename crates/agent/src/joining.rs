use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mingle::{Cluster, JoinReport};
use tracing::{debug, info, warn};

use crate::api::Attempt;
use crate::exit::Failure;

/// Whether a text can stand for a member: an IP, `host`, `host:port` or `[v6]:port`, perhaps after
/// `name/`. Nothing is looked up.
pub(crate) fn check(text: &str) -> Result<(), Failure> {
    parse(text).map(|_| ())
}

/// Looks all of them up, so that a misspelled one is found before anything is started.
pub(crate) async fn resolve(addresses: &[String]) -> Result<(), Failure> {
    for text in addresses {
        let Some(host) = parse(text)? else { continue };
        if let Err(reason) = look_up(host).await {
            return Err(Failure::Input(format!(
                "the address {text:?} can't be resolved ({reason}); check its spelling, or use \
                 --retry-join if it appears later"
            )));
        }
    }
    Ok(())
}

/// What has to be looked up; nothing for an IP.
fn parse(text: &str) -> Result<Option<&str>, Failure> {
    let rest = text.rsplit_once('/').map_or(text, |(_name, rest)| rest).trim();
    let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    if rest.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok() {
        return Ok(None);
    }
    let host = match rest.rsplit_once(':') {
        Some((host, port)) => port.parse::<u16>().is_ok().then_some(host),
        None => Some(rest),
    };
    match host.filter(|host| !host.is_empty() && !host.contains([':', '[', ']'])) {
        Some(host) => Ok(Some(host)),
        None => Err(Failure::Input(format!(
            "{text:?} is no address of a member; write an IP, a host name, host:port or [v6]:port"
        ))),
    }
}

async fn look_up(host: &str) -> Result<(), io::Error> {
    match tokio::net::lookup_host((host, 0)).await?.next() {
        Some(_) => Ok(()),
        None => Err(io::Error::other("it has no addresses")),
    }
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

/// How long to wait between attempts.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Joins as soon as one address answers. Says that it does not at the first, second, fourth, eighth,
/// ... attempt.
pub(crate) async fn until_joined(cluster: &Cluster, addresses: &[String]) {
    if addresses.is_empty() {
        return;
    }
    for attempt in 1_u64.. {
        let report = cluster.join(addresses).await;
        if report.succeeded() {
            info!(contacted = report.contacted(), attempt, "joined");
            return;
        }
        let reasons = reasons(&report).unwrap_or_default();
        if attempt.is_power_of_two() {
            warn!(attempt, again_in = ?RETRY_INTERVAL, reasons, "nobody could be joined yet");
        } else {
            debug!(attempt, again_in = ?RETRY_INTERVAL, reasons, "nobody could be joined yet");
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_are_looked_up() {
        let table = [
            ("10.0.0.1", Some(None)),
            ("web-1/10.0.0.1:80", Some(None)),
            ("[::1]:80", Some(None)),
            ("[::1]", Some(None)),
            ("::1", Some(None)),
            ("example.org", Some(Some("example.org"))),
            ("web-1/example.org:80", Some(Some("example.org"))),
            ("example.org:http", None),
            ("example.org:70000", None),
            ("", None),
            (":80", None),
            ("[::1:80", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).ok(), expected, "{text:?}");
        }
    }
}

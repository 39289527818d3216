//! What logs and counters must not say after a good life.

use anyhow::{Result, ensure};

use crate::peers::{MingleAgent, MingleNode};
use crate::view::View;

/// Counters of mingle that only bad input moves. Among honest peers they stay at zero.
const REFUSALS: [&str; 18] = [
    "messages_refused",
    "envelopes_refused",
    "records_refused",
    "versions_refused",
    "networks_refused",
    "members_refused",
    "exchanges_refused",
    "relays_refused",
    "push_pulls_incompatible",
    "conflicts",
    "claims_contradicting",
    "pings_for_others",
    "streams_encrypted_unexpectedly",
    "stream_messages_refused",
    "streams_delayed",
    "streams_over_budget",
    "dials_refused",
    "accept_errors",
];

/// Makes sure that an agent has refused nothing so far.
pub(super) fn ensure_clean_record(agent: &MingleAgent) -> Result<()> {
    let metrics = agent.metrics()?;
    for name in REFUSALS {
        let count = metrics.sum(&format!("mingle_{name}_total"))?;
        ensure!(count == 0.0, "{} counts {count} {name}", agent.name());
    }
    Ok(())
}

/// Makes sure that a node of the library has refused nothing so far.
pub(super) fn ensure_clean_stats(node: &MingleNode) -> Result<()> {
    let stats = node.stats()?;
    for name in REFUSALS {
        let count = stats.get(name);
        ensure!(count == Some(0), "{} counts {count:?} {name}", node.name());
    }
    Ok(())
}

/// Makes sure that a mingle log has no errors and no warnings: nothing in a good life asks for an operator.
pub(super) fn ensure_clean_mingle_log(name: &str, log: &str) -> Result<()> {
    let complaint = log
        .lines()
        .find(|line| ["ERROR", "WARN", "panicked"].iter().any(|sign| line.contains(sign)));
    ensure!(complaint.is_none(), "{name} logs {:?}", complaint.unwrap_or_default());
    Ok(())
}

/// Makes sure that Serf or memberlist complained of nothing that they would not complain of among themselves.
pub(super) fn ensure_clean_go_log(name: &str, log: &str) -> Result<()> {
    let complaint = log.lines().find(|line| is_complaint(line) && !is_expected(line));
    ensure!(complaint.is_none(), "{name} logs {:?}", complaint.unwrap_or_default());
    Ok(())
}

fn is_complaint(line: &str) -> bool {
    ["[ERR]", "[WARN]", "panic", "fatal error"].iter().any(|sign| line.contains(sign))
}

fn is_expected(line: &str) -> bool {
    EXPECTED.iter().any(|(part, _reason)| line.contains(part))
}

/// Complaints that belong to the story, and why. All of them come up among real peers alone.
const EXPECTED: &[(&str, &str)] = &[
    ("Failed fallback", "who is frozen or dead does not answer on a stream either"),
    ("connection refused", "who is dead does not listen"),
    ("connection reset by peer", "who was killed did not close"),
    ("i/o timeout", "who is frozen takes a stream and says nothing"),
    ("Refuting a suspect message", "who was frozen has been accused"),
    ("Refuting a dead message", "who was frozen has been declared dead"),
    ("Serf shutdown detected, quitting", "who was told to leave ends"),
    ("Was able to connect to", "on a busy machine an ack can be late while a stream is answered"),
    ("Failed to send", "who has ended does not take packets"),
    ("timed out", "who is frozen, or on a busy machine, answers late"),
    ("timeout", "who is frozen, or on a busy machine, answers late"),
    ("EOF", "who was killed in the middle of a stream did not finish it"),
    ("broken pipe", "who was killed in the middle of a stream did not finish it"),
];

//! What must hold at every step, whatever happens.

use std::net::SocketAddr;

use mingle_proto::Instant;
use serde::Serialize;

use crate::scenario::Scenario;
use crate::watch::Onlooker;

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which checker found it.
    pub checker: &'static str,
    /// When, in nanoseconds of the world's time.
    pub at: u64,
    /// Which node.
    pub host: u32,
    /// What does not hold.
    pub what: String,
}

/// All checkers.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    findings: Vec<Finding>,
}

impl Checks {
    pub(crate) fn new(_scenario: &Scenario) -> Self {
        Self::default()
    }

    /// What was found.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }
}

impl Onlooker for Checks {
    fn corruption_accepted(&mut self, now: Instant, host: u32, to: SocketAddr) {
        let what = format!("what it sent to {to} was changed on its way and not refused");
        self.findings.push(Finding { checker: "corruption", at: now.as_nanos(), host, what });
    }
}

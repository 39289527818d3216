//! `cargo xtask alerts`: the alert rules and the board, with real agents, real faults and a real Prometheus.

pub(crate) mod agents;
mod faults;
mod prometheus;
mod trial;
mod written;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::interop::build_agent;
use crate::shell::{apart as apart_from_all, root, run as shell};
use crate::tools;

/// The alert rules.
const RULES: &str = "deploy/prometheus/mingle.rules.yml";
/// Made-up numbers for the rules that no fault of a few minutes sets off.
const TESTS: &str = "deploy/prometheus/mingle.tests.yml";
/// The board.
const BOARD: &str = "deploy/grafana/mingle.json";

/// What to run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Try this agent instead of compiling one.
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Keep the logs of all processes in this folder.
    #[arg(long, value_name = "DIR")]
    keep_logs: Option<PathBuf>,
    /// We are in the namespaces that we have made; the logs go into this folder.
    #[arg(long, hide = true, value_name = "DIR", requires = "agent")]
    inside: Option<PathBuf>,
}

/// Programs that it needs, and Debian's packages with them.
const TOOLS: [(&str, &str); 5] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("unshare", "util-linux"),
];

/// Checks the rules as they are written, and then each alert with the fault that it is about.
///
/// # Errors
///
/// When something is missing, the rules or the board are wrong, an alert does not fire with its fault, or one fires without.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let (Some(folder), Some(agent)) = (&options.inside, &options.agent) {
        return trial::run(agent, folder);
    }
    tools::install(&TOOLS);
    for (tool, package) in TOOLS {
        ensure!(tools::is_installed(tool), "{tool} is missing; install the package {package}");
    }
    shell(Command::new("promtool").args(["check", "rules", RULES]).current_dir(root()))?;
    shell(Command::new("promtool").args(["test", "rules", TESTS]).current_dir(root()))?;
    let agent = match &options.agent {
        Some(agent) => std::path::absolute(agent)?,
        None => build_agent()?,
    };
    let scratch = tempfile::tempdir()?;
    let folder = match &options.keep_logs {
        Some(folder) => std::path::absolute(folder)?,
        None => scratch.path().to_owned(),
    };
    std::fs::create_dir_all(&folder)?;
    apart(&agent, &folder)
}

/// Runs the trial in namespaces of its own: its addresses and packet filters are nobody else's, and no process outlives it.
fn apart(agent: &Path, folder: &Path) -> Result<()> {
    let mut trial = apart_from_all()?;
    trial.arg(env::current_exe()?).args(["alerts", "--agent"]).arg(agent);
    shell(trial.arg("--inside").arg(folder))
}

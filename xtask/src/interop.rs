//! `cargo xtask interop`: the agent among real peers.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::shell::{cargo, run as shell, target_folder};

/// What to run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Run only the scenarios with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Compiles the agent, installs the peers that are missing, and runs the scenarios.
///
/// # Errors
///
/// When one of these fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let agent = build_agent()?;
    install_peers()?;
    let mut scenarios = cargo(INTEROP);
    scenarios.arg("run").env("MINGLE_AGENT", agent);
    if let Some(filter) = &options.filter {
        scenarios.args(["--filter", filter]);
    }
    shell(&mut scenarios)
}

/// Compiles the agent and tells where it is.
pub(crate) fn build_agent() -> Result<PathBuf> {
    shell(&mut cargo(["build", "--release", "-p", "mingle-agent"]))?;
    Ok(target_folder().join("release/mingle"))
}

/// Fetches and compiles the peers that are missing.
pub(crate) fn install_peers() -> Result<()> {
    shell(cargo(INTEROP).arg("install"))
}

/// Compiled for release too, as the agent has most of its dependencies.
pub(crate) const INTEROP: [&str; 6] = ["run", "--release", "--quiet", "-p", "mingle-interop", "--"];

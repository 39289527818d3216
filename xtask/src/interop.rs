//! `cargo xtask interop`: the agent among real peers.

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
    shell(&mut cargo(["build", "--release", "-p", "mingle-agent"]))?;
    shell(cargo(INTEROP).arg("install"))?;
    let agent = target_folder().join("release/mingle");
    let mut scenarios = cargo(INTEROP);
    scenarios.arg("run").env("MINGLE_AGENT", agent);
    if let Some(filter) = &options.filter {
        scenarios.args(["--filter", filter]);
    }
    shell(&mut scenarios)
}

/// Compiled for release too, as the agent has most of its dependencies.
const INTEROP: [&str; 6] = ["run", "--release", "--quiet", "-p", "mingle-interop", "--"];

//! `cargo xtask e2e`: the page of real agents, in a real browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::interop::build_agent;
use crate::shell::{root, run as shell};
use crate::tools;

/// What to keep.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Keep pictures of the page in this folder.
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
}

/// Programs that it needs, and Debian's packages with them.
const TOOLS: [(&str, &str); 2] = [("chromium", "chromium"), ("npm", "npm")];

/// Compiles the agent, installs what is missing, and runs the tests of the page.
///
/// # Errors
///
/// When something is missing and can't be installed, or a test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install(&TOOLS);
    for (tool, package) in TOOLS {
        ensure!(tools::is_installed(tool), "{tool} is missing; install the package {package}");
    }
    let agent = build_agent()?;
    let folder = root().join("e2e");
    shell(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    let mut tests = Command::new("npx");
    tests.args(["playwright", "test"]).current_dir(&folder).env("MINGLE_BIN", agent);
    if let Some(screenshots) = &options.screenshots {
        tests.env("SCREENSHOTS", std::path::absolute(screenshots)?);
    }
    shell(&mut tests)
}

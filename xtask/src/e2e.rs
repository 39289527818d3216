//! `cargo xtask e2e`: the page of real agents, in a real browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
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

/// Compiles the agent, installs what is missing, and runs the tests of the page.
///
/// # Errors
///
/// When something is missing and can't be installed, or a test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(obstacle) = obstacle()? {
        bail!(obstacle);
    }
    perform(options)
}

/// The same as one of the checks. A machine that can't have a browser says so and leaves them out.
///
/// # Errors
///
/// When a test fails, or as [`run`].
pub(crate) fn run_where_possible() -> Result<()> {
    if let Some(obstacle) = obstacle()? {
        println!("left out: {obstacle}");
        return Ok(());
    }
    perform(&Options::default())
}

/// Programs that it needs, and Debian's packages with them.
const TOOLS: [(&str, &str); 2] = [("chromium", "chromium"), ("npm", "npm")];
/// Those that make links lose packets.
const NETWORK_TOOLS: [(&str, &str); 2] = [("ip", "iproute2"), ("nft", "nftables")];

/// What keeps this machine from running the tests, when what was missing is installed.
fn obstacle() -> Result<Option<String>> {
    tools::install(&TOOLS);
    if let Some((tool, package)) = TOOLS.iter().find(|(tool, _)| !tools::is_installed(tool)) {
        return Ok(Some(format!("{tool} is missing; install the package {package}")));
    }
    let Err(error) = shell(&mut npm(&["ci", "--no-audit", "--no-fund"])) else { return Ok(None) };
    // A list of packages that is wrong is no fault of the machine.
    if shell(&mut npm(&["ping"])).is_ok() {
        return Err(error);
    }
    Ok(Some("the registry of npm does not answer".to_owned()))
}

fn npm(arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(folder());
    npm
}

fn folder() -> PathBuf {
    root().join("e2e")
}

fn perform(options: &Options) -> Result<()> {
    let agent = build_agent()?;
    let mut tests = if can_have_network() {
        let mut tests = in_own_network("exec npx playwright test");
        tests.env("MINGLE_PAGE_NETWORK", "own");
        tests
    } else {
        println!(
            "left out: links that lose packets, as this machine can't make a network for them"
        );
        let mut tests = Command::new("npx");
        tests.args(["playwright", "test"]);
        tests
    };
    tests.current_dir(folder()).env("AGENT_TO_TRY", agent);
    if let Some(screenshots) = &options.screenshots {
        tests.env("SCREENSHOTS", std::path::absolute(screenshots)?);
    }
    shell(&mut tests)
}

/// Whether the tests can have a network to themselves, and drop packets in it.
fn can_have_network() -> bool {
    tools::install(&NETWORK_TOOLS);
    shell(&mut in_own_network("nft list ruleset")).is_ok()
}

/// Something for the shell, in a network that has a loopback and nothing else, and goes away with the last process in it.
fn in_own_network(command: &str) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--", "sh", "-c", &format!("ip link set lo up && {command}")]);
    unshare
}

//! `cargo xtask otel`: what an agent exports, with a real collector that comes and goes.

mod collector;
mod told;
mod trial;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use crate::shell::{apart, cargo, output, run as shell, target_folder};
use crate::tools;

/// What to run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Try this agent, which exports, instead of compiling and testing one.
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
const TOOLS: [(&str, &str); 3] =
    [("python3", "python3-venv"), ("unshare", "util-linux"), ("ip", "iproute2")];

/// A collector that prints all that it is told.
const ROTEL: &str = "0.0.1a15";

/// Looks at the agent with its exports, tests it, and tries it with a collector.
///
/// # Errors
///
/// When something is missing, a test fails, or something does not arrive that should.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let (Some(folder), Some(agent)) = (&options.inside, &options.agent) {
        return trial::run(agent, &collector()?, folder);
    }
    tools::install(&TOOLS);
    for (tool, package) in TOOLS {
        ensure!(tools::is_installed(tool), "{tool} is missing; install the package {package}");
    }
    if collector().is_err() {
        install()?;
    }
    let agent = match &options.agent {
        Some(agent) => std::path::absolute(agent)?,
        None => build_and_test()?,
    };
    let scratch = tempfile::tempdir()?;
    let folder = match &options.keep_logs {
        Some(folder) => std::path::absolute(folder)?,
        None => scratch.path().to_owned(),
    };
    std::fs::create_dir_all(&folder)?;
    let mut trial = apart()?;
    trial.arg(env::current_exe()?).args(["otel", "--agent"]).arg(agent);
    trial.arg("--inside").arg(folder).env("OTEL_METRIC_EXPORT_INTERVAL", "200");
    shell(&mut trial)
}

fn environment() -> PathBuf {
    target_folder().join(format!("rotel-{ROTEL}"))
}

fn install() -> Result<()> {
    println!("installing rotel {ROTEL} into {}", environment().display());
    shell(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment()))?;
    let mut pip = Command::new(environment().join("bin/pip"));
    pip.args(["--quiet", "--disable-pip-version-check", "install"]);
    shell(pip.arg(format!("rotel=={ROTEL}")))
}

/// The program in its package.
fn collector() -> Result<PathBuf> {
    let script = "from importlib.util import find_spec as f; print(f('rotel').submodule_search_locations[0])";
    let folder = output(Command::new(environment().join("bin/python")).args(["-c", script]))?;
    Ok(PathBuf::from(folder.trim()).join("rotel-agent"))
}

/// As its neighbours are looked at and tested, with the feature that they have not.
fn build_and_test() -> Result<PathBuf> {
    let with = ["-p", "mingle-agent", "--features", "otel"];
    shell(cargo(["clippy", "--all-targets"]).args(with).args(["--", "-D", "warnings"]))?;
    shell(cargo(["test"]).args(with))?;
    shell(cargo(["build"]).args(with))?;
    Ok(target_folder().join("debug/mingle"))
}

//! `cargo xtask chaos`: the agent among real peers, on a network that drops packets.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::interop::{INTEROP, build_agent, install_peers};
use crate::shell::cargo;
use crate::tools;

/// What to run. The program that runs it knows more.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Run only the cases with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run the long ones too: eleven minutes each.
    #[arg(long)]
    long: bool,
    /// Keep the logs of all processes in this folder.
    #[arg(long, value_name = "DIR")]
    keep_logs: Option<PathBuf>,
    /// How many cases run at the same time.
    #[arg(long, value_name = "COUNT")]
    jobs: Option<String>,
    /// Say what came of them in JSON.
    #[arg(long)]
    json: bool,
}

/// Compiles the agent, installs the peers and tools that are missing, and runs the cases. Ends as they end: 1 when a case failed, 2
/// when this machine cannot run them.
///
/// # Errors
///
/// When something cannot be compiled, fetched or started.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    tools::install(&TOOLS);
    let agent = build_agent()?;
    install_peers()?;
    let mut chaos = cargo(INTEROP);
    chaos.arg("chaos").args(arguments(options)?).env("MINGLE_AGENT", agent);
    let status = chaos.status().context("can't start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The short cases, as one of the checks. A machine that has no root or no namespaces says so and leaves them out.
///
/// # Errors
///
/// When a case failed, or as [`run`].
pub(crate) fn run_short() -> Result<()> {
    let mut code = run(&Options::default())?;
    if code == ExitCode::FAILURE {
        println!("once more, as a busy machine may be the cause: what fails twice has failed");
        code = run(&Options::default())?;
    }
    if code == ExitCode::from(UNFIT) {
        println!("left out: this machine cannot run them");
        return Ok(());
    }
    ensure!(code == ExitCode::SUCCESS, "a case failed");
    Ok(())
}

/// What the program that runs the cases ends with where the machine cannot.
const UNFIT: u8 = 2;

fn arguments(options: &Options) -> Result<Vec<String>> {
    let Options { filter, long, keep_logs, jobs, json } = options;
    let mut arguments = Vec::new();
    arguments.extend(filter.iter().map(|filter| format!("--filter={filter}")));
    arguments.extend(long.then(|| "--long".to_owned()));
    arguments.extend(jobs.iter().map(|jobs| format!("--jobs={jobs}")));
    arguments.extend(json.then(|| "--json".to_owned()));
    if let Some(folder) = keep_logs {
        // The cases run in the root of the repository, wherever this was called from.
        let folder = env::current_dir()?.join(folder);
        arguments.push(format!("--keep-logs={}", folder.display()));
    }
    Ok(arguments)
}

/// Programs that the cases need, and Debian's packages with them.
const TOOLS: [(&str, &str); 3] =
    [("ip", "iproute2"), ("nft", "nftables"), ("dnsmasq", "dnsmasq-base")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_handed_on() {
        let options = Options {
            filter: Some("udp".to_owned()),
            long: true,
            keep_logs: Some("/tmp/logs".into()),
            ..Options::default()
        };
        let wanted = ["--filter=udp", "--long", "--keep-logs=/tmp/logs"];
        assert_eq!(arguments(&options).unwrap(), wanted);
    }
}

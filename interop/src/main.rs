//! Installs the real peers and runs live tests against them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mingle_interop::{LogKeeping, Peers, RunOptions, SCENARIOS, install, run};

/// Live tests against real Serf agents and real memberlist nodes.
///
/// The peers are kept in target/interop/peers, or in the folder that MINGLE_PEERS names.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch, unpack and compile the peers that are missing, and show the versions of all.
    Install,
    /// Show the scenarios.
    List,
    /// Run scenarios.
    Run {
        /// Run only those with this in their name.
        #[arg(long, value_name = "TEXT", default_value = "")]
        filter: String,
        /// Keep the logs of all processes in this folder.
        #[arg(long, value_name = "DIR")]
        keep_logs: Option<PathBuf>,
        /// How many scenarios run at the same time.
        #[arg(long, value_name = "COUNT", default_value = "3")]
        jobs: NonZeroUsize,
    },
}

fn main() -> ExitCode {
    perform(Arguments::parse().command).unwrap_or_else(|error| {
        eprintln!("mingle-interop: {error:#}");
        ExitCode::FAILURE
    })
}

fn perform(command: Command) -> Result<ExitCode> {
    match command {
        Command::Install => install_and_show()?,
        Command::List => list(),
        Command::Run { filter, keep_logs, jobs } => {
            let logs = keep_logs.map_or(LogKeeping::Discard, LogKeeping::In);
            let tally = run(&Peers::from_env(), &RunOptions { filter, logs, jobs })?;
            return Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn install_and_show() -> Result<()> {
    for line in install(&Peers::from_env())? {
        println!("{line}");
    }
    Ok(())
}

fn list() {
    for scenario in SCENARIOS {
        println!("{:24} {}", scenario.name, scenario.shows);
    }
}

//! Installs the real peers and runs live tests against them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use mingle_interop::{
    ChaosOptions, Length, LogKeeping, Peers, RunOptions, SCENARIOS, crowds, install, run,
    run_chaos, unmet_needs,
};

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
    /// Compile the crowds of Go memberlist for `cargo xtask bench peers`, and show one JSON object a line for each.
    Crowds,
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
    /// Run chaos cases: clusters between whose nodes packets are dropped. Needs root, `ip` and `nft`.
    Chaos(ChaosArguments),
}

#[derive(Debug, Args)]
struct ChaosArguments {
    /// Run only those with this in their name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Run the long ones too: eleven minutes each.
    #[arg(long)]
    long: bool,
    /// Keep the logs of all processes in this folder.
    #[arg(long, value_name = "DIR")]
    keep_logs: Option<PathBuf>,
    /// How many cases run at the same time.
    #[arg(long, value_name = "COUNT", default_value = "3")]
    jobs: NonZeroUsize,
    /// Say what came of them in JSON.
    #[arg(long)]
    json: bool,
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
        Command::Crowds => build_crowds_and_show()?,
        Command::List => list(),
        Command::Run { filter, keep_logs, jobs } => {
            let logs = keep_logs.map_or(LogKeeping::Discard, LogKeeping::In);
            let tally = run(&Peers::from_env(), &RunOptions { filter, logs, jobs })?;
            return Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Chaos(arguments) => return chaos(arguments),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends with 2 when this machine cannot do it, and with 1 when a case failed.
fn chaos(arguments: ChaosArguments) -> Result<ExitCode> {
    let needs = unmet_needs();
    if !needs.is_empty() {
        eprintln!("mingle-interop: {}", needs.join("\n                "));
        return Ok(ExitCode::from(2));
    }
    let ChaosArguments { filter, long, keep_logs, jobs, json } = arguments;
    let longest = if long { Length::Long } else { Length::Short };
    let logs = keep_logs.map_or(LogKeeping::Discard, LogKeeping::In);
    let results = run_chaos(&Peers::from_env(), &ChaosOptions { filter, longest, logs, jobs })?;
    print!("{}", if json { results.json()? + "\n" } else { results.table() });
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn install_and_show() -> Result<()> {
    for line in install(&Peers::from_env())? {
        println!("{line}");
    }
    Ok(())
}

/// One that cannot be compiled says so in its line, and is no failure of the command.
fn build_crowds_and_show() -> Result<()> {
    for crowd in crowds(&Peers::from_env())? {
        println!("{}", serde_json::to_string(&crowd)?);
    }
    Ok(())
}

fn list() {
    for scenario in SCENARIOS {
        println!("{:24} {}", scenario.name, scenario.shows);
    }
}

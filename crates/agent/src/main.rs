//! `mingle`: an agent that makes a machine a member of a cluster, and the commands that ask it.

mod about;
mod agent;
mod api;
mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod endpoint;
mod exit;
mod feed;
mod hints;
mod http;
mod joining;
mod keys;
mod members;
mod monitor;
mod output;
mod plan;
mod ready;
mod selection;
mod signals;
mod size;
mod supervisor;
mod top;
mod why;

use std::process::ExitCode;

use crate::cli::Command;
use crate::config::Stop;
use crate::exit::Failure;

fn main() -> ExitCode {
    let cli = match config::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Stop::Usage(usage)) => return exit::usage(&usage),
        Err(Stop::Files(failure)) => return failure.report(),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Agent(args) => return agent::run(&args),
        Command::Config(command) => config::run(&command)?,
        Command::Demo(args) => return demo::run(&args),
        Command::Members(args) => members::members(&args)?,
        Command::Top(args) => top::top(&args)?,
        Command::Monitor(args) => monitor::monitor(&args)?,
        Command::Join(args) => commands::join(args)?,
        Command::Leave(args) => commands::leave(&args)?,
        Command::Info(args) => commands::info(&args)?,
        Command::Why(args) => why::why(&args)?,
        Command::Tags(args) => commands::tags(&args)?,
        Command::Keygen(args) => keys::generate(&args)?,
        Command::Completions(args) => about::completions(&args)?,
        Command::Man(args) => about::man(&args)?,
        Command::Version(args) => about::version(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

//! `mingle`: an agent that makes a machine a member of a cluster, and the commands that ask it.

mod about;
mod access;
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
mod logs;
mod members;
mod metrics;
mod monitor;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
#[path = "no_otel.rs"]
mod otel;
mod output;
mod plan;
mod ready;
mod reload;
mod selection;
mod signals;
mod size;
mod supervisor;
mod timing;
mod top;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::Command;
use crate::config::{Parsed, Stop};
use crate::exit::Failure;
use crate::reload::Source;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    let parsed = match config::parse(&line) {
        Ok(parsed) => parsed,
        Err(Stop::Usage(usage)) => return exit::usage(&usage),
        Err(Stop::Files(failure)) => return failure.report(),
    };
    match run(parsed, line) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(Parsed { cli, settings }: Parsed, line: Vec<OsString>) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Agent(args) => return agent::run(&args, Source::new(line, settings)),
        Command::Config(command) => config::run(&command, settings.as_ref())?,
        Command::Demo(args) => return demo::run(&args),
        Command::Members(args) => return members::members(&args),
        Command::Top(args) => top::top(&args)?,
        Command::Monitor(args) => monitor::monitor(&args)?,
        Command::Join(args) => commands::join(args)?,
        Command::Leave(args) => commands::leave(&args)?,
        Command::ForceLeave(args) => commands::force_leave(args)?,
        Command::Info(args) => commands::info(&args)?,
        Command::Why(args) => why::why(&args)?,
        Command::Tags(args) => commands::tags(&args)?,
        Command::Keys(args) => commands::keys(args)?,
        Command::Keygen(args) => keys::generate(&args)?,
        Command::Reload(args) => commands::reload(&args)?,
        Command::Completions(args) => about::completions(&args)?,
        Command::Man(args) => about::man(&args)?,
        Command::Version(args) => about::version(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

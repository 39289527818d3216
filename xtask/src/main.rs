//! The checks of this repository. `cargo xtask ci` is all of them, and what a change must pass.

mod alerts;
mod api;
mod bench;
mod book;
mod chaos;
mod ci;
mod deny;
mod e2e;
mod fuzz;
mod interop;
mod mutate;
mod notices;
mod otel;
mod package;
mod shell;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The checks of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check, in order, up to the first that fails.
    Ci(ci::Options),
    /// Check what no compiler checks: directions, bans, lengths, documentation.
    Tidy(tidy::Options),
    /// Compile the agent and run it with real Serf and real memberlist.
    Interop(interop::Options),
    /// Compile the agent and run it with real peers on a network that drops packets; needs root.
    Chaos(chaos::Options),
    /// Ask an agent thousands of things, right and wrong, and compare with its own OpenAPI document.
    Api(api::Options),
    /// Measure the project beside its peers.
    Bench(bench::Options),
    /// Look at the page of real agents in Chromium: how it shows failures, returns and goodbyes.
    E2e(e2e::Options),
    /// Check the alert rules and the board with real agents, real faults and a real Prometheus.
    Alerts(alerts::Options),
    /// Check what an agent exports to an OpenTelemetry collector with a real one, which comes and goes.
    Otel(otel::Options),
    /// Make the book of the pages in docs, and follow its links; the first time it installs mdbook.
    Book(book::Options),
    /// Break the protocol on purpose, and see the simulator's checkers notice.
    Mutate(mutate::Options),
    /// Check licences, sources and banned dependencies.
    Deny,
    /// Write the licences of what others wrote and is linked into the program; the first time it installs cargo-about.
    Notices(notices::Options),
    /// Build the Debian package, the static binary and what is in the container image, and run each where it is meant to
    /// run; check the manifests for Kubernetes. Needs root.
    Package(package::Options),
    /// Run each fuzz target for some minutes; needs a nightly toolchain and cargo-fuzz.
    Fuzz(fuzz::Options),
    /// Run each fuzz target for a few seconds.
    FuzzSmoke,
}

fn main() -> ExitCode {
    perform(Arguments::parse().command).unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn perform(command: Command) -> Result<ExitCode> {
    match command {
        Command::Chaos(options) => return chaos::run(&options),
        Command::Api(options) => api::run(&options),
        Command::Alerts(options) => alerts::run(&options),
        Command::Otel(options) => otel::run(&options),
        Command::Book(options) => book::run(&options),
        Command::E2e(options) => e2e::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Ci(options) => ci::run(&options),
        Command::Tidy(options) => tidy::run(options),
        Command::Interop(options) => interop::run(&options),
        Command::Mutate(options) => mutate::run(&options),
        Command::Notices(options) => notices::run(&options),
        Command::Package(options) => package::run(&options),
        Command::Deny => deny::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::FuzzSmoke => fuzz::smoke(),
    }?;
    Ok(ExitCode::SUCCESS)
}

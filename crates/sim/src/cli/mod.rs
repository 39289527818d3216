//! What people type. Exit codes: 0 all is well, 1 something did not come out as it must, 2 the input is
//! wrong.

mod compare;
mod lifeguard;
mod plan;
mod presets;
mod rapid;
mod replay;
mod run;
mod scale;
mod script;
mod swarm;
mod swim;
mod systems;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mingle_sim::Progress;
use serde::Serialize;

/// Where nobody watches the progress of something long, a line as often as this.
const BETWEEN_LINES: Duration = Duration::from_secs(20);

#[derive(Debug, Parser)]
#[command(
    name = "mingle-sim",
    version,
    about = "Whole clusters in one process and in virtual time, repeatable from a seed",
    infer_subcommands = true,
    after_help = "Exit codes: 0 all is as it must be, 1 something is not, 2 the input is wrong.\n\
        docs/simulation.md says how scenarios are written and what tables mean."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::Options),
    /// Run a scenario, and say what came of it.
    Run(run::Options),
    /// Run two scenarios with the same seeds, and say in what they differ by more than noise.
    Compare(compare::Options),
    /// Run scenarios with our rules and with Go memberlist's, and put both into one table.
    Presets(presets::Options),
    Lifeguard(lifeguard::Options),
    Plan(plan::Options),
    Rapid(rapid::Options),
    Scale(scale::Options),
    Script(script::Options),
    Swarm(swarm::Options),
    Swim(swim::Options),
}

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something did not come out as it must; it has been said.
    Unmet,
    /// The input is wrong.
    Input(String),
}

/// A time on the command line.
fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 512ms or 2s"))
}

/// The first Ctrl-C ends the run with what it has found so far, the second one at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    use signal_hook::consts::SIGINT;
    use signal_hook::flag;
    let stop = Arc::new(AtomicBool::new(false));
    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&stop)))
        .map_err(|error| Failure::Input(format!("signals can't be caught: {error}")))?;
    Ok(stop)
}

/// How often progress is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Does something that goes through so many worlds, and shows how far it is.
fn watched<R>(name: &str, worlds: usize, progress: &Progress, work: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let shown = scope.spawn(|| show(name, worlds as u64, progress, &over));
        let result = work();
        over.store(true, Ordering::Relaxed);
        shown.thread().unpark();
        result
    })
}

fn show(name: &str, all: u64, progress: &Progress, over: &AtomicBool) {
    let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
    let template = "{prefix} {bar:30} {pos}/{len} worlds, {elapsed}, {eta} to go";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar.set_prefix(name.to_owned());
    let (began, mut lines) = (Instant::now(), 1);
    while !over.load(Ordering::Relaxed) {
        let done = progress.done();
        if bar.is_hidden() && began.elapsed() >= BETWEEN_LINES * lines {
            lines += 1;
            eprintln!("{name}: {done}/{all} worlds, {} s", began.elapsed().as_secs());
        }
        bar.set_position(done);
        std::thread::park_timeout(REDRAW);
    }
    bar.finish_and_clear();
}

/// What was given, or otherwise something else.
fn or<T: Clone>(given: &[T], otherwise: Vec<T>) -> Vec<T> {
    if given.is_empty() { otherwise } else { given.to_vec() }
}

/// What was typed.
fn command_line() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("mingle-sim {}", words.join(" "))
}

/// Says what came of an experiment, and writes its page; nothing when it was interrupted.
fn deliver(
    progress: &Progress,
    json: bool,
    report: Option<&Path>,
    results: &impl Serialize,
    text: &str,
    page: impl FnOnce(&str) -> String,
) -> Result<(), Failure> {
    if progress.is_stopped() {
        eprintln!("mingle-sim: interrupted; there are no figures before all worlds have ended");
        return Err(Failure::Unmet);
    }
    if let Some(path) = report {
        std::fs::write(path, page(&command_line()))
            .map_err(|error| elsewhere("--report", path, &error))?;
    }
    if json {
        println!("{}", serde_json::to_string(results).expect("results are plain data"));
    } else {
        print!("{text}");
    }
    Ok(())
}

fn elsewhere(option: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Input(format!("{option} {}: {error}; choose another place", path.display()))
}

pub(crate) fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Replay(options) => replay::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Presets(options) => presets::run(&options),
        Command::Lifeguard(options) => lifeguard::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Rapid(options) => rapid::run(&options),
        Command::Scale(options) => scale::run(&options),
        Command::Script(options) => script::run(&options),
        Command::Swarm(options) => swarm::run(&options),
        Command::Swim(options) => swim::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unmet) => ExitCode::from(1),
        Err(Failure::Input(what)) => {
            eprintln!("mingle-sim: {what}");
            ExitCode::from(2)
        }
    }
}

//! Runs scenarios one after the other and tells how they went.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::context::Context;
use crate::peers::Peers;
use crate::scenarios::{SCENARIOS, Scenario};

/// What to run and what to keep.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Runs only the scenarios whose name contains this; all when empty.
    pub filter: String,
    /// Where logs go.
    pub logs: LogKeeping,
}

/// What becomes of the logs of the processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogKeeping {
    /// They are removed; when a scenario fails, the ends of its logs are printed before.
    Discard,
    /// They stay in this folder, in a folder of its own for each scenario.
    In(PathBuf),
}

/// How many scenarios passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Those that passed.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
}

/// Runs the selected scenarios and prints one line for each, what is known of failures, and the tally.
///
/// # Errors
///
/// When a peer is missing, no scenario is selected, or the folder of the logs cannot be made. That a scenario fails is no error here.
pub fn run(peers: &Peers, options: &RunOptions) -> Result<Tally> {
    peers.require_all()?;
    let selected: Vec<_> =
        SCENARIOS.iter().filter(|scenario| scenario.name.contains(&options.filter)).collect();
    ensure!(
        !selected.is_empty(),
        "no scenario has {:?} in its name; `list` shows them all",
        options.filter
    );
    let scratch = tempfile::Builder::new().prefix("mingle-interop-").tempdir()?;
    let logs = match &options.logs {
        LogKeeping::Discard => scratch.path().to_owned(),
        LogKeeping::In(folder) => folder.clone(),
    };
    let mut tally = Tally::default();
    for scenario in selected {
        let log_dir = empty_folder(&logs.join(scenario.name))?;
        let context = Context::new(peers.clone(), log_dir);
        match run_one(scenario, &context) {
            Ok(()) => tally.passed += 1,
            Err(()) => tally.failed += 1,
        }
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

/// Earlier logs of the same scenario would be taken for this run's.
fn empty_folder(folder: &Path) -> Result<PathBuf> {
    let making = || format!("making the folder {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(making)?;
    }
    fs::create_dir_all(folder).with_context(making)?;
    Ok(folder.to_owned())
}

/// A thread of its own for each, so that a panic fails one scenario and not the run.
fn run_one(scenario: &Scenario, context: &Context) -> Result<(), ()> {
    let start = Instant::now();
    let end = thread::scope(|scope| scope.spawn(|| (scenario.run)(context)).join());
    let result = end.unwrap_or_else(|_| Err(anyhow!("the scenario panicked")));
    print_line(scenario, start.elapsed(), if result.is_ok() { "ok" } else { "FAILED" });
    result.map_err(|error| {
        println!("    {error:#}");
        print_log_tails(context.log_dir());
    })
}

fn print_line(scenario: &Scenario, elapsed: Duration, verdict: &str) {
    println!(
        "{verdict:6} {:24} {:6.1} s  {}",
        scenario.name,
        elapsed.as_secs_f32(),
        scenario.shows
    );
}

fn print_log_tails(log_dir: &Path) {
    let mut logs: Vec<_> =
        fs::read_dir(log_dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    logs.sort();
    for log in logs {
        let text = fs::read(&log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        println!("    --- the last {} of {} lines of {}", tail.len(), lines.len(), log.display());
        for line in tail {
            println!("    | {line}");
        }
    }
}

const TAIL_LINES: usize = 25;

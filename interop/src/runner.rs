//! Runs scenarios, a few at a time, and tells how they went.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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
    /// How many scenarios run at the same time. They share nothing but the machine: each has its own folder, and no two get the same
    /// port.
    pub jobs: NonZeroUsize,
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

/// Runs the selected scenarios and prints one line for each as it ends, what is known of failures, and the tally.
///
/// # Errors
///
/// When a peer is missing, no scenario is selected, or the folder of the logs cannot be made. That a scenario fails is no error here.
pub fn run(peers: &Peers, options: &RunOptions) -> Result<Tally> {
    peers.require_all()?;
    let scratch = tempfile::Builder::new().prefix("mingle-interop-").tempdir()?;
    let logs = match &options.logs {
        LogKeeping::Discard => scratch.path(),
        LogKeeping::In(folder) => folder,
    };
    let mut queue = VecDeque::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&options.filter)) {
        let log_dir = empty_folder(&logs.join(scenario.name))?;
        queue.push_back((scenario, Context::new(peers.clone(), log_dir)));
    }
    ensure!(
        !queue.is_empty(),
        "no scenario has {:?} in its name; `list` shows them all",
        options.filter
    );
    let tally = run_all(queue, options.jobs);
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

fn run_all(queue: VecDeque<(&Scenario, Context)>, jobs: NonZeroUsize) -> Tally {
    let tally = Mutex::new(Tally::default());
    work_through(queue, jobs, |(scenario, context)| {
        let (verdict, report) = run_one(scenario, &context);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.count(verdict);
        print!("{report}");
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Works on everything in the queue, on so many things at the same time.
pub(crate) fn work_through<T: Send>(
    queue: VecDeque<T>,
    jobs: NonZeroUsize,
    work: impl Fn(T) + Sync,
) {
    let queue = Mutex::new(queue);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..jobs.get() {
            scope.spawn(|| {
                while let Some(thing) = next() {
                    work(thing);
                }
            });
        }
    });
}

/// Earlier logs of the same scenario would be taken for this run's.
pub(crate) fn empty_folder(folder: &Path) -> Result<PathBuf> {
    let making = || format!("making the folder {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(making)?;
    }
    fs::create_dir_all(folder).with_context(making)?;
    Ok(folder.to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
}

impl Tally {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed => self.failed += 1,
        }
    }
}

/// A thread of its own for each, so that a panic fails one scenario and not the run.
fn run_one(scenario: &Scenario, context: &Context) -> (Verdict, String) {
    let start = Instant::now();
    let end = thread::scope(|scope| scope.spawn(|| (scenario.run)(context)).join());
    let result = end.unwrap_or_else(|_| Err(anyhow!("the scenario panicked")));
    let elapsed = start.elapsed();
    match result {
        Ok(()) => (Verdict::Passed, summary(scenario, elapsed, "ok")),
        Err(error) => {
            let mut report = summary(scenario, elapsed, "FAILED");
            let _ = writeln!(report, "    {error:#}");
            report.push_str(&log_tails(context.log_dir()));
            (Verdict::Failed, report)
        }
    }
}

fn summary(scenario: &Scenario, elapsed: Duration, verdict: &str) -> String {
    let Scenario { name, shows, .. } = scenario;
    format!("{verdict:6} {name:24} {:6.1} s  {shows}\n", elapsed.as_secs_f32())
}

pub(crate) fn log_tails(log_dir: &Path) -> String {
    let mut logs: Vec<_> =
        fs::read_dir(log_dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    logs.sort();
    let mut tails = String::new();
    for log in logs {
        let bytes = fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let (shown, all) = (tail.len(), lines.len());
        let _ = writeln!(tails, "    --- the last {shown} of {all} lines of {}", log.display());
        for line in tail {
            let _ = writeln!(tails, "    | {line}");
        }
    }
    tails
}

const TAIL_LINES: usize = 25;

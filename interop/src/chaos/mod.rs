//! Clusters of mingle, Serf and memberlist to which something happens: packets are dropped, processes stand still or are killed,
//! a disk is full, a name stands for somebody else.
//!
//! Each node is in a network namespace of its own, behind a bridge in another; what is dropped is dropped on that bridge. Nothing
//! outside of these namespaces is changed, and they are gone in the end, also after Ctrl-C. That needs root, `ip` and `nft`.
//!
//! A *case* is a function in `cases.rs` with a line in the table there. It states by when what has to be so again; whether nodes that
//! lived were taken for dead on the way is read from the agents' logs.

mod beliefs;
mod cases;
mod cluster;
mod disk;
mod dns;
mod evidence;
mod machine;
mod namespace;
mod network;
mod report;
mod trial;

use std::collections::VecDeque;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use self::cases::{CASES, Case};
use self::report::{Outcome, Verdict};
use self::trial::{Findings, Trial, timeline};
use crate::context::Context;
use crate::interrupt;
use crate::peers::Peers;
use crate::runner::{LogKeeping, empty_folder, work_through};

pub use self::cases::Length;
pub use self::machine::unmet_needs;
pub use self::report::Results;

/// What to run and what to keep.
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// Runs only the cases whose name contains this; all when empty.
    pub filter: String,
    /// Runs only the cases that take at most this long.
    pub longest: Length,
    /// Where logs go. Without a folder of their own, those of cases that fail are kept all the same.
    pub logs: LogKeeping,
    /// How many cases run at the same time. They share nothing but the machine: each has its own network.
    pub jobs: NonZeroUsize,
}

/// Runs the selected cases, says on standard error how each went as it ends, and gives what came of all.
///
/// # Errors
///
/// When a peer is missing, no case is selected, a folder cannot be made, or somebody asks this process to end. That a case fails is no
/// error here.
pub fn run_chaos(peers: &Peers, options: &ChaosOptions) -> Result<Results> {
    peers.require_all()?;
    interrupt::listen()?;
    machine::sweep()?;
    let scratch = tempfile::Builder::new().prefix("mingle-chaos-").tempdir()?;
    let logs = match &options.logs {
        LogKeeping::Discard => scratch.path().to_owned(),
        LogKeeping::In(folder) => folder.clone(),
    };
    let jobs = jobs(peers, options, &logs)?;
    let outcomes = Mutex::new(Vec::new());
    work_through(jobs, options.jobs, |(number, case, context)| {
        let outcome = run_one(number, case, &context);
        if interrupt::ensure_not_asked().is_err() {
            return;
        }
        eprint!("{}", outcome.summary());
        if outcome.verdict == Verdict::Failed {
            eprint!("{}", story(&context));
        }
        outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
    });
    interrupt::ensure_not_asked()?;
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    let results = Results { cases: outcomes.into_iter().map(|(_, outcome)| outcome).collect() };
    if options.logs == LogKeeping::Discard && results.failed() > 0 {
        eprintln!("the logs are in {}", scratch.keep().display());
    }
    Ok(results)
}

fn jobs(
    peers: &Peers,
    options: &ChaosOptions,
    logs: &Path,
) -> Result<VecDeque<(usize, &'static Case, Context)>> {
    let mut jobs = VecDeque::new();
    let wanted = CASES
        .iter()
        .filter(|case| case.length <= options.longest && case.name.contains(&options.filter));
    for (number, case) in wanted.enumerate() {
        let folder = empty_folder(&logs.join(case.name))?;
        jobs.push_back((number, case, Context::new(peers.clone(), folder)));
    }
    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    ensure!(
        !jobs.is_empty(),
        "no case has {:?} in its name; there are {}, the long ones with --long",
        options.filter,
        names.join(", ")
    );
    Ok(jobs)
}

/// A thread of its own for each, so that a panic fails one case and not the run.
fn run_one(number: usize, case: &Case, context: &Context) -> Outcome {
    if let Err(error) = interrupt::ensure_not_asked() {
        return failed(case, Instant::now(), &error);
    }
    let start = Instant::now();
    let prefix = format!("{}-{number}", machine::prefix());
    let end = thread::scope(|scope| scope.spawn(|| perform(case, context, &prefix)).join());
    match end.unwrap_or_else(|_| Err(anyhow!("the case panicked"))) {
        Ok(findings) => Outcome::new(case, start.elapsed().as_secs_f64(), findings),
        Err(error) => failed(case, start, &error),
    }
}

fn failed(case: &Case, start: Instant, error: &anyhow::Error) -> Outcome {
    let findings = Findings { findings: vec![format!("{error:#}")], ..Findings::default() };
    Outcome::new(case, start.elapsed().as_secs_f64(), findings)
}

/// What agents say for themselves is collected whether all went well or not.
fn perform(case: &Case, context: &Context, prefix: &str) -> Result<Findings> {
    let mut trial = Trial::begin(context, prefix, case.company)?;
    let end = (case.run)(&mut trial).and_then(|()| trial.settle());
    interrupt::ensure_not_asked()?;
    if let Err(error) = end {
        trial.find(format!("{error:#}"))?;
    }
    evidence::collect(&mut trial, case.tells)?;
    trial.findings()
}

/// The timeline of a case, indented.
fn story(context: &Context) -> String {
    let text = fs::read_to_string(timeline(context)).unwrap_or_default();
    text.lines().map(|line| format!("    | {line}\n")).collect()
}

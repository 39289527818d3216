//! `cargo xtask mutate`: breaks the protocol on purpose and sees the simulator's checkers notice.
//!
//! Each file of `crates/sim/mutations` is one fault. Each is applied to a copy of the sources, compiled,
//! and run through the seeds of the swarm until a checker finds something. Where none does, the test of
//! the machine or the scenario is asked that the header of the file names, if it names one.

mod patch;
mod scratch;
mod table;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::shell::{output, root};
use patch::Patch;
use scratch::{Scratch, Swarm};
use table::{Line, Verdict};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run those that have one of these in their names, known gaps among them.
    #[arg(value_name = "NAME", conflicts_with_all = ["all", "some"])]
    names: Vec<String>,
    /// Run all of them, and write down what came of it.
    #[arg(long, conflicts_with = "some")]
    all: bool,
    /// Run so many.
    #[arg(long, value_name = "N")]
    some: Option<usize>,
    /// Which so many: each turn takes the next ones. By default the commit says it.
    #[arg(long, value_name = "T", requires = "some")]
    turn: Option<u64>,
    /// How many seeds each has to get through to count as unnoticed.
    #[arg(long, value_name = "N", default_value_t = SEEDS)]
    seeds: u64,
    /// Only see whether all of them apply.
    #[arg(long, conflicts_with_all = ["names", "all", "some"])]
    check: bool,
    /// Say what came of each as a line of JSON.
    #[arg(long)]
    json: bool,
}

const SEEDS: u64 = 300;
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What a test or a scenario may take that is broken, with its compiling.
const WITNESS: Duration = Duration::from_secs(15 * 60);
/// What a run of `cargo xtask ci` can afford.
const SOME: usize = 2;

/// Runs what is wanted.
///
/// # Errors
///
/// When a mutation does not apply or compile, or goes unnoticed; when the swarm finds something
/// without any; when there is nothing of the names that are wanted.
pub(crate) fn run(options: &Options) -> Result<()> {
    let patches = applicable()?;
    if options.check {
        println!("{} mutations apply", patches.len());
        return Ok(());
    }
    let chosen = choose(&patches, options)?;
    let scratch = Scratch::make()?;
    let limit = limit(verify(&scratch, &chosen, options.seeds)?);
    let mut lines = Vec::new();
    for patch in &chosen {
        let line = try_out(&scratch, patch, options.seeds, limit)?;
        eprintln!("{line}");
        if options.json {
            println!("{}", line.json());
        }
        lines.push(line);
    }
    if options.all {
        let file = patch::folder().join("RESULTS.md");
        fs::write(&file, table::page(&lines, &patches, options.seeds))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    let failed: Vec<&str> = lines.iter().filter(|l| !l.is_caught()).map(Line::name).collect();
    let all = lines.len();
    ensure!(failed.is_empty(), "{} of {all} not noticed: {}", failed.len(), failed.join(", "));
    eprintln!("all {all} noticed");
    Ok(())
}

/// Sees whether all apply, and runs a few that the commit chooses.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_some() -> Result<()> {
    let (names, some) = (Vec::new(), Some(SOME));
    let seeds = SEEDS;
    run(&Options { names, all: false, some, turn: None, seeds, check: false, json: false })
}

/// All mutations, each of which must apply to the sources as they are.
fn applicable() -> Result<Vec<Patch>> {
    let patches = Patch::all()?;
    let mut stale = Vec::new();
    for patch in &patches {
        if let Err(error) = patch.check(root()) {
            eprintln!("{error:#}");
            stale.push(patch.name.as_str());
        }
    }
    ensure!(
        stale.is_empty(),
        "these mutations do not apply any more: {}; write them anew for the code as it is",
        stale.join(", ")
    );
    Ok(patches)
}

fn choose<'p>(patches: &'p [Patch], options: &Options) -> Result<Vec<&'p Patch>> {
    let caught: Vec<&Patch> = patches.iter().filter(|patch| !patch.is_gap).collect();
    if options.all {
        return Ok(caught);
    }
    if let Some(count) = options.some {
        let turn = options.turn.map_or_else(turn_of_commit, Ok)?;
        return Ok(some(&caught, count, turn));
    }
    ensure!(!options.names.is_empty(), "name mutations, or say --all, --some N or --check");
    for name in &options.names {
        if !patches.iter().any(|patch| patch.name.contains(name.as_str())) {
            bail!("there is no mutation {name:?}; crates/sim/mutations has them");
        }
    }
    let is_named = |patch: &&Patch| options.names.iter().any(|n| patch.name.contains(n.as_str()));
    Ok(patches.iter().filter(is_named).collect())
}

/// As many as that, the next ones with each turn.
fn some<T: Copy>(all: &[T], count: usize, turn: u64) -> Vec<T> {
    let length = all.len() as u64;
    let first = (turn % length.max(1)) * count as u64;
    let count = count.min(all.len()) as u64;
    let place = |i| usize::try_from((first + i) % length).expect("it is below a length");
    (0..count).map(|i| all[place(i)]).collect()
}

/// A number that is the same wherever this commit is checked.
fn turn_of_commit() -> Result<u64> {
    let mut git = std::process::Command::new("git");
    let hash = output(git.args(["rev-parse", "HEAD"]).current_dir(root()))
        .context("without git, say --turn T")?;
    let start = hash.get(..12).context("git gave no hash of a commit")?;
    Ok(u64::from_str_radix(start, 16)?)
}

/// Nobody must find anything while nothing is broken.
fn verify(scratch: &Scratch, chosen: &[&Patch], seeds: u64) -> Result<Duration> {
    eprintln!("without mutations: compiling ...");
    scratch.build().context("compiling without mutations")?;
    let began = Instant::now();
    eprintln!("without mutations: {seeds} seeds ...");
    if let Swarm::Found { checker, what, seed } = scratch.swarm(seeds, A_DAY)? {
        bail!("seed {seed} goes wrong without any mutation, by {checker}: {what}");
    }
    let took = began.elapsed();
    let mut asked = Vec::new();
    for witness in chosen.iter().filter_map(|patch| patch.witness()) {
        if !asked.contains(&witness) {
            eprintln!("without mutations: {witness} ...");
            let content = scratch.is_content(&witness, A_DAY)?;
            ensure!(content, "{witness} finds something without any mutation");
            asked.push(witness);
        }
    }
    Ok(took)
}

/// A fault may make worlds slower, and may make one that never ends.
fn limit(clean: Duration) -> Duration {
    clean * 10 + Duration::from_secs(60)
}

fn try_out(scratch: &Scratch, patch: &Patch, seeds: u64, limit: Duration) -> Result<Line> {
    eprintln!("{}: {}", patch.name, patch.breaks);
    let began = Instant::now();
    scratch.apply(patch)?;
    let verdict = match scratch.build() {
        Err(error) => Verdict::Broken(format!("{error:#}")),
        Ok(()) => match scratch.swarm(seeds, limit)? {
            Swarm::Clean => ask(scratch, patch)?,
            Swarm::Found { checker, what, seed } => Verdict::Caught { checker, what, seeds: seed },
        },
    };
    scratch.restore(patch)?;
    Ok(Line::new(patch, verdict, began.elapsed()))
}

/// No checker has found anything. Some rules only a test or a scenario can see.
fn ask(scratch: &Scratch, patch: &Patch) -> Result<Verdict> {
    match patch.witness() {
        Some(witness) if !scratch.is_content(&witness, WITNESS)? => Ok(Verdict::Seen(witness)),
        Some(_) | None => Ok(Verdict::Unnoticed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_applies() {
        let patches = applicable().unwrap();
        assert!(patches.iter().filter(|patch| !patch.is_gap).count() >= 40);
    }

    #[test]
    fn turns_take_all_of_them_in_turn() {
        let all: Vec<u32> = (0..7).collect();
        assert_eq!(some(&all, 3, 0), [0, 1, 2]);
        assert_eq!(some(&all, 3, 1), [3, 4, 5]);
        assert_eq!(some(&all, 3, 2), [6, 0, 1]);
        assert_eq!(some(&all, 9, 1).len(), 7);
        assert_eq!(some(&all, 3, u64::MAX), some(&all, 3, u64::MAX % 7));
    }

    #[test]
    fn the_commit_gives_the_same_turn_each_time() {
        assert_eq!(turn_of_commit().ok(), turn_of_commit().ok());
    }
}

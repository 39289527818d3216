//! `cargo xtask bench guard`: instructions, allocations and bytes of fixed pieces of work, beside the figures in the tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::shell::{cargo, output, root, run as shell, target_folder};
use crate::tools;

/// How to guard.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Write the figures of now into the tree, in place of those of before.
    #[arg(long)]
    write: bool,
}

/// Figures may differ by this share. Those that are less than before by more than this are to be written down too.
const TOLERANCE: f64 = 0.02;
/// Where they are.
const FIGURES: &str = "bench/guard.json";
/// What is counted.
const COUNTS: [&str; 3] = ["instructions", "allocations", "bytes"];

/// The C library copies memory by whatever the processor at hand can do, and that makes up to a twentieth of the instructions: here it
/// does so by what every x86-64 processor can.
const PLAIN_COPIES: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load",
);

/// By the name of the work, and then of what is counted.
type Figures = BTreeMap<String, BTreeMap<String, u64>>;

/// # Errors
///
/// When a figure differs from the one in the tree, or can't be taken.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install(&[("valgrind", "valgrind")]);
    shell(&mut cargo(["build", "--release", "-p", "mingle-bench", "--example", "guard"]))?;
    let program = target_folder().join("release/examples/guard");
    let now = taken(&program)?;
    let path = root().join(FIGURES);
    let compiler = output(Command::new("rustc").arg("--version"))?.trim().to_owned();
    if options.write {
        let text = serde_json::to_string_pretty(&json!({"compiler": compiler, "figures": now}))?;
        fs::write(&path, text + "\n").with_context(|| format!("writing {FIGURES}"))?;
        println!("{FIGURES} has the figures of now");
        return Ok(());
    }
    let (their_compiler, before) = read(&path)?;
    let is_same_compiler = their_compiler == compiler;
    if !is_same_compiler {
        println!(
            "{FIGURES} is of {their_compiler}, and this is {compiler}: instructions are shown and not judged"
        );
    }
    let verdict = compared(&before, &now, is_same_compiler);
    print!("{}", verdict.table);
    ensure!(
        verdict.wrong.is_empty(),
        "{}; where that is meant: cargo xtask bench guard --write, and say in the commit why",
        verdict.wrong.join("; ")
    );
    Ok(())
}

fn read(path: &Path) -> Result<(String, Figures)> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("reading {FIGURES}; cargo xtask bench guard --write makes it"))?;
    let mut all: Value =
        serde_json::from_str(&text).with_context(|| format!("reading {FIGURES}"))?;
    let compiler = all["compiler"].as_str().unwrap_or_default().to_owned();
    let figures = serde_json::from_value(all["figures"].take());
    Ok((compiler, figures.with_context(|| format!("the figures of {FIGURES}"))?))
}

/// All figures of the program as it is.
fn taken(program: &Path) -> Result<Figures> {
    let mut figures = Figures::new();
    for line in output(&mut Command::new(program))?.lines() {
        let said: Value =
            serde_json::from_str(line).with_context(|| format!("it said {line:?}"))?;
        let name = said["name"].as_str().context("work has a name")?;
        let mut counts: BTreeMap<String, u64> = ["allocations", "bytes"]
            .into_iter()
            .filter_map(|what| Some((what.to_owned(), said[what].as_u64()?)))
            .collect();
        counts.insert("instructions".to_owned(), instructions(program, name)?);
        figures.insert(name.to_owned(), counts);
    }
    Ok(figures)
}

/// Of one piece of work, as callgrind counts them.
fn instructions(program: &Path, name: &str) -> Result<u64> {
    let folder = target_folder().join("bench");
    fs::create_dir_all(&folder)?;
    let out: PathBuf = folder.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", "--toggle-collect=guard::measured*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(name)
        .env(PLAIN_COPIES.0, PLAIN_COPIES.1);
    output(&mut command).context("counting instructions")?;
    let text = fs::read_to_string(&out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok()).filter(|&total| total > 0);
    total.with_context(|| {
        format!("callgrind counted nothing of {name:?}: has guard::measured another name now?")
    })
}

struct Verdict {
    table: String,
    wrong: Vec<String>,
}

fn compared(before: &Figures, now: &Figures, instructions_count: bool) -> Verdict {
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (name, counts) in now {
        for what in COUNTS {
            let figure = counts.get(what).copied().unwrap_or_default();
            let Some(&known) = before.get(name).and_then(|counts| counts.get(what)) else {
                wrong.push(format!("{name}: no {what} in {FIGURES}"));
                continue;
            };
            let change = change(known, figure);
            let _ = writeln!(
                table,
                "{name:15} {what:13} {known:>12} -> {figure:>12}  {:+.2} %",
                100.0 * change
            );
            if change.abs() > TOLERANCE && (instructions_count || what != "instructions") {
                wrong.push(format!("{name}: {what} {known} -> {figure}, {:+.1} %", 100.0 * change));
            }
        }
    }
    wrong.extend(
        before
            .keys()
            .filter(|name| !now.contains_key(*name))
            .map(|name| format!("{name} is measured no more")),
    );
    Verdict { table, wrong }
}

/// As a share of what it was; of nothing, what comes is more than any share.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn change(before: u64, now: u64) -> f64 {
    match (before, now) {
        (0, 0) => 0.0,
        (0, _) => f64::INFINITY,
        (before, now) => now as f64 / before as f64 - 1.0,
    }
}

/// Runs it with the other checks.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn check() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("callgrind is looked for on Linux alone; leave this step out with --skip guard");
    }
    run(&Options::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(instructions: u64, allocations: u64) -> Figures {
        let counts = [("instructions", instructions), ("allocations", allocations), ("bytes", 64)];
        let counts = counts.map(|(what, count)| (what.to_owned(), count));
        Figures::from([("ping".to_owned(), BTreeMap::from(counts))])
    }

    #[test]
    fn two_percent_either_way_is_told() {
        let wrong = |now: &Figures| compared(&figures(1000, 0), now, true).wrong;
        assert!(wrong(&figures(1019, 0)).is_empty());
        assert_eq!(wrong(&figures(1021, 0)), ["ping: instructions 1000 -> 1021, +2.1 %"]);
        assert_eq!(wrong(&figures(979, 0)), ["ping: instructions 1000 -> 979, -2.1 %"]);
        assert_eq!(wrong(&figures(1000, 1)), ["ping: allocations 0 -> 1, +inf %"]);
    }

    #[test]
    fn another_compiler_makes_other_instructions_and_the_same_allocations() {
        let judged = |now: &Figures| compared(&figures(1000, 5), now, false).wrong;
        assert!(judged(&figures(2000, 5)).is_empty());
        assert_eq!(judged(&figures(2000, 6)).len(), 1);
    }

    #[test]
    fn work_that_comes_or_goes_is_told() {
        let nothing = Figures::new();
        assert_eq!(compared(&nothing, &figures(1, 1), true).wrong.len(), COUNTS.len());
        assert_eq!(compared(&figures(1, 1), &nothing, true).wrong, ["ping is measured no more"]);
    }
}

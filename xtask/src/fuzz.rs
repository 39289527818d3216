//! `cargo xtask fuzz`: each target for a while. Not part of `ci`, which replays the corpus as a test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::shell::{cargo, output, root, run as shell, target_folder};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 5)]
    minutes: u64,
}

/// Runs each target for some minutes.
///
/// # Errors
///
/// When a target finds something, or the fuzzer is not installed.
pub(crate) fn run(options: &Options) -> Result<()> {
    each_target(options.minutes * 60)
}

/// Runs each target for twenty seconds.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn smoke() -> Result<()> {
    each_target(20)
}

fn each_target(seconds: u64) -> Result<()> {
    output(cargo(["fuzz", "--version"]).current_dir(root()))
        .context("cargo-fuzz is missing; run `cargo install --locked cargo-fuzz`")?;
    let names = targets()?;
    ensure!(!names.is_empty(), "fuzz/fuzz_targets has no target");
    for name in names {
        println!("== {name} for {seconds} s");
        // By rustup's cargo, as the one that runs us is of a stable toolchain. There is no unsafe
        // code for the address sanitizer to watch.
        let mut fuzz = Command::new("cargo");
        fuzz.args(["+nightly", "fuzz", "run", "--sanitizer", "none", &name]);
        fuzz.arg(found_folder(&name)?).arg(root().join("fuzz/corpus").join(&name)).arg("--");
        fuzz.arg(format!("-max_total_time={seconds}")).arg("-rss_limit_mb=4096");
        fuzz.current_dir(root()).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        shell(&mut fuzz).with_context(|| format!("the target {name} of fuzz/fuzz_targets"))?;
    }
    Ok(())
}

/// Where new inputs go: what belongs into the corpus is chosen by hand.
fn found_folder(target: &str) -> Result<PathBuf> {
    let folder = target_folder().join("fuzz").join(target);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::patch::{Patch, Witness};
use crate::shell::{cargo, output, root, target_folder};

/// A copy of the sources to break, and what is compiled of it. It stays from run to run, so that only
/// what a mutation changes is compiled anew.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
}

/// What came of a run of the swarm.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Swarm {
    Clean,
    Found {
        checker: String,
        what: String,
        /// Seeds are numbered from 1, so this is how many it took.
        seed: u64,
    },
}

impl Scratch {
    /// Copies what git knows, as it is in the working tree.
    pub(super) fn make() -> Result<Self> {
        let scratch = Self { folder: target_folder().join("mutate") };
        let mut git = Command::new("git");
        let listed = output(git.args(["ls-files", "-z"]).current_dir(root()))?;
        let wanted: BTreeSet<&str> =
            listed.split('\0').filter(|file| root().join(file).is_file()).collect();
        for &file in &wanted {
            copy_if_changed(&root().join(file), &scratch.tree().join(file))?;
        }
        remove_others(&scratch.tree(), "", &wanted)?;
        Ok(scratch)
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Breaks the copy.
    pub(super) fn apply(&self, patch: &Patch) -> Result<()> {
        patch.apply(&self.tree())
    }

    /// Mends it again.
    pub(super) fn restore(&self, patch: &Patch) -> Result<()> {
        patch.revert(&self.tree())
    }

    /// Compiles the simulator: fast to compile, fast to run, and without debug assertions, since it
    /// is the checkers that are on trial and not the machine's own assertions.
    pub(super) fn build(&self) -> Result<()> {
        let mut build = cargo(["build", "--quiet", "--locked", "--release", "-p", "mingle-sim"]);
        self.like_the_simulator(&mut build);
        output(&mut build).map(drop)
    }

    fn like_the_simulator(&self, build: &mut Command) {
        build.current_dir(self.tree()).env("CARGO_TARGET_DIR", self.folder.join("target"));
        build.env("CARGO_INCREMENTAL", "1");
        build.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        build.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        build.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "false");
    }

    /// Runs the swarm over seeds from 1 until one goes wrong, for so long at most.
    pub(super) fn swarm(&self, seeds: u64, limit: Duration) -> Result<Swarm> {
        let said = self.folder.join("swarm.json");
        let complained = self.folder.join("swarm.log");
        let mut swarm = Command::new(self.folder.join("target/release/mingle-sim"));
        swarm.args(["swarm", "--from", "1", "--shrink", "0", "--json", "--seeds"]);
        swarm.arg(seeds.to_string()).current_dir(&self.folder);
        swarm.stdin(Stdio::null()).stdout(File::create(&said)?).stderr(File::create(&complained)?);
        let mut child = swarm.spawn().context("can't start the simulator")?;
        let Some(code) = wait(&mut child, limit)? else {
            let what = format!("not at the end after {} s", limit.as_secs());
            return Ok(Swarm::Found { checker: "patience".to_owned(), what, seed: seeds });
        };
        let (said, complaints) = (fs::read_to_string(&said)?, fs::read_to_string(&complained)?);
        match code {
            0 => Ok(Swarm::Clean),
            1 => found(&said),
            _ => panicked(&complaints, seeds)
                .with_context(|| format!("the simulator ended with {code}:\n{complaints}")),
        }
    }

    /// Whether this test or scenario sees nothing wrong within so long.
    pub(super) fn is_content(&self, witness: &Witness, limit: Duration) -> Result<bool> {
        let said = self.folder.join("witness.log");
        let mut command = match witness {
            Witness::Test(name) => {
                // What does not compile sees nothing.
                output(&mut self.tests(&["--no-run"]))?;
                self.tests(&["--", "--exact", name])
            }
            Witness::Scenario(name) => {
                let mut run = Command::new(self.folder.join("target/release/mingle-sim"));
                run.arg("run").arg(self.tree().join(format!("crates/sim/scenarios/{name}.toml")));
                run
            }
        };
        let log = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().with_context(|| format!("can't start {witness}"))?;
        let is_content = wait(&mut child, limit)? == Some(0);
        let is_there = !matches!(witness, Witness::Test(_))
            || fs::read_to_string(&said)?.lines().any(|line| line == "running 1 test");
        ensure!(is_there, "there is no {witness}");
        Ok(is_content)
    }

    fn tests(&self, arguments: &[&str]) -> Command {
        let mut test =
            cargo(["test", "--locked", "--release", "-p", "mingle-proto", "--no-fail-fast"]);
        test.args(["--lib", "--test", "node"]).args(arguments);
        self.like_the_simulator(&mut test);
        test
    }
}

/// How it ended; `None` when it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<i32>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            // Without a code it was ended by a signal, as by its own abort.
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn found(said: &str) -> Result<Swarm> {
    let line = said.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(line)
        .with_context(|| format!("the swarm's last line is no JSON: {line:?}"))?;
    let text = |field: &str| value[field].as_str().map(str::to_owned).unwrap_or_default();
    let seed = value["failed_seed"].as_u64().context("the swarm failed without a seed")?;
    let (checker, what) = (text("checker"), text("what"));
    ensure!(!checker.is_empty(), "the swarm failed without a checker");
    Ok(Swarm::Found { checker, what, seed })
}

/// A machine that is broken enough for its own assertions was noticed too.
fn panicked(complaints: &str, seeds: u64) -> Result<Swarm> {
    let mut lines = complaints.lines().skip_while(|line| !line.contains("panicked at"));
    if lines.next().is_none() {
        bail!("the simulator failed, and not by a panic");
    }
    let what = lines.next().unwrap_or_default().to_owned();
    Ok(Swarm::Found { checker: "panic".to_owned(), what, seed: seeds })
}

/// Files that are the same keep their times, so that they are not compiled again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    if fs::read(to).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, bytes).with_context(|| format!("writing {}", to.display()))
}

fn remove_others(tree: &Path, folder: &str, wanted: &BTreeSet<&str>) -> Result<()> {
    for entry in fs::read_dir(tree.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            remove_others(tree, &format!("{path}/"), wanted)?;
        } else if !wanted.contains(path.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_swarm_found_is_read() {
        let said = r#"{"failed_seed":7,"seeds_run":7,"checker":"law","what":"n1: it fell"}"#;
        let expected =
            Swarm::Found { checker: "law".to_owned(), what: "n1: it fell".to_owned(), seed: 7 };
        assert_eq!(found(said).unwrap(), expected);
        assert!(found(r#"{"failed_seed":null}"#).is_err() && found("").is_err());
    }

    #[test]
    fn a_panic_counts_and_another_failure_does_not() {
        let panic = "\nthread 'main' panicked at x.rs:1:1:\nthe ring is torn\nnote: run with\n";
        let Swarm::Found { checker, what, .. } = panicked(panic, 9).unwrap() else { panic!() };
        assert_eq!((checker.as_str(), what.as_str()), ("panic", "the ring is torn"));
        assert!(panicked("error: unexpected argument", 9).is_err());
    }

    #[test]
    fn a_copy_has_what_is_wanted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("from")).unwrap();
        fs::write(at("from/a"), "1").unwrap();
        copy_if_changed(&at("from/a"), &at("to/x/a")).unwrap();
        fs::write(at("to/x/b"), "2").unwrap();
        remove_others(&at("to"), "", &BTreeSet::from(["x/a"])).unwrap();
        assert!(at("to/x/a").is_file() && !at("to/x/b").exists());
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert_eq!(wait(&mut child, Duration::from_millis(30)).unwrap(), None);
    }
}

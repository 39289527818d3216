//! What a scenario gets from the runner.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::peers::Peers;

/// The surroundings of one scenario: the installed peers, and a folder for its logs.
#[derive(Debug, Clone)]
pub struct Context {
    peers: Peers,
    log_dir: PathBuf,
}

impl Context {
    /// A context whose processes log into `log_dir`, which must exist.
    #[must_use]
    pub fn new(peers: Peers, log_dir: PathBuf) -> Self {
        Self { peers, log_dir }
    }

    /// The installed peers.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The folder for the logs of this scenario's processes, one `NAME.log` each.
    #[must_use]
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Takes one step of a longer story: an error tells in which step it came, and `steps.txt` beside the logs how long each took.
    ///
    /// # Errors
    ///
    /// The error of the step itself.
    pub fn step<T>(&self, what: &str, take: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = take();
        let verdict = if result.is_ok() { "ok" } else { "failed" };
        let steps = self.log_dir.join("steps.txt");
        let mut steps = OpenOptions::new().create(true).append(true).open(steps)?;
        writeln!(steps, "{verdict:6} {:6.1} s  {what}", start.elapsed().as_secs_f32())?;
        result.with_context(|| what.to_owned())
    }
}

//! A collector that prints what it is told, and drops it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use super::told::Told;
use crate::shell::output;

/// Where it listens.
pub(super) const URL: &str = "http://127.0.0.1:4318";

/// A collector that runs. Killed when dropped.
#[derive(Debug)]
pub(super) struct Collector {
    child: Child,
    printed: PathBuf,
}

impl Collector {
    /// Starts one that knows nothing of those before it. Whoever waits for it sees when it is ready.
    pub(super) fn start(program: &Path, folder: &Path, number: u8) -> Result<Self> {
        let of = |ending: &str| folder.join(format!("collector-{number}.{ending}"));
        let mut command = Command::new(program);
        command.args(["start", "--exporter", "blackhole", "--batch-timeout", "50ms"]);
        command.args(["--debug-log", "traces", "--debug-log", "metrics"]);
        command.args(["--debug-log-verbosity", "detailed"]);
        command.args(["--otlp-http-endpoint", URL.trim_start_matches("http://")]);
        command.args(["--otlp-grpc-endpoint", "127.0.0.1:4317"]);
        command.arg("--pid-file").arg(of("pid")).arg("--log-file").arg(of("log"));
        let printed = of("txt");
        command.stdin(Stdio::null()).stdout(File::create(&printed)?);
        command.stderr(File::create(of("err"))?);
        let child = command.spawn().context("can't start the collector")?;
        Ok(Self { child, printed })
    }

    /// What it has been told so far.
    pub(super) fn told(&self) -> Result<Told> {
        Ok(Told::read(&fs::read_to_string(&self.printed)?))
    }

    /// What the kernel sends it.
    pub(super) fn signal(&self, signal: &str) -> Result<()> {
        output(Command::new("kill").args([signal, &self.child.id().to_string()])).map(drop)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! An agent in a room.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::room::{Room, in_network_of};
use crate::shell::{output, run as shell};

/// An agent that is ready. It is killed if nobody tells it to leave.
#[derive(Debug)]
pub(super) struct Agent {
    process: Child,
    /// What it said of itself.
    pub(super) ready: Value,
}

impl Agent {
    /// Starts it with a command that has `--json`, and waits until it is ready.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn().context("can't start an agent")?;
        let stdout = process.stdout.take().context("an agent without a standard output")?;
        let mut agent = Self { process, ready: Value::Null };
        let line = first_line(stdout).context("the agent is not ready")?;
        agent.ready = serde_json::from_str(&line).with_context(|| format!("it says {line:?}"))?;
        ensure!(agent.ready["event"] == "ready", "it says {line:?}");
        Ok(agent)
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it answers to a path, with its status line.
    pub(super) fn ask(&self, path: &str) -> Result<String> {
        output(&mut in_network_of(self.id(), ["bash", "-c", ASK, "bash", path]))
    }

    /// The agent says that it runs, and that its command line does.
    pub(super) fn check(&self, room: &Room, program: &str) -> Result<()> {
        let health = self.ask("/healthz")?;
        ensure!(health.starts_with("HTTP/1.1 200 "), "/healthz answers {health:?}");
        let said = output(&mut room.beside(self.id(), [program, "info", "--json"]))?;
        let info: Value = serde_json::from_str(&said)?;
        ensure!(info["name"] == self.ready["name"], "`mingle info` says {said}");
        Ok(())
    }

    /// Sends a signal, upon which it must say goodbye and end well, within the time that a goodbye takes at most.
    pub(super) fn leave(mut self, signal: &str) -> Result<Duration> {
        let began = Instant::now();
        shell(Command::new("kill").args(["-s", signal, &self.id().to_string()]))?;
        let status = self.end(Duration::from_secs(10))?;
        ensure!(status.success(), "after SIG{signal} the agent ended with {status}");
        Ok(began.elapsed())
    }

    fn end(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the agent does not end within {within:?}")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that has ended cannot be killed any more, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request of HTTP by bash, as every machine has it.
const ASK: &str = r#"
exec 3<>/dev/tcp/127.0.0.1/7374
printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$1" >&3
timeout 10 cat <&3
"#;

fn first_line(from: impl std::io::Read + Send + 'static) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(from).lines();
        // Whoever waited has gone when this fails.
        let _ = sender.send(lines.next());
        // An agent whose output nobody reads would break.
        lines.for_each(drop);
    });
    let line = receiver.recv_timeout(Duration::from_secs(30)).context("nothing within 30 s")?;
    Ok(line.context("it ended at once")??)
}

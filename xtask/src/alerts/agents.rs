//! Agents of a trial, on loopback addresses of their own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::shell::output;

/// Where an agent is: the cluster's number, and its own in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) cluster: u8,
    pub(crate) agent: u8,
}

impl Place {
    pub(crate) fn ip(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 7, self.cluster, self.agent)
    }

    pub(crate) fn gossip(self) -> SocketAddr {
        (self.ip(), 7946).into()
    }

    pub(crate) fn http(self) -> SocketAddr {
        (self.ip(), 7374).into()
    }
}

/// An agent that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    pub(crate) place: Place,
}

impl Agent {
    /// Starts an agent, and waits until it is ready.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        place: Place,
        more: &[&str],
    ) -> Result<Self> {
        let name = format!("{}-{}", place.cluster, place.agent);
        let log = File::create(folder.join(format!("{name}.log")))?;
        let (bind, http) = (place.gossip().to_string(), place.http().to_string());
        let mut command = Command::new(program);
        command.args(["agent", "--json", "--profile", "local", "--http", &http]).args(more);
        for (flag, value) in [("--name", &name), ("--bind", &bind)] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("can't start the agent")?;
        let stdout = child.stdout.take().expect("it is piped");
        let agent = Self { child, place };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the agent {name} has ended at once; see its log");
        Ok(agent)
    }

    /// What the kernel sends it.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        output(Command::new("kill").args([signal, &self.child.id().to_string()])).map(drop)
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Result<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(began.elapsed() < PATIENCE, "an agent does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it answers at `/metrics`.
    pub(crate) fn metrics(&self) -> Result<String> {
        get(self.place.http(), "/metrics")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An agent that stands still and runs in turn, until this is dropped.
#[derive(Debug)]
pub(crate) struct Stutter {
    end: Arc<AtomicBool>,
    turns: Option<JoinHandle<Result<()>>>,
}

impl Stutter {
    pub(crate) fn start(agent: Agent, still: Duration, run: Duration) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&end);
        let turns = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                agent.signal("-STOP")?;
                thread::sleep(still);
                agent.signal("-CONT")?;
                thread::sleep(run);
            }
            Ok(())
        });
        Self { end, turns: Some(turns) }
    }
}

impl Drop for Stutter {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.turns.take().map(JoinHandle::join) {
            eprintln!("xtask: an agent did not stand still: {error:#}");
        }
    }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body of an answer over HTTP.
pub(crate) fn get(server: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In version 1.0 the end of the connection is the end of the body.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer of HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{path} at {server}: {status}: {body}");
    Ok(body.to_owned())
}

/// The names in a page of metrics, each as it is spelled in an expression.
pub(crate) fn names(metrics: &str) -> BTreeSet<&str> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split([' ', '{']).next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_samples_are_told_and_not_those_of_families() {
        let page = "# TYPE mingle_a histogram\nmingle_a_bucket{le=\"1\"} 2\nmingle_a_sum 3\n";
        assert_eq!(names(page), BTreeSet::from(["mingle_a_bucket", "mingle_a_sum"]));
    }
}

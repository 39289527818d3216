//! A process with many nodes of one system, in a network namespace of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::shell::run;

/// How to start one.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// As it is called in tables.
    pub(super) system: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

/// One that runs. It and its namespace are gone when this value is.
#[derive(Debug)]
pub(super) struct Crowd {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    namespace: Namespace,
}

/// A thousand nodes have two sockets each, and connections: as many files as the system lets it have.
const MANY_FILES: &str = r#"ulimit -n "$(ulimit -Hn)" && exec "$0" "$@""#;
/// Its threads for nodes: as many as the smallest machine has that this is run on.
const THREADS: &str = "2";

impl Crowd {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When no namespace can be made, or the program does not start.
    pub(super) fn start(recipe: &Recipe) -> Result<Self> {
        let namespace = Namespace::create(&format!("mingle-bench-{}", std::process::id()))?;
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &namespace.name, "sh", "-c", MANY_FILES])
            .arg(&recipe.program)
            .args(&recipe.arguments)
            .env("GOMAXPROCS", THREADS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("can't start ip netns exec")?;
        let output = child.stdout.take().context("it has a standard output")?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        Ok(Self { input: child.stdin.take(), child, answers, namespace })
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command, and waits for its answer.
    ///
    /// # Errors
    ///
    /// When it says that something went wrong, says nothing for that long, or has ended.
    pub(super) fn ask(&mut self, command: &Value, patience: Duration) -> Result<Value> {
        let input = self.input.as_mut().context("its standard input is closed")?;
        let what = command["do"].as_str().unwrap_or("a command").to_owned();
        writeln!(input, "{command}").with_context(|| format!("it ended before {what}"))?;
        let line = match self.answers.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                bail!("{what}: no answer within {} s", patience.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                bail!("{what}: it ended with {status}");
            }
        };
        let answer: Value =
            serde_json::from_str(&line).with_context(|| format!("{what}: it said {line:?}"))?;
        ensure!(answer.get("error").is_none(), "{what}: {}", answer["error"]);
        Ok(answer)
    }

    /// From now on nobody hears of the node at this address, and it of nobody.
    ///
    /// # Errors
    ///
    /// When `nft` refuses.
    pub(super) fn silence(&self, address: &str) -> Result<()> {
        for way in ["saddr", "daddr"] {
            let rule = format!("add rule inet bench input ip {way} {address} drop");
            self.namespace.nft(&rule)?;
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Namespace {
    name: String,
}

impl Namespace {
    fn create(name: &str) -> Result<Self> {
        run(Command::new("ip").args(["netns", "add", name]))
            .context("no network namespace can be made; run it as root")?;
        let namespace = Self { name: name.to_owned() };
        run(Command::new("ip").args(["-n", name, "link", "set", "lo", "up"]))?;
        namespace.nft("add table inet bench")?;
        namespace.nft("add chain inet bench input { type filter hook input priority 0; }")?;
        Ok(namespace)
    }

    fn nft(&self, rule: &str) -> Result<()> {
        run(Command::new("ip").args(["netns", "exec", &self.name, "nft", rule]))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name])) {
            eprintln!("{error:#}");
        }
    }
}

/// Where node `number` of a crowd is.
pub(super) fn address(number: u32) -> String {
    format!("127.77.{}.{}", number / 250, 1 + number % 250)
}

//! `cargo xtask api`: thousands of requests that the agent's own document calls right or wrong.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::interop::build_agent;
use crate::shell::{output, root, run as shell, target_folder};
use crate::tools;

/// How much to ask.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Requests of each kind for each path.
    #[arg(long, default_value_t = 300)]
    examples: u32,
    /// What to draw the requests from; the same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The agent, in a namespace that was made for it.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

/// Programs that it needs, and Debian's packages with them.
const TOOLS: [(&str, &str); 3] =
    [("python3", "python3-venv"), ("unshare", "util-linux"), ("ip", "iproute2")];

/// What draws the requests and judges the answers.
const SCHEMATHESIS: &str = "4.32.5";

/// Starts agents in a network namespace of their own, where addresses that are asked to join lead
/// nowhere, and asks one of them all that its document allows, and what it does not.
///
/// # Errors
///
/// When something is missing, an answer is not as the document says, or the membership was disturbed.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(agent) = &options.inside {
        return inside(agent, options);
    }
    tools::install(&TOOLS);
    for (tool, package) in TOOLS {
        ensure!(tools::is_installed(tool), "{tool} is missing; install the package {package}");
    }
    let agent = build_agent()?;
    if !schemathesis().is_file() {
        let folder = environment();
        shell(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let package = format!("schemathesis=={SCHEMATHESIS}");
        shell(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).arg(package))?;
    }
    let itself = std::env::current_exe().context("where this program is")?;
    let mut again = Command::new("unshare");
    again.args(["--net", "--map-root-user", "--"]).arg(itself).args(["api", "--inside"]);
    again.arg(agent).args(["--examples", &options.examples.to_string()]);
    shell(again.args(["--seed", &options.seed.to_string()]))
}

fn environment() -> PathBuf {
    target_folder().join(format!("schemathesis-{SCHEMATHESIS}"))
}

fn schemathesis() -> PathBuf {
    environment().join("bin/schemathesis")
}

/// Where the agent answers that is asked.
const HTTP: &str = "127.0.0.1:7374";

fn inside(program: &Path, options: &Options) -> Result<()> {
    shell(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let folder = target_folder().join("api");
    std::fs::create_dir_all(&folder)?;
    let keyring = folder.join("keys.json");
    std::fs::write(&keyring, "[\"AAAAAAAAAAAAAAAAAAAAAA==\"]")?;
    std::fs::set_permissions(&keyring, std::fs::Permissions::from_mode(0o600))?;
    let keys = ["--keyring-file", keyring.to_str().context("a path that is no UTF-8")?];
    let asked = Agent::start(program, &[&["--name", "a", "--http", HTTP], &keys[..]].concat())?;
    let seed = ["--retry-join", "127.0.0.1:7946", "--encrypt", "AAAAAAAAAAAAAAAAAAAAAA=="];
    let mut others = Vec::new();
    for (name, bind) in [("b", "127.0.0.1:7947"), ("c", "127.0.0.1:7948")] {
        let places = ["--name", name, "--bind", bind, "--http", "127.0.0.1:0"];
        others.push(Agent::start(program, &[&places, &seed[..]].concat())?);
    }
    asked.wait_for(program, "3 alive, 0 suspect, 0 dead, 0 left")?;
    shell(
        Command::new(schemathesis())
            .arg("--config-file")
            .arg(root().join("xtask/schemathesis.toml"))
            .args(["run", &format!("http://{HTTP}/v1/openapi.json"), "--checks", "all"])
            .args(["--max-examples", &options.examples.to_string()])
            .args(["--seed", &options.seed.to_string()])
            .current_dir(&folder),
    )?;
    asked.wait_for(program, "3 alive, 0 suspect, 0 dead, 0 left")?;
    let stats = output(Command::new(program).args(["why", "b", "--http", HTTP]))?;
    ensure!(!stats.contains("suspected"), "the membership was disturbed:\n{stats}");
    println!("all three members are as they were, and nobody was suspected");
    Ok(())
}

/// Killed when dropped.
struct Agent(Child);

impl Agent {
    fn start(program: &Path, flags: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["agent", "--json", "--log-level", "error"]).args(flags);
        let mut agent = Self(command.stdout(Stdio::piped()).spawn()?);
        let stdout = agent.0.stdout.take().context("it was asked for")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.contains("\"ready\""), "an agent is not ready: {line:?}");
        Ok(agent)
    }

    /// Waits until the asked agent counts its members so.
    fn wait_for(&self, program: &Path, members: &str) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            let info = output(Command::new(program).args(["info", "--http", HTTP]))?;
            if info.contains(members) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("an agent does not have {members} within a minute")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

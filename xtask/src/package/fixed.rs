//! The static binary: one file that needs nothing of the system that it runs on.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::agent::Agent;
use super::room::{Room, in_network_of};
use super::{build, folder, fresh, megabytes};
use crate::shell::{output, run as shell};

const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds it and runs it where nothing else is.
///
/// # Errors
///
/// When it can't be built, needs something, or does not do its work there.
pub(super) fn check() -> Result<()> {
    let binary = built()?;
    println!("{}: {}", binary.display(), megabytes(&binary)?);
    needs_nothing(&binary)?;
    let root = fresh("empty")?;
    fs::copy(&binary, root.join("mingle"))?;
    let room = Room::locked(&root, "65532:65532", "");
    let first = Agent::start(room.command(["/mingle", "agent", "--name", "first", "--json"]))?;
    first.check(&room, "/mingle")?;
    println!("an agent runs in a root with nothing but its binary, as {}", memory(first.id())?);
    finds_names(&room, &first)?;
    let took = first.leave("TERM")?;
    println!("it said goodbye and ended {} ms after SIGTERM", took.as_millis());
    Ok(())
}

/// Compiles it, and gives its place among what is handed to others.
pub(super) fn built() -> Result<PathBuf> {
    let mut library = Command::new("rustc");
    let library = output(library.args(["--print", "target-libdir", "--target", TARGET]))?;
    if !Path::new(library.trim()).is_dir() {
        shell(Command::new("rustup").args(["target", "add", TARGET]))?;
    }
    let name = format!("mingle-{}-{TARGET}", env!("CARGO_PKG_VERSION"));
    let place = folder().join(name);
    fs::copy(build(Some(TARGET))?, &place)?;
    Ok(place)
}

/// No interpreter that loads libraries, and no libraries.
fn needs_nothing(binary: &Path) -> Result<()> {
    let headers = |file: &Path| {
        output(Command::new("readelf").args(["--wide", "--program-headers", "--dynamic"]).arg(file))
    };
    let is_free = |text: &str| !text.contains("INTERP") && !text.contains("(NEEDED)");
    ensure!(!is_free(&headers(Path::new("/bin/sh"))?), "readelf does not show what /bin/sh needs");
    ensure!(is_free(&headers(binary)?), "{} is linked dynamically", binary.display());
    Ok(())
}

/// What a process has in memory.
fn memory(process: u32) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(format!("{} resident", line.context("no VmRSS in its status")?.trim()))
}

/// Others join it by names, which stand in a file or come from a name server.
fn finds_names(room: &Room, first: &Agent) -> Result<()> {
    let settings = room.root().join("etc");
    fs::create_dir(&settings)?;
    ensure!(joins(room, first, "mingle").is_err(), "a name is known where nobody can know it");
    fs::write(settings.join("hosts"), "127.0.0.1 mingle\n")?;
    joins(room, first, "mingle").context("a name of /etc/hosts")?;
    fs::remove_file(settings.join("hosts"))?;
    let server = NameServer::start(first)?;
    let text = "nameserver 127.0.0.1\nsearch default.cluster.test cluster.test\noptions ndots:5\n";
    fs::write(settings.join("resolv.conf"), text)?;
    joins(room, first, "mingle").context("a name of a search domain, answered on a stream")?;
    joins(room, first, "srv+_gossip._tcp.mingle.cluster.test").context("records of a service")?;
    drop(server);
    println!("others join it by /etc/hosts, by a name of a search domain and by SRV records");
    Ok(())
}

/// A second agent joins the first by a name, is seen by it, and leaves.
fn joins(room: &Room, first: &Agent, name: &str) -> Result<()> {
    let mut words = vec!["/mingle", "agent", "--name", "second", "--bind", "127.0.0.1:7947"];
    let place = format!("{name}{}", if name.contains('+') { "" } else { ":7946" });
    words.extend(["--http", "127.0.0.1:7375", "--json", "--join", &place]);
    let second = Agent::start(room.beside(first.id(), words))?;
    let members: Value = serde_json::from_str(&output(
        &mut room.beside(first.id(), ["/mingle", "members", "--state", "alive", "--json"]),
    )?)?;
    let count = members.as_array().map_or(0, Vec::len);
    ensure!(count == 2, "the first agent sees {members}");
    second.leave("TERM")?;
    Ok(())
}

/// A name server in the network of an agent.
struct NameServer(Child);

impl NameServer {
    fn start(agent: &Agent) -> Result<Self> {
        let script = folder().join("names.py");
        fs::write(&script, include_str!("names.py"))?;
        let mut command = in_network_of(agent.id(), ["python3"]);
        command.arg(script).stdout(Stdio::piped());
        let mut server = Self(command.spawn().context("can't start a name server")?);
        let stdout = server.0.stdout.take().context("a name server without an output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "ready" {
            bail!("the name server is not ready");
        }
        Ok(server)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // It has no state, and may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

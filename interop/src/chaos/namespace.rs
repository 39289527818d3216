//! Network namespaces, by `ip netns`, each gone when its value is.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use crate::peers::run_to_end;

/// A network namespace with nothing in it but its loopback. It is removed when this value goes away; processes in it must have ended
/// before.
#[derive(Debug)]
pub(super) struct Namespace {
    name: String,
    handle: File,
}

impl Namespace {
    /// Creates one.
    ///
    /// # Errors
    ///
    /// When there is one of that name, or the system refuses.
    pub(super) fn create(name: &str) -> Result<Self> {
        ip(&["netns", "add", name])?;
        let path = Path::new(NAMESPACES).join(name);
        let handle = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let namespace = Self { name: name.to_owned(), handle };
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` knows it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Works inside, on a thread of its own: sockets that are opened and processes that are started there belong to this namespace.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered, and those of the work itself.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let inside = || {
            enter(&self.handle).with_context(|| format!("entering the namespace {}", self.name))?;
            work()
        };
        let end = thread::scope(|scope| scope.spawn(inside).join());
        end.unwrap_or_else(|_| Err(anyhow!("the work in {} panicked", self.name)))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("{error:#}");
        }
    }
}

/// Where `ip netns` keeps its namespaces.
pub(super) const NAMESPACES: &str = "/run/netns";

#[cfg(target_os = "linux")]
fn enter(handle: &File) -> io::Result<()> {
    use std::os::fd::AsFd as _;

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network)).map_err(Into::into)
}

#[cfg(not(target_os = "linux"))]
fn enter(_handle: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Runs `ip` and gives what it printed.
///
/// # Errors
///
/// When it fails; the error has its words.
pub(super) fn ip(arguments: &[&str]) -> Result<String> {
    run_to_end(Command::new("ip").args(arguments), TOOL_TIMEOUT)
        .with_context(|| format!("ip {}", arguments.join(" ")))
}

/// Longer than `ip`, `nft`, `mount` and their like ever take.
pub(super) const TOOL_TIMEOUT: Duration = Duration::from_secs(20);

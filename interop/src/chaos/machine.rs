//! What cases need of the machine, and what an earlier run that was killed has left on it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::namespace::{NAMESPACES, TOOL_TIMEOUT, ip};
use crate::peers::run_to_end;

/// What this machine lacks for chaos cases, each with what to do about it. Empty when nothing is lacking.
#[must_use]
pub fn unmet_needs() -> Vec<String> {
    let tools = TOOLS.iter().filter(|(tool, _)| !is_installed(tool)).map(|(tool, package)| {
        format!(
            "there is no `{tool}` in PATH: apt-get install {package} (Debian's package {package})"
        )
    });
    let root = (!geteuid().is_root())
        .then(|| "network namespaces, nftables and mounts need root: run it as root".to_owned());
    tools.chain(root).collect()
}

/// Programs, and Debian's packages with them.
const TOOLS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("mount", "mount"),
    ("unshare", "util-linux"),
    ("dnsmasq", "dnsmasq-base"),
];

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// With what the names of everything begin that this process leaves on the machine while it runs.
pub(super) fn prefix() -> String {
    format!("{PREFIX}{}", std::process::id())
}

const PREFIX: &str = "mingle-chaos-";

/// Removes what runs have left whose processes are gone: they were killed before they could.
///
/// # Errors
///
/// When the system refuses.
pub(super) fn sweep() -> Result<()> {
    let entries = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| is_orphaned(name)) {
        eprintln!("removing {name}, which an earlier run has left");
        for pid in ip(&["netns", "pids", &name])?.lines().filter_map(|line| line.parse().ok()) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
        ip(&["netns", "del", &name])?;
    }
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (source, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if is_orphaned(source) {
            eprintln!("unmounting {target}, which an earlier run has left");
            unmount(Path::new(target))?;
        }
    }
    Ok(())
}

/// A process with the same id that is not one of ours would only keep the remains for longer.
fn is_orphaned(name: &str) -> bool {
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

/// A small file system of its own, in memory. It is unmounted when this value goes away.
#[derive(Debug)]
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one with room for so many bytes.
    pub(super) fn mount(bytes: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let options = format!("size={bytes},mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, &prefix()]).arg(folder.path());
        run_to_end(&mut mount, TOOL_TIMEOUT)?;
        Ok(Self { folder })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves no room.
    pub(super) fn fill(&self) -> Result<()> {
        let mut filler = fs::File::create(self.filler()).context("making the file that fills")?;
        // The end of the room is what is wanted.
        while std::io::Write::write(&mut filler, &[0; 512]).is_ok_and(|written| written > 0) {}
        Ok(())
    }

    /// Makes room again.
    pub(super) fn clear(&self) -> Result<()> {
        fs::remove_file(self.filler()).context("removing the file that fills")
    }

    fn filler(&self) -> PathBuf {
        self.folder().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.folder()) {
            eprintln!("{error:#}");
        }
    }
}

/// Lazily: an agent that is about to be killed may still have a file open.
fn unmount(folder: &Path) -> Result<()> {
    run_to_end(Command::new("umount").arg("--lazy").arg(folder), TOOL_TIMEOUT).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_outlived_its_process_is_orphaned() {
        assert!(!is_orphaned(&format!("{}-1-hub", prefix())));
        assert!(is_orphaned("mingle-chaos-999999999-1-hub"));
        assert!(!is_orphaned("tmpfs"));
    }
}

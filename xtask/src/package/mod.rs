//! `cargo xtask package`: what is handed to others is built, and run where it is meant to run.

mod agent;
mod container;
mod debian;
mod fixed;
mod manifests;
mod room;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::shell::{cargo, output, root, run as shell, target_folder};
use crate::{notices, tools};

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Do only these parts.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    only: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The manifests for Kubernetes, and the container file as text.
    Manifests,
    /// The static binary, in a root with nothing else in it.
    Static,
    /// What the container file makes of the static binary.
    Container,
    /// The Debian package, installed, run and purged in a fresh Debian; the unit for systemd with it.
    Debian,
}

/// Programs that it needs, and Debian's packages with them.
const TOOLS: [(&str, &str); 13] = [
    ("bash", "bash"),
    ("curl", "curl"),
    ("ip", "iproute2"),
    ("lintian", "lintian"),
    ("mmdebstrap", "mmdebstrap"),
    ("nsenter", "util-linux"),
    ("readelf", "binutils"),
    ("dpkg-shlibdeps", "dpkg-dev"),
    ("strip", "binutils"),
    ("python3", "python3"),
    ("systemd-nspawn", "systemd-container"),
    ("tar", "tar"),
    ("x86_64-linux-musl-gcc", "musl-tools"),
];

/// Builds and checks all parts, or those that are wanted. What is handed to others is then in `target/package`.
///
/// # Errors
///
/// The first part that fails, or what is missing on this machine.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install(&TOOLS);
    for (tool, package) in TOOLS {
        ensure!(tools::is_installed(tool), "{tool} is missing; install the package {package}");
    }
    let user = output(Command::new("id").arg("-u"))?;
    ensure!(user.trim() == "0", "only root can give a program another root; run this as root");
    fs::create_dir_all(folder())?;
    room::prepare()?;
    let is_wanted = |part: &&Part| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<_> = Part::value_variants().iter().filter(is_wanted).collect();
    if parts != [&Part::Manifests] {
        notices::write(&folder())?;
    }
    for part in parts {
        println!("== {part:?}");
        let began = Instant::now();
        part.run().with_context(|| format!("{part:?}"))?;
        println!("== {part:?} passed after {:.1} s", began.elapsed().as_secs_f64());
    }
    Ok(())
}

impl Part {
    fn run(self) -> Result<()> {
        match self {
            Self::Manifests => manifests::check(),
            Self::Static => fixed::check(),
            Self::Container => container::check(),
            Self::Debian => debian::check(),
        }
    }
}

/// Where everything is put that this makes.
fn folder() -> PathBuf {
    target_folder().join("package")
}

/// The file that makes a container image.
fn container_file() -> PathBuf {
    root().join("deploy/container/Containerfile")
}

/// How what is handed to others is compiled.
const BUILD: [&str; 6] = ["build", "--locked", "--profile", "dist", "-p", "mingle-agent"];

/// Compiles the agent, for the machine's own target where none is named.
fn build(target: Option<&str>) -> Result<PathBuf> {
    let mut build = cargo(BUILD);
    build.env("MINGLE_COMMIT", commit()?);
    build.args(target.map(|target| ["--target", target]).into_iter().flatten());
    shell(&mut build)?;
    Ok(target_folder().join(target.unwrap_or_default()).join("dist/mingle"))
}

/// What is compiled; `+` after it where something was changed since.
fn commit() -> Result<String> {
    let mut describe = Command::new("git");
    describe.args(["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]);
    Ok(output(describe.current_dir(root()))?.trim().to_owned())
}

/// An empty folder of this name, whatever was there.
fn fresh(name: &str) -> Result<PathBuf> {
    let folder = folder().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The size of a file in MB.
fn megabytes(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    Ok(format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10))
}

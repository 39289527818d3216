//! Programs of ours in Go: compiled by Debian's toolchain against Debian's libraries, both unpacked beside the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::install::remove;
use super::process::run_to_end;

/// A program with its source in this one, so that it needs no checkout.
#[derive(Debug)]
pub(super) struct GoProgram {
    /// The name of the compiled file.
    pub(super) name: &'static str,
    /// Where it goes, with a copy of what it was compiled from.
    pub(super) folder: PathBuf,
    /// Names and texts of its files.
    pub(super) source: &'static [(&'static str, &'static str)],
    /// The tree of libraries.
    pub(super) libraries: PathBuf,
    /// Flags for the linker.
    pub(super) linker_flags: String,
}

impl GoProgram {
    /// The compiled file.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    /// Compiles it unless that was done with the same source and flags.
    pub(super) fn build(&self, toolchain: &Toolchain) -> Result<()> {
        let source = self.folder.join("source");
        if self.path().is_file() && self.is_in(&source) {
            return Ok(());
        }
        eprintln!("compiling {}", self.path().display());
        remove(&source)?;
        fs::create_dir_all(&source)?;
        let compiling = self.path().with_extension("partial");
        self.compile(toolchain, &compiling)?;
        fs::rename(&compiling, self.path())?;
        self.write_to(&source)
    }

    /// Compiles from a copy, which becomes the mark of what was compiled only when that has worked.
    fn compile(&self, toolchain: &Toolchain, output: &Path) -> Result<()> {
        let copy = tempfile::tempdir_in(&self.folder)?;
        self.write_to(copy.path())?;
        let mut command = toolchain.command(&self.libraries);
        command.args(["build", "-trimpath", "-ldflags", &self.linker_flags, "-o"]).arg(output);
        command.arg(".").current_dir(copy.path());
        run_to_end(&mut command, COMPILE_TIMEOUT).map(drop)
    }

    fn is_in(&self, folder: &Path) -> bool {
        self.files().all(|(name, text)| {
            fs::read_to_string(folder.join(name)).is_ok_and(|found| found == text)
        })
    }

    fn write_to(&self, folder: &Path) -> Result<()> {
        for (name, text) in self.files() {
            fs::write(folder.join(name), text)?;
        }
        Ok(())
    }

    /// All that the compiled file depends on.
    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let flags = ("linker-flags.txt", self.linker_flags.as_str());
        self.source.iter().copied().chain([flags])
    }
}

const COMPILE_TIMEOUT: Duration = Duration::from_secs(600);

/// An unpacked toolchain.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// Its root, what Go calls `GOROOT`.
    pub(super) root: PathBuf,
    /// What it keeps between two programs.
    pub(super) cache: PathBuf,
}

impl Toolchain {
    /// `go`, kept from the network, from modules and from the user's own settings.
    pub(super) fn command(&self, libraries: &Path) -> Command {
        let mut command = Command::new(self.root.join("bin/go"));
        command
            .env("GOROOT", &self.root)
            .env("GOPATH", libraries)
            .env("GOCACHE", &self.cache)
            .envs([
                ("GO111MODULE", "off"),
                ("GOENV", "off"),
                ("GOPROXY", "off"),
                ("GOTOOLCHAIN", "local"),
            ])
            .envs([("GOFLAGS", ""), ("CGO_ENABLED", "0"), ("GOTELEMETRY", "off")]);
        command
    }

    /// What it says of itself.
    pub(super) fn says(&self) -> Result<String> {
        let says = run_to_end(self.command(Path::new("")).arg("version"), RUN_TIMEOUT)?;
        Ok(says.trim().to_owned())
    }
}

const RUN_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn program(linker_flags: &str) -> GoProgram {
        GoProgram {
            name: "program",
            folder: PathBuf::new(),
            source: &[("main.go", "package main\n"), ("more.go", "package main // more\n")],
            libraries: PathBuf::new(),
            linker_flags: linker_flags.to_owned(),
        }
    }

    #[test]
    fn other_source_or_other_flags_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!program("").is_in(folder.path()));
        program("").write_to(folder.path()).expect("written");
        assert!(program("").is_in(folder.path()));
        assert!(!program("-X main.version=1").is_in(folder.path()));
        fs::write(folder.path().join("more.go"), "package main // less\n").expect("written");
        assert!(!program("").is_in(folder.path()));
    }
}

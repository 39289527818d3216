//! Programs of the system that some checks need.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{cargo, output, run as shell};

/// Installs those that are missing, each with the package of Debian that has it. A fresh machine has no
/// list of packages either. Where this does not work, whoever needs them says what is missing.
pub(crate) fn install(tools: &[(&str, &str)]) {
    let missing = tools.iter().filter(|(tool, _)| !is_installed(tool));
    let packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return;
    }
    println!("installing {}", packages.join(" "));
    let install = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        shell(apt.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let result = install(&["-qq", "update"]).and_then(|()| {
        install(&[&["-qq", "install", "-y", "--no-install-recommends"], &packages[..]].concat())
    });
    if let Err(error) = result {
        eprintln!("xtask: {error:#}");
    }
}

pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A program of cargo's registry, at one version, which is installed into a folder of ours when it is not there, with
/// these options. Without optimization: that takes a third of the time, and its runs take seconds either way.
///
/// # Errors
///
/// When it can't be installed.
pub(crate) fn crate_installed(
    folder: &Path,
    name: &str,
    version: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let program = folder.join("bin").join(name);
    if output(Command::new(&program).arg("--version")).is_ok_and(|said| said.contains(version)) {
        return Ok(program);
    }
    println!("installing {name} {version} into {}", folder.display());
    let mut install = cargo(["install", "--locked", "--debug", "--version", version, name]);
    install.args(options).arg("--root").arg(folder).env("CARGO_PROFILE_DEV_DEBUG", "0");
    install.env_remove("CARGO_TARGET_DIR");
    shell(&mut install).with_context(|| format!("{name} {version} can't be installed"))?;
    Ok(program)
}

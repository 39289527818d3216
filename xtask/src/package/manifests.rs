//! The manifests for Kubernetes and the container file, checked by programs from Python's registry.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{container_file, folder};
use crate::shell::{root, run as shell};

/// Validates the manifests and lints the container file; both checks first have to notice a broken one.
///
/// # Errors
///
/// What is wrong, or what can't be installed.
pub(super) fn check() -> Result<()> {
    let tools = tools()?;
    let script = folder().join("manifests.py");
    fs::write(&script, include_str!("manifests.py"))?;
    let mut manifests = Command::new(tools.join("python"));
    manifests.arg(script).arg(root().join("deploy/kubernetes")).arg(container_file());
    shell(manifests.arg(settings()))?;
    let broken = folder().join("Containerfile.broken");
    fs::write(&broken, "FROM scratch\nENTRYPOINT /usr/bin/mingle agent\n")?;
    let lint = |file| Command::new(tools.join("hadolint")).arg(file).output();
    ensure!(!lint(broken)?.status.success(), "hadolint does not notice a broken container file");
    shell(Command::new(tools.join("hadolint")).arg(container_file()))
}

/// The agent's settings as the manifests have them; written by [`check`].
pub(super) fn settings() -> PathBuf {
    folder().join("kubernetes.toml")
}

/// The folder with the programs, which are installed first when they are not there in the wanted versions.
fn tools() -> Result<PathBuf> {
    let place = folder().join("python");
    let installed = place.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(place.join("bin"));
    }
    shell(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))
        .context("python3 can't make an environment; install the package python3-venv")?;
    let wanted = place.join("wanted.txt");
    fs::write(&wanted, REQUIREMENTS)?;
    let mut install = Command::new(place.join("bin/pip"));
    install.args(["--quiet", "--disable-pip-version-check", "install", "--requirement"]);
    shell(install.arg(&wanted))?;
    fs::rename(wanted, installed)?;
    Ok(place.join("bin"))
}

const REQUIREMENTS: &str = include_str!("requirements.txt");

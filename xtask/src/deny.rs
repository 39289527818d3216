//! `cargo xtask deny`: licences, sources and bans, as `deny.toml` says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::shell::{root, run as shell, target_folder};
use crate::tools;

/// Runs cargo-deny, after installing it beside what is compiled when it is not there.
///
/// # Errors
///
/// When it finds something, or can't be installed.
pub(crate) fn run() -> Result<()> {
    let tools = target_folder().join("tools");
    let program = installed(&tools).map_or_else(|| install(&tools), Ok)?;
    let mut check = Command::new(program);
    check.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    shell(check.current_dir(root()))
}

/// What is in our folder goes before what is on the path: its version is known.
fn installed(tools: &Path) -> Option<PathBuf> {
    [tools.join(PROGRAM), PathBuf::from("cargo-deny")].into_iter().find(|program| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    })
}

const PROGRAM: &str = "bin/cargo-deny";

fn install(tools: &Path) -> Result<PathBuf> {
    tools::crate_installed(tools, "cargo-deny", VERSION, &[]).with_context(|| {
        format!(
            "licences and sources are unchecked; install cargo-deny yourself (cargo install --locked \
             cargo-deny@{VERSION}) and run this again"
        )
    })
}

const VERSION: &str = "0.20.2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_not_taken_for_installed() {
        let tools = tempfile::tempdir().unwrap();
        assert_ne!(installed(tools.path()), Some(tools.path().join(PROGRAM)));
    }
}

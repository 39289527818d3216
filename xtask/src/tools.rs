//! Programs of the system that some checks need.

use std::env;
use std::process::Command;

use crate::shell::run as shell;

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

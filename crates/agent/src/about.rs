//! What the program says about itself.

use std::io;

use clap::CommandFactory;
use clap_mangen::Man;
use mingle::Delegate;

use crate::cli::{Cli, CompletionsArgs, ManArgs, VersionArgs};
use crate::exit::Failure;
use crate::output;

/// `mingle completions`
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mingle", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// `mingle man`
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    for word in &args.command {
        command = command.find_subcommand(word).cloned().ok_or_else(|| {
            let name = output::escape(&args.command.join(" "));
            Failure::Input(format!("there is no command {name:?}; see \"mingle --help\""))
        })?;
    }
    let command = command.version(env!("CARGO_PKG_VERSION"));
    let page = page(command)
        .map_err(|error| Failure::No(format!("the page can't be written: {}", error.kind())))?;
    output::print(&page)
}

fn page(command: clap::Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// What was compiled, as packages say it; a compiler that was not told does not know.
const COMMIT: Option<&str> = option_env!("MINGLE_COMMIT");

/// `mingle version`
pub(crate) fn version(args: &VersionArgs) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let Delegate { min, max, .. } = Delegate::SERF;
    if args.json {
        let serf = serde_json::json!({ "min": min, "max": max });
        let version =
            serde_json::json!({ "version": version, "commit": COMMIT, "serf_protocol": serf });
        return output::print(&output::json_line(&version));
    }
    let commit = COMMIT.filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    output::print(&format!(
        "mingle {version}{commit}\nspeaks memberlist's protocol, and states Serf's versions {min} to {max}\n"
    ))
}

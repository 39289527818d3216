//! What an agent itself says in the end, through its command line.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cluster::Agent;
use super::trial::Trial;
use crate::peers::{mingle_program, run_to_end};

/// Asks one agent for its members, and for the story of those to whom something was done, where this mingle tells stories. Each
/// answer goes into a file beside the logs, after the command that asks.
pub(super) fn collect(trial: &Trial) -> Result<()> {
    let witness = trial.cluster.agents.first().context("there is no agent to ask")?;
    keep(trial, witness, "members", &["members", "--json"])?;
    keep(trial, witness, "info", &["info", "--json"])?;
    if understands(&["why", "--help"], "")? {
        for subject in trial.subjects() {
            keep(trial, witness, &format!("why-{subject}"), &["why", subject])?;
        }
    }
    Ok(())
}

/// Whether this mingle takes such arguments and its answer has these words.
pub(super) fn understands(arguments: &[&str], words: &str) -> Result<bool> {
    let answer = run_to_end(Command::new(mingle_program()?).args(arguments), ANSWER_TIMEOUT);
    Ok(answer.is_ok_and(|answer| answer.contains(words)))
}

fn keep(trial: &Trial, witness: &Agent, name: &str, arguments: &[&str]) -> Result<()> {
    let (place, http) = (&witness.host().namespace, format!("--http={}", witness.http()));
    let program = mingle_program()?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(&http);
    let answer = place.run(|| run_to_end(&mut command, ANSWER_TIMEOUT));
    let answer = answer.unwrap_or_else(|error| format!("{error:#}\n"));
    let asked = format!("# ip netns exec {} mingle {} {http}", place.name(), arguments.join(" "));
    let file = trial.context.log_dir().join(format!("{name}.{}.txt", witness.name()));
    fs::write(&file, format!("{asked}\n{answer}"))
        .with_context(|| format!("writing {}", file.display()))
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

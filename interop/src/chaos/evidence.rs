//! What an agent itself says in the end, through its command line.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cases::Tale;
use super::cluster::Agent;
use super::trial::Trial;
use crate::peers::{mingle_program, run_to_end};

/// Asks one agent for its members, and for the story of those to whom something was done. Each answer goes into a file beside the
/// logs, after the command that asks. Whether the stories tell what they must is a finding if not.
pub(super) fn collect(trial: &mut Trial, tells: &[Tale]) -> Result<()> {
    let witness = trial.cluster.agents.first().context("there is no agent to ask")?;
    keep(trial, witness, "members", &["members", "--json"])?;
    keep(trial, witness, "info", &["info", "--json"])?;
    for subject in trial.subjects() {
        keep(trial, witness, &format!("why-{subject}"), &["why", subject])?;
    }
    for &Tale { witness, about, words } in tells {
        let asked = trial.cluster.agent(witness)?;
        let answer = keep(trial, asked, &format!("why-{about}"), &["why", about])?;
        if !answer.contains(words) {
            trial.find(format!(
                "`mingle why {about}` at {witness} does not tell {words:?}: {answer}"
            ))?;
        }
    }
    Ok(())
}

fn keep(trial: &Trial, witness: &Agent, name: &str, arguments: &[&str]) -> Result<String> {
    let (place, http) = (&witness.host().namespace, format!("--http={}", witness.http()));
    let program = mingle_program()?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(&http);
    let answer = place.run(|| run_to_end(&mut command, ANSWER_TIMEOUT));
    let answer = answer.unwrap_or_else(|error| format!("{error:#}\n"));
    let asked = format!("# ip netns exec {} mingle {} {http}", place.name(), arguments.join(" "));
    let file = trial.context.log_dir().join(format!("{name}.{}.txt", witness.name()));
    fs::write(&file, format!("{asked}\n{answer}"))
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(answer)
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

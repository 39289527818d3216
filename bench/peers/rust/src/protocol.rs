//! The words between driver and crowd: a command a line, and an answer to each.

use std::io::{BufRead, Write};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::broadcast::Broadcast;
use crate::crowd::Crowd;
use crate::pour::Pour;
use crate::systems::{Ability, Constants, System};

/// What the driver wants, as `bench/peers/README.md` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Hello,
    Create {
        nodes: usize,
        #[serde(default)]
        equal: bool,
    },
    Join {
        pace_ms: f64,
        limit_s: f64,
    },
    Rest {
        seconds: f64,
    },
    Kill {
        nodes: Vec<usize>,
        limit_s: f64,
    },
    Broadcast(Broadcast),
    Pour(Pour),
}

/// Answers each line of input until it ends.
pub(crate) fn serve<S: System>(
    runtime: &Runtime,
    network: u8,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<()> {
    let mut crowd = None;
    for line in input.lines() {
        let answer = runtime
            .block_on(answer::<S>(&mut crowd, network, &line?))
            .unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

async fn answer<S: System>(crowd: &mut Option<Crowd<S>>, network: u8, line: &str) -> Result<Value> {
    let command: Command = serde_json::from_str(line)?;
    if let Some(why) = command.needs().and_then(|ability| S::about().lacks(ability)) {
        return Ok(json!({ "none": why }));
    }
    match command {
        Command::Hello => Ok(S::about().spelled()),
        Command::Create { nodes, equal } => {
            anyhow::ensure!(crowd.is_none(), "the nodes are there already");
            let constants = if equal { Constants::Equal } else { Constants::Lan };
            *crowd = Some(Crowd::create(network, nodes, constants).await?);
            Ok(json!({ "nodes": nodes }))
        }
        Command::Join { pace_ms, limit_s } => there(crowd)?.join(pace_ms, limit_s).await,
        Command::Rest { seconds } => there(crowd)?.rest(seconds).await,
        Command::Kill { nodes, limit_s } => there(crowd)?.kill(&nodes, limit_s).await,
        Command::Broadcast(broadcast) => broadcast.run(there(crowd)?).await,
        Command::Pour(pour) => pour.run(there(crowd)?).await,
    }
}

fn there<S>(crowd: &mut Option<Crowd<S>>) -> Result<&mut Crowd<S>> {
    crowd.as_mut().context("no nodes are there; create them first")
}

impl Command {
    /// What a system must be able to do for it.
    fn needs(&self) -> Option<Ability> {
        match self {
            Self::Hello | Self::Create { .. } | Self::Rest { .. } => None,
            Self::Join { .. } | Self::Kill { .. } => Some(Ability::Membership),
            Self::Broadcast(_) => Some(Ability::Broadcasts),
            Self::Pour(pour) => Some(pour.needs()),
        }
    }
}

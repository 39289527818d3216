use clap::ValueEnum;

use crate::api::{DecisionView, LogLine, SnapshotEvent};
use crate::cli::MonitorArgs;
use crate::client::{Client, Happening};
use crate::commands::AT_ONCE;
use crate::exit::Failure;
use crate::output::{self, Reader, escape};

/// `mingle monitor`: a line for each decision of the agent as it makes it, or for whatever it logs.
pub(crate) fn monitor(args: &MonitorArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    match args.log_level.and_then(|level| level.to_possible_value()) {
        Some(level) => follow(&client, client.logs(level.get_name())?, args),
        None => follow(&client, client.watch()?, args),
    }
}

fn follow(
    client: &Client,
    happenings: impl Iterator<Item = Result<Happening, Failure>>,
    args: &MonitorArgs,
) -> Result<(), Failure> {
    for happening in happenings {
        // The agent says each second how it is, if nothing else.
        if output::reader() == Reader::Gone {
            return Ok(());
        }
        let line = match happening? {
            Happening::Snapshot(snapshot) if !args.json => beginning(&snapshot),
            Happening::Change(change) => decision(&change.decision, args),
            Happening::Decision(made) => decision(&made, args),
            Happening::Log(line) => spell(&line, args),
            Happening::Gap(gap) if args.json => {
                output::json_line(&serde_json::json!({ "gap": gap }))
            }
            Happening::Gap(gap) => format!("({} events went by)\n", gap.missed),
            Happening::Snapshot(_)
            | Happening::Status(_)
            | Happening::Rtts(_)
            | Happening::Other => continue,
            Happening::End => return Ok(()),
        };
        if output::write(&line)? == Reader::Gone {
            return Ok(());
        }
    }
    Err(client.lost())
}

fn beginning(snapshot: &SnapshotEvent) -> String {
    let count = |state: &str| snapshot.members.iter().filter(|m| m.state == state).count();
    let [alive, suspect, dead, left] = ["alive", "suspect", "dead", "left"].map(count);
    format!(
        "{}  {alive} alive, {suspect} suspect, {dead} dead, {left} left\n",
        escape(&snapshot.now)
    )
}

fn spell(line: &LogLine, args: &MonitorArgs) -> String {
    if args.json {
        return output::json_line(line);
    }
    let LogLine { at, level, target, message, fields } = line;
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let level = level.to_uppercase();
    format!("{}\n", output::printable(&format!("{at} {level:>5} {target}: {message}{fields}")))
}

fn decision(decision: &DecisionView, args: &MonitorArgs) -> String {
    if args.json {
        return output::json_line(&decision);
    }
    format!("{}  {}\n", escape(&decision.at), decision.sentence())
}

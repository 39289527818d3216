use crate::api::{DecisionView, SnapshotEvent};
use crate::cli::MonitorArgs;
use crate::client::{Client, Happening};
use crate::commands::AT_ONCE;
use crate::exit::Failure;
use crate::output::{self, Reader, escape};

/// `mingle monitor`: a line for each decision of the agent, as it makes it.
pub(crate) fn monitor(args: &MonitorArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    for happening in client.watch()? {
        // The agent says each second how it is, if nothing else.
        if output::reader() == Reader::Gone {
            return Ok(());
        }
        let line = match happening? {
            Happening::Snapshot(snapshot) if !args.json => beginning(&snapshot),
            Happening::Change(change) => decision(&change.decision, args),
            Happening::Decision(made) => decision(&made, args),
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

fn decision(decision: &DecisionView, args: &MonitorArgs) -> String {
    if args.json {
        return output::json_line(&decision);
    }
    format!("{}  {}\n", escape(&decision.at), decision.sentence())
}

use std::path::PathBuf;

use mingle_sim::{Outcome, Rules, Scenario, Verdict, beside};

use super::Failure;
use super::run::How;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mingle-sim presets crates/sim/scenarios/*.toml")]
pub(super) struct Options {
    /// The scenarios; whose rules they name does not matter.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
    /// Say it as JSON, one line per scenario and rules, with what came of each world.
    #[arg(long)]
    json: bool,
}

/// What came of one scenario by one set of rules.
#[derive(serde::Serialize)]
struct Line<'a> {
    scenario: &'a str,
    rules: Rules,
    nodes: u32,
    verdict: String,
    worlds: &'a [Outcome],
}

/// What memberlist's rules do not achieve is no failure; what ours do not is, as with `run`.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // What is wrong with the last one shall be known before the first one has run for an hour.
    let scenarios: Vec<Scenario> =
        options.files.iter().map(|file| options.how.read(file)).collect::<Result<_, _>>()?;
    if !options.json {
        print!("{}", beside::HEADER);
    }
    let mut is_good = true;
    for (file, scenario) in options.files.iter().zip(scenarios) {
        for rules in [Rules::Mingle, Rules::Memberlist] {
            let scenario = Scenario { rules, ..scenario.clone() };
            let outcomes = options.how.run(file, &scenario, false)?;
            let verdict = Verdict::of(&scenario, &outcomes);
            let counts = rules == Rules::Mingle;
            is_good &= !counts || !matches!(verdict, Verdict::Failed { .. });
            if options.json {
                let (name, nodes, verdict) = (&scenario.name, scenario.nodes, verdict.to_string());
                let line = Line { scenario: name, rules, nodes, verdict, worlds: &outcomes };
                println!("{}", serde_json::to_string(&line).expect("it is plain data"));
            } else {
                println!("{}", beside::row(&scenario, &outcomes));
            }
            if outcomes.len() < scenario.repetitions as usize {
                return Err(Failure::Unmet);
            }
        }
    }
    if is_good {
        return Ok(());
    }
    eprintln!("mingle-sim: not all came out as it must by our rules; `mingle-sim run` tells how");
    Err(Failure::Unmet)
}

use std::path::PathBuf;
use std::time::Instant;

use mingle_sim::Scenario;

use super::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The scenario, as TOML.
    file: PathBuf,
    /// Begin with this seed instead of the scenario's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Say it as JSON, one line per repetition.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let file = options.file.display();
    let text = std::fs::read_to_string(&options.file)
        .map_err(|error| Failure::Input(format!("{file}: {error}; name a scenario file")))?;
    let scenario =
        Scenario::from_toml(&text).map_err(|error| Failure::Input(format!("{file}: {error}")))?;
    let first = options.seed.unwrap_or(scenario.seed);
    let mut unmet = false;
    for seed in first..first + u64::from(scenario.repetitions) {
        let began = Instant::now();
        let outcome =
            scenario.run(seed).map_err(|error| Failure::Input(format!("{file}: {error}")))?;
        let took = began.elapsed().as_secs_f64();
        if options.json {
            println!("{}", serde_json::to_string(&outcome).expect("an outcome is plain data"));
        } else {
            println!(
                "{outcome:#?}\ntook {took:.2} s, {:.0} times real time, {:.0} inputs/s",
                outcome.simulated / took,
                outcome.inputs as f64 / took
            );
        }
        unmet |= outcome.agreed_after.is_none() || !outcome.findings.is_empty();
    }
    if unmet { Err(Failure::Unmet) } else { Ok(()) }
}

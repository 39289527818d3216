use std::path::PathBuf;

use super::Failure;
use super::run::How;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mingle-sim compare calm.toml lossy.toml")]
pub(super) struct Options {
    /// The one scenario.
    one: PathBuf,
    /// The other one. It is run with the seeds of the first.
    other: PathBuf,
    #[command(flatten)]
    how: How,
}

/// As often each is run when nothing else is said: enough for what is more than noise to show.
const REPETITIONS: u32 = 12;

/// Findings and unmet expectations are no matter of a comparison; `run` tells them.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut one = options.how.read(&options.one)?;
    let mut other = options.how.read(&options.other)?;
    let least = options.how.repetitions.unwrap_or(REPETITIONS);
    one.repetitions =
        if options.how.repetitions.is_some() { least } else { one.repetitions.max(least) };
    (other.repetitions, other.seed) = (one.repetitions, one.seed);
    let ones = options.how.run(&options.one, &one, false)?;
    if ones.len() < one.repetitions as usize {
        return Err(Failure::Unmet);
    }
    let others = options.how.run(&options.other, &other, false)?;
    let names = [options.one.display().to_string(), options.other.display().to_string()];
    print!("{}", mingle_sim::comparison(&ones, &others, names.each_ref().map(String::as_str)));
    for (name, outcomes) in names.iter().zip([&ones, &others]) {
        let broken = outcomes.iter().filter(|outcome| !outcome.findings.is_empty()).count();
        let unmet = outcomes.iter().filter(|outcome| !outcome.unmet.is_empty()).count();
        if unmet > 0 {
            eprintln!("mingle-sim: {unmet} worlds of {name} are not as it expects; run tells how");
        }
        if broken > 0 {
            eprintln!("mingle-sim: a checker stopped {broken} worlds of {name}; run it to see why");
        }
    }
    Ok(())
}

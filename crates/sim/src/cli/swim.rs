use std::path::PathBuf;
use std::time::Duration;

use mingle_sim::Progress;
use mingle_sim::experiments::swim::{Experiment, page, tables};

use super::{Failure, deliver, duration, or, stop_on_interrupt, watched};

/// Hold our machines against the formulas and the measurements of SWIM's paper.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mingle-sim swim
  mingle-sim swim --nodes 8,64 --loss 0.05 --helpers 3 --json")]
pub(super) struct Options {
    /// Sizes at which failures are detected.
    #[arg(long, value_delimiter = ',', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(3..=10_000))]
    nodes: Vec<u32>,
    /// How many failures of each size.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    crashes: u32,
    /// Shares of packets that are lost, above 0 and below 1.
    #[arg(long, value_delimiter = ',', value_name = "SHARE", value_parser = share)]
    loss: Vec<f64>,
    /// How many helpers a probe asks.
    #[arg(long, value_delimiter = ',', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=20))]
    helpers: Vec<u32>,
    /// How long probes are counted, in each of four worlds.
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = duration)]
    lasts: Duration,
    /// Where chance comes from; the next worlds have the next seeds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Say it as an object of JSON.
    #[arg(long)]
    json: bool,
    /// Write tables and a chart into a file, as a page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| format!("{text:?} is no share above 0 and below 1; write it as 0.05"))
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let default = Experiment::default();
    let experiment = Experiment {
        nodes: or(&options.nodes, default.nodes),
        crashes: options.crashes,
        losses: or(&options.loss, default.losses),
        helpers: or(&options.helpers, default.helpers),
        lasts: options.lasts,
        seed: options.seed,
    };
    let progress = Progress::until(stop_on_interrupt()?);
    let results = watched("swim", experiment.runs(), &progress, || experiment.run(&progress));
    let results = results.map_err(|error| Failure::Input(error.to_string()))?;
    let report = options.report.as_deref();
    let text = tables(&results);
    deliver(&progress, options.json, report, &results, &text, |command| page(&results, command))
}

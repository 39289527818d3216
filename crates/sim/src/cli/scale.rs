use std::path::PathBuf;

use mingle_sim::Progress;
use mingle_sim::experiments::scale::{Experiment, page, tables};

use super::systems::Name;
use super::{Failure, deliver, or, stop_on_interrupt, watched};

/// Say how detection, dissemination, joins, bytes and packets go with the size of a group.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mingle-sim scale
  mingle-sim scale --nodes 100,1000 --systems mingle --report scale.html")]
pub(super) struct Options {
    /// Who takes part [default: memberlist,mingle].
    #[arg(long, value_delimiter = ',', value_name = "SYSTEM")]
    systems: Vec<Name>,
    /// How many members there are, one experiment for each [default: 100,300,1000,3000,10000].
    #[arg(long, value_delimiter = ',', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(10..=20_000))]
    nodes: Vec<u32>,
    /// How many of them crash, one after another, in each world.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=5))]
    crashes: u32,
    /// How often each is run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// How many worlds run at a time; one of 10,000 members takes 5 GiB [default: one for each core].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    at_a_time: Option<u16>,
    /// Where chance comes from; the next worlds have the next seeds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Say what came of each world as an object of JSON.
    #[arg(long)]
    json: bool,
    /// Write tables and charts into a file, as a page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let default = Experiment::default();
    let systems: Vec<_> = options.systems.iter().map(|&name| name.into()).collect();
    let experiment = Experiment {
        systems: or(&systems, default.systems),
        nodes: or(&options.nodes, default.nodes),
        crashes: options.crashes,
        repetitions: options.repetitions,
        at_a_time: options.at_a_time.map_or(default.at_a_time, usize::from),
        seed: options.seed,
    };
    let progress = Progress::until(stop_on_interrupt()?);
    let rows = watched("scale", experiment.runs(), &progress, || experiment.run(&progress));
    let rows = rows.map_err(|error| Failure::Input(error.to_string()))?;
    let report = options.report.as_deref();
    let text = tables(&experiment, &rows);
    deliver(&progress, options.json, report, &rows, &text, |command| {
        page(&experiment, &rows, command)
    })
}

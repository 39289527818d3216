use std::path::PathBuf;
use std::time::Duration;

use mingle_sim::Progress;
use mingle_sim::experiments::rapid::{Experiment, page, tables};

use super::systems::Name;
use super::{Failure, deliver, duration, or, stop_on_interrupt, watched};

/// Carry out the experiments of Rapid's paper: many that start at once, crashes, and nodes that are heard in part.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mingle-sim rapid
  mingle-sim rapid --bootstrap 1000 --nodes 0
  mingle-sim rapid --bootstrap 0 --nodes 200 --faulty 2 --lasts 5m --report rapid.html")]
pub(super) struct Options {
    /// Who takes part [default: memberlist,mingle].
    #[arg(long, value_delimiter = ',', value_name = "SYSTEM")]
    systems: Vec<Name>,
    /// How many processes start at once, one experiment for each; 0 for none [default: 1000,2000].
    #[arg(long, value_delimiter = ',', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    bootstrap: Vec<u32>,
    /// Within how long they start.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration)]
    within: Duration,
    /// How many nodes there are when something happens to some of them; 0 for none of that.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    nodes: u32,
    /// To how many it happens.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    faulty: u32,
    /// For how long.
    #[arg(long, default_value = "810s", value_name = "TIME", value_parser = duration)]
    lasts: Duration,
    /// How often each is run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
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

impl Options {
    fn experiment(&self) -> Result<Experiment, Failure> {
        let default = Experiment::default();
        let Self { nodes, faulty, .. } = *self;
        if nodes > 0 && (faulty == 0 || faulty + 2 > nodes) {
            return Err(Failure::Input(format!(
                "--faulty: something can't happen to {faulty} of {nodes} nodes while two others look on; take 1 to {}",
                nodes.saturating_sub(2)
            )));
        }
        let mut bootstrap = or(&self.bootstrap, default.bootstrap);
        if let Some(few) = bootstrap.iter().find(|&&count| count == 1) {
            return Err(Failure::Input(format!(
                "--bootstrap: {few} sees itself at once; take 0 or at least 2"
            )));
        }
        bootstrap.retain(|&count| count > 0);
        let systems: Vec<_> = self.systems.iter().map(|&name| name.into()).collect();
        Ok(Experiment {
            systems: or(&systems, default.systems),
            bootstrap,
            within: self.within,
            nodes,
            faulty,
            lasts: self.lasts,
            repetitions: self.repetitions,
            seed: self.seed,
        })
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let experiment = options.experiment()?;
    let progress = Progress::until(stop_on_interrupt()?);
    let results = watched("rapid", experiment.runs(), &progress, || experiment.run(&progress));
    let results = results.map_err(|error| Failure::Input(error.to_string()))?;
    let report = options.report.as_deref();
    let text = tables(&experiment, &results);
    deliver(&progress, options.json, report, &results, &text, |command| {
        page(&experiment, &results, command)
    })
}

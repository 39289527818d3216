use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use mingle_sim::Progress;
use mingle_sim::experiments::lifeguard::{
    Anomaly, Experiment, Kind, RawError, Results, System, page, read, tables, write,
};

use super::systems::Name;
use super::{Failure, command_line, duration, elsewhere, or, stop_on_interrupt, watched};

/// Carry out the experiments of Lifeguard's paper, and set our figures beside its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mingle-sim lifeguard threshold
  mingle-sim lifeguard interval --systems swim,lifeguard,mingle --repetitions 1
  mingle-sim lifeguard threshold --sweep
  mingle-sim lifeguard interval --anomaly frozen --concurrent 8 --raw worlds.jsonl
  mingle-sim lifeguard interval --from worlds.jsonl --report interval.html")]
pub(super) struct Options {
    /// One anomaly, and how fast it is seen (tables V and VII); or one after another for two minutes, and
    /// who is accused beside them (tables IV, VI and VII).
    kind: Which,
    /// Who takes part.
    #[arg(long, value_delimiter = ',', value_name = "SYSTEM")]
    systems: Vec<Name>,
    /// Lifeguard with each alpha and beta of table VII, in place of the systems.
    #[arg(long, conflicts_with = "systems")]
    sweep: bool,
    /// How often each combination is run.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// How many nodes there are.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    nodes: u32,
    /// How many of them are anomalous at a time [default: the paper's nine].
    #[arg(long, value_delimiter = ',', value_name = "COUNT")]
    concurrent: Vec<u32>,
    /// How long an anomaly lasts, as 512ms [default: the paper's six].
    #[arg(long, value_delimiter = ',', value_name = "TIME", value_parser = duration)]
    durations: Vec<Duration>,
    /// How long they are well between two of them [default: the paper's eight].
    #[arg(long, value_delimiter = ',', value_name = "TIME", value_parser = duration)]
    gaps: Vec<Duration>,
    /// What an anomalous node does not do.
    #[arg(long, default_value = "stalled")]
    anomaly: What,
    /// How long a node works on each packet that it receives.
    #[arg(long, default_value = "0us", value_name = "TIME", value_parser = duration)]
    cost: Duration,
    /// Where chance comes from; the next worlds have the next seeds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// In place of tables, say as lines of JSON what is run and what came of each world.
    #[arg(long)]
    json: bool,
    /// Write these lines into a file, beside tables.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    raw: Option<PathBuf>,
    /// Write tables and charts into a file, as a page that needs nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    report: Option<PathBuf>,
    /// Run nothing, and take the worlds from a file that --raw has written.
    #[arg(long, value_name = "FILE", conflicts_with_all = RUNNING)]
    from: Option<PathBuf>,
}

/// What says how worlds are run, or where they go.
const RUNNING: [&str; 12] = [
    "systems",
    "sweep",
    "repetitions",
    "nodes",
    "concurrent",
    "durations",
    "gaps",
    "anomaly",
    "cost",
    "seed",
    "raw",
    "json",
];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// One anomaly, and how fast it is seen
    Threshold,
    /// One after another for two minutes, and who is accused beside
    Interval,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Each of its threads blocks when it is about to send or has just received, as in the paper;
    /// suspicions go on to run out
    Stalled,
    /// It neither sends nor receives, and every timer goes on
    Muted,
    /// It does not run at all
    Frozen,
}

impl From<Which> for Kind {
    fn from(which: Which) -> Self {
        match which {
            Which::Threshold => Self::Threshold,
            Which::Interval => Self::Interval,
        }
    }
}

impl Options {
    fn experiment(&self) -> Result<Experiment, Failure> {
        let kind = self.kind.into();
        let paper = Experiment::of_the_paper(kind);
        if kind == Kind::Threshold && !self.gaps.is_empty() {
            let what = "--gaps: there is one anomaly, and nothing between two; leave it out, or run interval";
            return Err(Failure::Input(what.to_owned()));
        }
        let concurrent = or(&self.concurrent, paper.concurrent);
        if let Some(many) = concurrent.iter().find(|&&many| many == 0 || many + 2 > self.nodes) {
            return Err(Failure::Input(format!(
                "--concurrent: {many} of {} nodes can't be anomalous while two others look on; take 1 to {}",
                self.nodes,
                self.nodes - 2
            )));
        }
        Ok(Experiment {
            nodes: self.nodes,
            concurrent,
            durations: or(&self.durations, paper.durations),
            gaps: or(&self.gaps, paper.gaps),
            repetitions: self.repetitions,
            anomaly: match self.anomaly {
                What::Stalled => Anomaly::Stalled,
                What::Muted => Anomaly::Muted,
                What::Frozen => Anomaly::Frozen,
            },
            cost: self.cost,
            seed: self.seed,
            kind,
        })
    }

    /// Runs all systems; when it is interrupted, those that were whole by then.
    fn carry_out(&self) -> Result<Results, Failure> {
        let experiment = self.experiment()?;
        let mut raw = self.raw_lines()?;
        let told = |error: std::io::Error| {
            Failure::Input(format!("the lines of JSON can't be written: {error}"))
        };
        if let Some(raw) = &mut raw {
            write(raw, &experiment, None).map_err(told)?;
        }
        let stop = stop_on_interrupt()?;
        let mut all = Vec::new();
        for system in self.systems() {
            let progress = Progress::until(stop.clone());
            let name = system.to_string();
            let run = || experiment.run(system, &progress);
            let trials = watched(&name, experiment.runs(), &progress, run)
                .map_err(|error| Failure::Input(format!("{name}: {error}")))?;
            if progress.is_stopped() {
                let (ended, wanted) = (trials.len(), experiment.runs());
                eprintln!(
                    "mingle-sim: interrupted; of {system} {ended} of {wanted} worlds had ended"
                );
                break;
            }
            if let Some(raw) = &mut raw {
                write(raw, &experiment, Some((system, &trials))).map_err(told)?;
            }
            all.push((system, trials));
        }
        Ok((experiment, all))
    }

    /// What an earlier run has written.
    fn read(&self, path: &Path) -> Result<Results, Failure> {
        let wrong = |error: RawError| Failure::Input(format!("--from {}: {error}", path.display()));
        let file = File::open(path).map_err(|error| wrong(error.into()))?;
        let (experiment, all) = read(&mut BufReader::new(file)).map_err(wrong)?;
        if experiment.kind != self.kind.into() {
            let what = "is of the other experiment; name that one";
            return Err(Failure::Input(format!("--from {} {what}", path.display())));
        }
        Ok((experiment, all))
    }

    /// Where the lines of JSON go, if they are wanted.
    fn raw_lines(&self) -> Result<Option<Box<dyn Write>>, Failure> {
        let Some(path) = &self.raw else {
            return Ok(self.json.then(|| Box::new(std::io::stdout()) as Box<dyn Write>));
        };
        let file = File::create(path).map_err(|error| elsewhere("--raw", path, &error))?;
        Ok(Some(Box::new(BufWriter::new(file))))
    }

    fn systems(&self) -> Vec<System> {
        if self.sweep {
            // The table's figures are shares of the baseline's.
            return std::iter::once(System::Swim).chain(System::sweep()).collect();
        }
        if self.systems.is_empty() {
            return System::ALL.to_vec();
        }
        self.systems.iter().map(|&name| name.into()).collect()
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let (experiment, all) = match &options.from {
        Some(path) => options.read(path)?,
        None => options.carry_out()?,
    };
    if let Some(path) = &options.report {
        let html = page(&experiment, &all, &command_line());
        std::fs::write(path, html).map_err(|error| elsewhere("--report", path, &error))?;
    }
    if !options.json {
        print!("{}", tables(&experiment, &all));
    }
    if all.is_empty() { Err(Failure::Unmet) } else { Ok(()) }
}

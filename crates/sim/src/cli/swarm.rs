use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use clap::value_parser;
use indicatif::{ProgressBar, ProgressStyle};
use mingle_sim::swarm::{self, Ran, Shrunk, Swept, Trouble};
use serde_json::json;

use super::{BETWEEN_LINES, Failure, stop_on_interrupt};

/// Run many worlds, each drawn from its seed, and stop at the first that goes wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mingle-sim swarm --seeds 10000 --from 1")]
pub(super) struct Options {
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    from: u64,
    /// On how many cores; all of them without it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Worlds to try when making the one that went wrong smaller; 0 leaves it as it is.
    #[arg(long, value_name = "N", default_value_t = 400)]
    shrink: u32,
    /// Where to write the smaller one; by default a file named after the seed, here.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Say what came of it as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let stop = stop_on_interrupt()?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = options.threads.map_or(cores, NonZero::get);
    let end = options.from.checked_add(options.seeds).ok_or_else(|| {
        Failure::Input("--from and --seeds go beyond the last seed; choose smaller ones".to_owned())
    })?;
    let folder = options.write.as_deref().and_then(std::path::Path::parent);
    if let Some(folder) = folder.filter(|&at| !at.as_os_str().is_empty() && !at.is_dir()) {
        let folder = folder.display();
        return Err(Failure::Input(format!("--write: {folder} is no folder; make it first")));
    }
    let mut progress = Progress::new(options);
    let swept = swarm::sweep(options.from..end, threads, &stop, |ran| progress.note(ran));
    progress.bar.finish_and_clear();
    let shrunk =
        swept.failed.as_ref().filter(|_| options.shrink > 0).map(|(seed, scenario, trouble)| {
            eprintln!("seed {seed} went wrong; making it smaller ...");
            swarm::shrink(scenario, trouble, options.shrink, &stop)
        });
    tell(options, &swept, shrunk.as_ref(), &progress)
}

struct Progress {
    bar: ProgressBar,
    began: Instant,
    last_line: Instant,
    seeds: u64,
    ran: u64,
    simulated: f64,
    inputs: u64,
}

impl Progress {
    fn new(options: &Options) -> Self {
        let bar = ProgressBar::new(options.seeds);
        let style = "{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is sound"));
        let now = Instant::now();
        Self {
            bar,
            began: now,
            last_line: now,
            seeds: options.seeds,
            ran: 0,
            simulated: 0.0,
            inputs: 0,
        }
    }

    fn note(&mut self, ran: &Ran) {
        self.ran += 1;
        self.simulated += ran.outcome.simulated;
        self.inputs += ran.outcome.inputs;
        self.bar.inc(1);
        if self.bar.is_hidden() && self.last_line.elapsed() > BETWEEN_LINES {
            self.last_line = Instant::now();
            let seconds = self.began.elapsed().as_secs();
            eprintln!("{}/{} seeds after {seconds} s", self.ran, self.seeds);
        }
    }
}

fn tell(
    options: &Options,
    swept: &Swept,
    shrunk: Option<&Shrunk>,
    progress: &Progress,
) -> Result<(), Failure> {
    let seconds = progress.began.elapsed().as_secs_f64();
    let Some((seed, _, trouble)) = &swept.failed else {
        if options.json {
            let line = json!({
                "failed_seed": null, "seeds_run": swept.ran, "seconds": seconds,
                "simulated_seconds": progress.simulated, "inputs": progress.inputs,
            });
            println!("{line}");
        } else {
            println!(
                "{} worlds, {:.0} simulated seconds, {} inputs: all is well ({seconds:.1} s)",
                swept.ran, progress.simulated, progress.inputs
            );
        }
        return Ok(());
    };
    let file = shrunk.map(|shrunk| write(options, *seed, shrunk)).transpose()?;
    let Trouble { checker, what } = trouble;
    let replay = match &file {
        Some(file) => format!("mingle-sim run {}", file.display()),
        None => format!("mingle-sim swarm --seeds 1 --from {seed}"),
    };
    if options.json {
        let line = json!({
            "failed_seed": seed, "seeds_run": seed - options.from + 1, "checker": checker,
            "what": what, "replay": replay, "seconds": seconds,
        });
        println!("{line}");
    } else {
        println!("seed {seed} went wrong, by {checker}: {what}");
        if let Some(shrunk) = shrunk {
            let Shrunk { scenario, trouble, tried } = shrunk;
            println!(
                "smaller, after {tried} worlds: {} nodes, {} faults, by {}: {}",
                scenario.nodes,
                scenario.faults.len(),
                trouble.checker,
                trouble.what
            );
        }
        println!("replay it: {replay}");
    }
    Err(Failure::Unmet)
}

fn write(options: &Options, seed: u64, shrunk: &Shrunk) -> Result<PathBuf, Failure> {
    let file = options.write.clone().unwrap_or_else(|| format!("swarm-{seed}.toml").into());
    std::fs::write(&file, shrunk.scenario.to_toml())
        .map_err(|error| Failure::Input(format!("{}: {error}", file.display())))?;
    Ok(file)
}

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mingle_sim::{Outcome, Progress, Scenario, ScenarioError, Verdict};

use super::{BETWEEN_LINES, Failure, REDRAW, stop_on_interrupt};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: mingle-sim run crates/sim/scenarios/r13-pause.toml --repetitions 5"
)]
pub(super) struct Options {
    /// The scenario, as TOML; docs/simulation.md says how it is written.
    file: PathBuf,
    #[command(flatten)]
    how: How,
    /// Say it as JSON, one line per world.
    #[arg(long)]
    json: bool,
    /// Tell first, line by line, what happened: faults, processes, and what each node told and why.
    #[arg(long)]
    events: bool,
}

/// How scenarios are run.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Begin with this seed instead of the scenario's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Run it so often, each time with the next seed.
    #[arg(long)]
    pub(super) repetitions: Option<u32>,
    /// At its full size, where the scenario has one.
    #[arg(long)]
    full: bool,
    /// Run it although it does not seem to fit into memory.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let scenario = options.how.read(&options.file)?;
    let outcomes = options.how.run(&options.file, &scenario, options.events)?;
    if options.json {
        for outcome in &outcomes {
            println!("{}", serde_json::to_string(outcome).expect("an outcome is plain data"));
        }
    } else {
        for outcome in outcomes.iter().filter(|outcome| !outcome.events.is_empty()) {
            println!(
                "seed {}, times in milliseconds\n{}\n",
                outcome.seed,
                outcome.events.join("\n")
            );
        }
        let full = if options.how.full { " --full" } else { "" };
        let again = format!("mingle-sim run {}{full} --repetitions 1", options.file.display());
        print!("{}", mingle_sim::summary(&scenario, &outcomes, &again));
    }
    match Verdict::of(&scenario, &outcomes) {
        Verdict::Passed | Verdict::KnownShortfall { .. } => Ok(()),
        // A shortfall shows at the scenario's own size and seeds; others say nothing of it.
        Verdict::NoShortfall if options.how.differs() => Ok(()),
        Verdict::NoShortfall => {
            eprintln!("mingle-sim: the shortfall is none any more; take expect.shortfall out");
            Err(Failure::Unmet)
        }
        Verdict::Failed { .. } => Err(Failure::Unmet),
    }
}

impl How {
    /// Whether it is run otherwise than the scenario says.
    const fn differs(&self) -> bool {
        self.full || self.seed.is_some() || self.repetitions.is_some()
    }

    /// Reads a scenario, and checks that it can be run as the options say.
    pub(super) fn read(&self, path: &Path) -> Result<Scenario, Failure> {
        let file = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Input(format!("{file}: {error}; name a scenario file")))?;
        let mut scenario = Scenario::from_toml(&text)
            .map_err(|error| Failure::Input(format!("{file}: {error}")))?;
        if self.full && scenario.full.is_none() {
            let what = "has no [full]; run it without --full, or write what differs there";
            return Err(Failure::Input(format!("{file}: {what}")));
        }
        if self.full {
            scenario = scenario.at_full_size();
        }
        if scenario.name.is_empty() {
            scenario.name = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
        }
        scenario.repetitions = self.repetitions.unwrap_or(scenario.repetitions);
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        if scenario.repetitions == 0 {
            return Err(Failure::Input("--repetitions is 0; set it to 1 or more".to_owned()));
        }
        Ok(scenario)
    }

    /// Runs it for all its seeds, on as many cores as memory allows. When it is interrupted there are
    /// fewer outcomes than repetitions.
    pub(super) fn run(
        &self,
        path: &Path,
        scenario: &Scenario,
        events: bool,
    ) -> Result<Vec<Outcome>, Failure> {
        let at_a_time = self.fitting(path, scenario)?;
        let seeds: Vec<u64> = (0..u64::from(scenario.repetitions))
            .map(|repetition| scenario.seed.wrapping_add(repetition))
            .collect();
        let progress = Progress::until(stop_on_interrupt()?);
        let over = AtomicBool::new(false);
        let result = std::thread::scope(|scope| {
            let shown = scope.spawn(|| show(scenario, &progress, &over));
            let result = if events {
                let told = seeds.iter().map(|&seed| scenario.run_told(seed, &progress));
                told.take_while(|result| !matches!(result, Err(ScenarioError::Stopped))).collect()
            } else {
                mingle_sim::repeat(scenario, &seeds, at_a_time, &progress)
            };
            over.store(true, Ordering::Relaxed);
            shown.thread().unpark();
            result
        });
        let outcomes: Vec<Outcome> =
            result.map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
        if outcomes.len() < seeds.len() {
            let (ended, all) = (outcomes.len(), seeds.len());
            eprintln!("mingle-sim: interrupted; {ended} of {all} worlds have ended");
        }
        if outcomes.is_empty() { Err(Failure::Unmet) } else { Ok(outcomes) }
    }

    /// How many worlds fit into memory at a time.
    fn fitting(&self, path: &Path, scenario: &Scenario) -> Result<usize, Failure> {
        let cores = mingle_sim::cores();
        let Some(available) = mingle_sim::bytes_available() else { return Ok(cores) };
        let needed = scenario.bytes_needed().max(1);
        let fit = usize::try_from(available / needed).unwrap_or(usize::MAX);
        if fit == 0 && !self.force {
            let (file, gibibyte) = (path.display(), f64::from(1 << 30));
            let [needed, available] = [needed, available].map(|bytes| to_f64(bytes) / gibibyte);
            return Err(Failure::Input(format!(
                "{file}: {} nodes need about {needed:.1} GiB and {available:.1} GiB are free; take fewer nodes, or run it all the same with --force",
                scenario.nodes
            )));
        }
        Ok(fit.clamp(1, cores))
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// Draws how far all worlds are until they are over, or says it now and then where nobody watches.
/// The calm after the faults is not counted: it ends as soon as all agree.
fn show(scenario: &Scenario, progress: &Progress, over: &AtomicBool) {
    let all = scenario.duration.as_secs().max(1) * u64::from(scenario.repetitions);
    let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
    let template = "{prefix} {bar:30} {pos}/{len} s of the worlds' time, {msg}, {elapsed}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar.set_prefix(scenario.name.clone());
    let (began, mut lines) = (Instant::now(), 1);
    while !over.load(Ordering::Relaxed) {
        let passed = progress.simulated().as_secs().min(all);
        let done = format!("{} of {} done", progress.done(), scenario.repetitions);
        if bar.is_hidden() && began.elapsed() >= BETWEEN_LINES * lines {
            lines += 1;
            let (name, seconds) = (&scenario.name, began.elapsed().as_secs());
            eprintln!("{name}: {passed}/{all} s of the worlds' time, {done}, {seconds} s");
        }
        bar.set_position(passed);
        bar.set_message(done);
        std::thread::park_timeout(REDRAW);
    }
    bar.finish_and_clear();
}

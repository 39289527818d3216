use std::time::Duration;

use mingle_sim::Progress;
use mingle_sim::experiments::plan::{Question, tables};

use super::{Failure, deliver, duration, stop_on_interrupt, watched};

/// Propose settings for a group, and show what they cost and risk: settings are tried until the slowest is found that is quick
/// enough.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mingle-sim plan --nodes 5000 --loss 0.5% --detect 5s
  mingle-sim plan --nodes 30 --rtt 40ms --detect 10s --crashes 1000")]
pub(super) struct Options {
    /// How many members there are.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(3..=10_000))]
    nodes: u32,
    /// Within what time all members must know of 99 in 100 crashes.
    #[arg(long, value_name = "TIME", value_parser = detect)]
    detect: Duration,
    /// Which share of packets is lost, each way.
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = share)]
    loss: f64,
    /// How long a packet is under way there and back: the median.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = rtt)]
    rtt: Duration,
    /// How many crashes decide, at the least.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    crashes: u32,
    /// How many worlds run at a time; one of 10,000 members takes 5 GiB [default: one for each core].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    at_a_time: Option<u16>,
    /// Where chance comes from; the next worlds have the next seeds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Say what was tried as an object of JSON.
    #[arg(long)]
    json: bool,
}

/// As `0.5%` or `0.005`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share =
        number.trim().parse::<f64>().map_err(|error| format!("{error}; write it as 0.5%"))? / unit;
    if (0.0..=0.3).contains(&share) {
        Ok(share)
    } else {
        Err("at most 30 % can be lost; beyond that no settings help".to_owned())
    }
}

fn between(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let time = duration(text)?;
    if (least..=most).contains(&time) {
        Ok(time)
    } else {
        Err(format!("it must be from {least:?} to {most:?}"))
    }
}

fn detect(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_millis(500), Duration::from_secs(300))
}

fn rtt(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_micros(10), Duration::from_secs(1))
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let question = Question {
        nodes: options.nodes,
        loss: options.loss,
        rtt: options.rtt,
        detect: options.detect,
        crashes: options.crashes,
        at_a_time: options.at_a_time.map_or_else(mingle_sim::cores, usize::from),
        seed: options.seed,
    };
    let progress = Progress::until(stop_on_interrupt()?);
    // Three or four settings are tried, as a rule.
    let worlds = 4 * question.worlds() as usize;
    let plan = watched("plan", worlds, &progress, || question.answer(&progress));
    let Some(plan) = plan else {
        if progress.is_stopped() {
            return deliver(&progress, options.json, None, &(), "", |_| String::new());
        }
        return Err(Failure::Input(format!(
            "--rtt {:?}: no settings that are tried leave a ping enough time; at most 1s",
            options.rtt
        )));
    };
    let text = tables(&question, &plan);
    deliver(&progress, options.json, None, &plan, &text, |_| String::new())?;
    if plan.proposed.is_some() { Ok(()) } else { Err(Failure::Unmet) }
}

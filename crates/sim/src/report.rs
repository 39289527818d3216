//! What came of a scenario, in tables.

use std::fmt::Write as _;

use crate::agreement::MOST;
use crate::measure::{Distribution, Measured};
use crate::outcome::{Hash, Outcome, Verdict};
use crate::scenario::Scenario;

/// One measure of a world, as tables show it.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    unit: Unit,
    value: fn(&Outcome) -> Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Seconds,
    Rate,
}

macro_rules! rows {
    ($($name:literal $unit:ident $value:expr;)+) => {
        &[$(Row { name: $name, unit: Unit::$unit, value: $value },)+]
    };
}

/// All that tables show, the worst of which is always the highest.
const ROWS: &[Row] = rows! {
    "agreed after the faults" Seconds |o| Some(o.agreed_after.unwrap_or(NEVER));
    "false failures" Count |o| count(o.measured.false_failures);
    "  per node-hour" Rate |o| per_hour(&o.measured);
    "  at concerned nodes" Count |o| count(o.measured.false_failures_at_concerned);
    "failures of concerned" Count |o| count(o.measured.failures_of_concerned);
    "late failures" Count |o| count(o.measured.late_failures);
    "false goodbyes" Count |o| count(o.measured.false_goodbyes);
    "suspicions" Count |o| count(o.measured.suspicions);
    "  of concerned" Count |o| count(o.measured.suspicions_of_concerned);
    "refutations" Count |o| count(o.measured.refutations);
    "crashes" Count |o| count(o.measured.crashes);
    "  detected: median" Seconds |o| o.measured.detected.median;
    "  detected: longest" Seconds |o| o.measured.detected.longest;
    "  everywhere: median" Seconds |o| o.measured.dead_everywhere.median;
    "  everywhere: longest" Seconds |o| {
        all(&o.measured.dead_everywhere, o.measured.missed_deaths)
    };
    "  missed" Count |o| count(o.measured.missed_deaths);
    "  overtaken by a restart" Count |o| count(o.measured.overtaken);
    "returns of the dead" Count |o| count(o.measured.returns_of_the_dead);
    "starts seen by all" Count |o| some(&o.measured.joined_everywhere);
    "  everywhere: median" Seconds |o| o.measured.joined_everywhere.median;
    "  everywhere: longest" Seconds |o| {
        all(&o.measured.joined_everywhere, o.measured.missed_joins)
    };
    "  missed" Count |o| count(o.measured.missed_joins);
    "goodbyes" Count |o| some(&o.measured.goodbye);
    "  said: longest" Seconds |o| o.measured.goodbye.longest;
    "  everywhere: median" Seconds |o| o.measured.left_everywhere.median;
    "  everywhere: longest" Seconds |o| {
        all(&o.measured.left_everywhere, o.measured.missed_goodbyes)
    };
    "  missed" Count |o| count(o.measured.missed_goodbyes);
    "recovered: median" Seconds |o| o.measured.recovered.median;
    "recovered: longest" Seconds |o| all(&o.measured.recovered, o.measured.unrecovered);
    "unrecovered" Count |o| count(o.measured.unrecovered);
    "packets per node and second" Rate |o| Some(o.measured.packets_per_node_second);
    "bytes per node and second" Rate |o| Some(o.measured.bytes_per_node_second);
    "  of the busiest node" Rate |o| Some(o.measured.busiest_bytes_per_second);
    "longest queue" Count |o| count(o.measured.longest_queue);
    "largest packet" Count |o| count(o.measured.largest_packet);
    "largest stream message" Count |o| count(o.measured.largest_message);
    "health score" Rate |o| Some(o.measured.health);
    "  worst" Count |o| Some(f64::from(o.measured.worst_health));
    "requests refused" Count |o| count(o.measured.requests_refused);
    "messages refused" Count |o| count(o.measured.messages_refused);
};

/// How long it takes what does not happen: longer than all else.
const NEVER: f64 = f64::INFINITY;

/// The longest of these times, and of those that were missed.
fn all(times: &Distribution, missed: u64) -> Option<f64> {
    if missed > 0 { Some(NEVER) } else { times.longest }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::unnecessary_wraps, reason = "every row has this shape")]
fn count(count: u64) -> Option<f64> {
    Some(to_f64(count))
}

fn some(times: &Distribution) -> Option<f64> {
    count(times.count)
}

fn per_hour(measured: &Measured) -> Option<f64> {
    (measured.node_hours > 0.0).then(|| to_f64(measured.false_failures) / measured.node_hours)
}

impl Unit {
    fn spell(self, value: Option<f64>) -> String {
        let Some(value) = value else { return "-".to_owned() };
        if value.is_nan() {
            return "-".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "never" } else { "-" }.to_owned();
        }
        match self {
            Self::Count => format!("{value:.0}"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Rate if value != 0.0 && value.abs() < 0.1 => format!("{value:.4}"),
            Self::Rate => format!("{value:.1}"),
        }
    }
}

/// Disagreements, findings and unmet expectations that are told of one world.
const MOST_TOLD: usize = 10;

/// What came of these worlds of the scenario: the median and the worst of each measure, what was not
/// as expected, and the verdict. `repeat_with` is the command that repeats a seed, without it.
#[must_use]
pub fn summary(scenario: &Scenario, outcomes: &[Outcome], repeat_with: &str) -> String {
    let mut text = String::new();
    let nodes = match scenario.crowd {
        Some(crowd) => format!("1 node among {} modelled peers", crowd.peers),
        None => format!("{} nodes", scenario.nodes),
    };
    let hours: f64 = outcomes.iter().map(|outcome| outcome.measured.node_hours).sum();
    let about = if scenario.about.is_empty() { "" } else { ": " };
    line(&mut text, format_args!("{}{about}{}", scenario.name, scenario.about));
    line(&mut text, format_args!("{nodes}, {}, {hours:.1} node-hours\n", worlds(outcomes.len())));
    line(&mut text, format_args!("{:<30}{:>14}{:>14}", "", "median", "worst"));
    for row in ROWS {
        let values: Vec<f64> = outcomes.iter().filter_map(row.value).collect();
        if values.iter().all(|&value| value == 0.0) && row.name.starts_with("  ") {
            continue;
        }
        let worst = values.iter().copied().reduce(f64::max);
        let (median, worst) = (row.unit.spell(median(&values)), row.unit.spell(worst));
        line(&mut text, format_args!("{:<30}{median:>14}{worst:>14}", row.name));
    }
    let hashes = outcomes
        .iter()
        .fold(Hash(0), |sum, outcome| Hash(sum.0.rotate_left(1) ^ outcome.transcript.0));
    line(&mut text, format_args!("{:<30}{hashes:>28}\n", "hash of the transcripts"));
    tell_idle_checkers(&mut text, outcomes);
    for outcome in outcomes {
        tell(&mut text, outcome, repeat_with);
    }
    line(&mut text, format_args!("{}", Verdict::of(scenario, outcomes)));
    text
}

/// A number of worlds.
pub(crate) fn worlds(count: usize) -> String {
    if count == 1 { "1 world".to_owned() } else { format!("{count} worlds") }
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect("writing to a string does not fail");
}

/// Which checkers had nothing to check in any world, and which are not for worlds of this size.
fn tell_idle_checkers(text: &mut String, outcomes: &[Outcome]) {
    let Some(first) = outcomes.first() else { return };
    let had_nothing = |name: &str| {
        let all = outcomes.iter().flat_map(|outcome| &outcome.checks);
        all.filter(|tally| tally.checker == name).all(|tally| tally.checked == 0)
    };
    let names = |skipped: bool| -> Vec<&str> {
        let idle = first.checks.iter().filter(|tally| tally.skipped == skipped);
        idle.map(|tally| tally.checker).filter(|name| had_nothing(name)).collect()
    };
    for (what, names) in [("had nothing to check", names(false)), ("left out", names(true))] {
        if !names.is_empty() {
            line(text, format_args!("checkers, {what}: {}\n", names.join(", ")));
        }
    }
}

/// What is wrong with a world.
fn tell(text: &mut String, outcome: &Outcome, repeat_with: &str) {
    if !outcome.is_wrong() {
        return;
    }
    line(text, format_args!("seed {0}, told by: {repeat_with} --seed {0} --events", outcome.seed));
    for finding in outcome.findings.iter().take(MOST_TOLD) {
        let at = to_f64(finding.at) / 1e9;
        let (checker, host, what) = (finding.checker, finding.host, &finding.what);
        line(text, format_args!("  {checker}, n{host} at {at:.3} s: {what}"));
    }
    for unmet in &outcome.unmet {
        line(text, format_args!("  {unmet}"));
    }
    for disagreement in outcome.disagreements.iter().take(MOST_TOLD) {
        line(text, format_args!("  {disagreement}"));
    }
    let rest = outcome.disagreements.len().saturating_sub(MOST_TOLD);
    if rest > 0 {
        let more = if rest + MOST_TOLD < MOST { "" } else { "at least " };
        line(text, format_args!("  and {more}{rest} more disagreements"));
    }
    let by: Vec<String> = outcome
        .measured
        .false_verdicts_by
        .iter()
        .map(|by| format!("{} ({})", by.node, by.times))
        .collect();
    if !by.is_empty() {
        line(text, format_args!("  false verdicts by {}", by.join(", ")));
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let high = sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(*high);
    }
    Some(f64::midpoint(sorted[middle - 1], *high))
}

/// The chance below which a difference is taken to be more than noise. Of forty measures of two equal
/// scenarios, one in a hundred tables then names more than one.
const NOISE: f64 = 0.005;
/// The fewest pairs whose chance can be as low as that.
const FEWEST_PAIRS: usize = 9;

/// Two scenarios, world by world with the same seeds: the median of each measure, their difference,
/// and whether it is more than noise.
///
/// That is asked with a sign test: among worlds that differ, as many should be higher as lower if the
/// scenarios did not differ; how unlikely what came out is then is the exact binomial tail of both
/// sides.
#[must_use]
pub fn comparison(one: &[Outcome], other: &[Outcome], names: [&str; 2]) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("A is {}\nB is {}", names[0], names[1]));
    line(&mut text, format_args!("{} of each, with the same seeds\n", worlds(one.len())));
    line(
        &mut text,
        format_args!(
            "{:<30}{:>14}{:>14}{:>14}{:>9}  more than noise",
            "", "A", "B", "B - A", "B / A"
        ),
    );
    for row in ROWS {
        let pairs: Vec<(f64, f64)> = one
            .iter()
            .zip(other)
            .filter_map(|(one, other)| Some(((row.value)(one)?, (row.value)(other)?)))
            .collect();
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (Some(a), Some(b)) = (median(&a), median(&b)) else { continue };
        if row.name.starts_with("  ") && pairs.iter().all(|&(a, b)| a == 0.0 && b == 0.0) {
            continue;
        }
        let ratio = match b / a {
            ratio if ratio.is_finite() && a.is_finite() => format!("{ratio:.2}"),
            _ => "-".to_owned(),
        };
        let spell = |value| row.unit.spell(Some(value));
        line(
            &mut text,
            format_args!(
                "{:<30}{:>14}{:>14}{:>14}{ratio:>9}  {}",
                row.name,
                spell(a),
                spell(b),
                difference(row.unit, b - a),
                told(&pairs, one.len())
            ),
        );
    }
    if one.len() < FEWEST_PAIRS {
        line(
            &mut text,
            format_args!(
                "\nwith fewer than {FEWEST_PAIRS} worlds nothing can be told from noise; use --repetitions"
            ),
        );
    }
    text
}

/// How much higher the second one is; nothing when one of both is never.
fn difference(unit: Unit, difference: f64) -> String {
    unit.spell(Some(difference + 0.0).filter(|difference| difference.is_finite()))
}

/// Whether the pairs differ by more than noise, in words.
fn told(pairs: &[(f64, f64)], worlds: usize) -> String {
    let missing = worlds - pairs.len();
    let but = if missing > 0 { format!(", without {missing} worlds") } else { String::new() };
    let higher = pairs.iter().filter(|(a, b)| b > a).count();
    let lower = pairs.iter().filter(|(a, b)| b < a).count();
    let chance = sign_test(higher, lower);
    if chance <= NOISE {
        let way = if higher > lower { "yes, higher" } else { "yes, lower" };
        return format!("{way} in {} of {}{but}", higher.max(lower), pairs.len());
    }
    format!("no{but}")
}

/// How likely it is that a fair coin, thrown once for each, falls at least as unevenly.
fn sign_test(higher: usize, lower: usize) -> f64 {
    let throws = higher + lower;
    let fewer = higher.min(lower);
    let mut term = 0.5_f64;
    // The binomial coefficients one after the other, each already by 2^throws.
    for _ in 1..throws {
        term *= 0.5;
    }
    let mut sum = 0.0;
    for k in 0..=fewer {
        sum += term;
        term *= to_f64((throws - k) as u64) / to_f64((k + 1) as u64);
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_test_gives_the_binomial_tails() {
        for (higher, lower, expected) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (9, 0, 0.003_906_25),
            (8, 0, 0.007_812_5),
            (9, 1, 0.021_484_375),
        ] {
            let chance = sign_test(higher, lower);
            assert!((chance - expected).abs() < 1e-9, "{higher} {lower} {chance}");
            assert!((sign_test(lower, higher) - chance).abs() < 1e-12);
        }
        assert!(sign_test(FEWEST_PAIRS, 0) <= NOISE && sign_test(FEWEST_PAIRS - 1, 0) > NOISE);
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}

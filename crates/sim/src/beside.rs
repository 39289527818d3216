//! Rules beside each other, a row of Markdown for each scenario and set of rules.

use crate::measure::{Distribution, Measured};
use crate::outcome::{Outcome, Verdict};
use crate::report::{median, worlds};
use crate::scenario::{Rules, Scenario};

/// The head of the table. Counts are sums over all worlds, times and rates their medians.
pub const HEADER: &str = "\
| scenario | rules | size | as it must be | agreed after (worst), s | seen live again (worst), s | seen by all after a start (worst), s | false failures | with a reason | late | returns of the dead | packets per node and s | bytes per node and s |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// What came of one scenario: its row.
#[must_use]
pub fn row(scenario: &Scenario, outcomes: &[Outcome]) -> String {
    let rules = match scenario.rules {
        Rules::Mingle => "mingle",
        Rules::Memberlist => "memberlist",
    };
    let nodes = scenario.crowd.map_or(scenario.nodes, |crowd| crowd.peers);
    let hours: f64 = outcomes.iter().map(|outcome| outcome.measured.node_hours).sum();
    let came_out = match Verdict::of(scenario, outcomes) {
        Verdict::Passed | Verdict::NoShortfall => "yes".to_owned(),
        Verdict::KnownShortfall { fails, .. } | Verdict::Failed { fails, .. } => {
            format!("not in {fails}")
        }
    };
    let middle = |value: &dyn Fn(&Outcome) -> f64, digits| {
        let values: Vec<f64> = outcomes.iter().map(value).collect();
        median(&values).map_or_else(|| "-".to_owned(), |median| spell(median, digits))
    };
    let sum = |value: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(value).sum::<u64>();
    let agreed = |outcome: &Outcome| outcome.agreed_after.unwrap_or(f64::INFINITY);
    let worst = outcomes.iter().map(agreed).fold(0.0, f64::max);
    format!(
        "| {} | {rules} | {nodes} nodes, {}, {hours:.0} node-hours | {came_out} | {} ({}) | {} | {} | {} | {} | {} | {} | {} | {} |",
        scenario.name,
        worlds(outcomes.len()),
        middle(&agreed, 1),
        spell(worst, 1),
        times(outcomes, |is| (&is.recovered, is.unrecovered)),
        times(outcomes, |is| (&is.joined_everywhere, is.missed_joins)),
        sum(&|outcome| outcome.measured.false_failures),
        sum(&|outcome| outcome.measured.failures_of_concerned),
        sum(&|outcome| outcome.measured.late_failures),
        sum(&|outcome| outcome.measured.returns_of_the_dead),
        middle(&|outcome| outcome.measured.packets_per_node_second, 1),
        middle(&|outcome| outcome.measured.bytes_per_node_second, 0),
    )
}

/// The median of the medians, and the longest, or that it never came for some.
fn times(outcomes: &[Outcome], of: impl Fn(&Measured) -> (&Distribution, u64)) -> String {
    let of = |outcome: &Outcome| {
        let (times, missed) = of(&outcome.measured);
        let longest = if missed > 0 { Some(f64::INFINITY) } else { times.longest };
        Some((times.median.unwrap_or(f64::INFINITY), longest?))
    };
    let (medians, longest): (Vec<f64>, Vec<f64>) = outcomes.iter().filter_map(of).unzip();
    let Some(median) = median(&medians) else { return "-".to_owned() };
    format!("{} ({})", spell(median, 1), spell(longest.into_iter().fold(0.0, f64::max), 1))
}

fn spell(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "never".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_column_and_says_what_never_happened() {
        let text = "nodes = 3\nduration = \"5s\"\n[expect]\nagreement = true";
        let mut scenario = Scenario::from_toml(text).unwrap();
        let mut outcome = scenario.run(1).unwrap();
        let cells = |row: &str| row.split('|').count();
        let good = row(&scenario, std::slice::from_ref(&outcome));
        assert_eq!(cells(&good), cells(HEADER.lines().next().unwrap()), "{good}");
        assert!(good.contains("| yes |") && good.contains("1 world"), "{good}");
        outcome.agreed_after = None;
        scenario.rules = Rules::Memberlist;
        let never = row(&scenario, &[outcome]);
        assert!(never.contains("| never (never) |") && never.contains("| memberlist |"), "{never}");
    }
}

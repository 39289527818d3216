use std::time::Duration;

use super::paper::{self, Figures};
use super::{Experiment, Kind, System, Trial};
use crate::experiments::text::{aligned, shown};
use crate::experiments::{quantile, sum_with_interval};

/// Our figures beside the paper's, with what chance between worlds does to them.
#[must_use]
pub fn tables(experiment: &Experiment, all: &[(System, Vec<Trial>)]) -> String {
    let mut text = headline(experiment);
    match experiment.kind {
        Kind::Threshold => threshold(&mut text, all),
        Kind::Interval => interval(&mut text, experiment, all),
    }
    text
}

fn headline(experiment: &Experiment) -> String {
    let Experiment { nodes, anomaly, cost, seed, .. } = experiment;
    let runs = experiment.runs();
    format!(
        "{nodes} nodes, {runs} worlds for each system from seed {seed} on; anomalous nodes are {}, a packet takes {}\n\
         in brackets: 95 % of what other worlds would give; after a stroke: the paper's figure\n\n",
        anomaly.name(),
        humantime::format_duration(*cost),
    )
}

const SHARES: [(&str, f64); 3] = [("median", 0.5), ("99 %", 0.99), ("99.9 %", 0.999)];

fn threshold(text: &mut String, all: &[(System, Vec<Trial>)]) {
    type Times = fn(&Trial) -> &Vec<Duration>;
    type Paper = fn(&Figures) -> [f64; 3];
    let parts: [(&str, Times, Paper); 2] = [
        ("first detection, s", |trial| &trial.first, |figures| figures.first),
        ("all healthy nodes know, s", |trial| &trial.everywhere, |figures| figures.everywhere),
    ];
    for (title, times, of_the_paper) in parts {
        let mut rows = vec![vec![title.to_owned(), "declared dead".to_owned()]];
        rows[0].extend(SHARES.map(|(name, _)| name.to_owned()));
        for (system, trials) in all {
            let worlds: Vec<Vec<Duration>> =
                trials.iter().map(|trial| times(trial).clone()).collect();
            let count: usize = worlds.iter().map(Vec::len).sum();
            let paper = paper::figures(*system).map(|figures| of_the_paper(&figures));
            let mut row = vec![system.to_string(), count.to_string()];
            for (index, (_, share)) in SHARES.into_iter().enumerate() {
                let ours = quantile(&worlds, share);
                let ours = ours.map_or_else(|| "-".to_owned(), |found| shown(found, 2));
                row.push(beside(ours, paper.map(|paper| format!("{:.2}", paper[index]))));
            }
            rows.push(row);
        }
        text.push_str(&aligned(&rows));
        text.push('\n');
    }
    // The paper counts none of these runs'.
    false_positives(text, all, Beside::Nothing);
}

fn interval(text: &mut String, experiment: &Experiment, all: &[(System, Vec<Trial>)]) {
    let with = if experiment.is_whole() { Beside::Figures } else { Beside::Shares };
    false_positives(text, all, with);
    let mut rows = vec![vec![
        "load".to_owned(),
        "messages, M".to_owned(),
        "GiB".to_owned(),
        "messages, % of SWIM".to_owned(),
        "bytes, % of SWIM".to_owned(),
        "messages/s/node".to_owned(),
        "bytes/s/node".to_owned(),
    ]];
    let swim = of_swim(all).map(load);
    for (system, trials) in all {
        let (messages, bytes) = load(trials);
        let node_seconds = node_hours(trials) * 3600.0;
        let paper = paper::figures(*system).and_then(|figures| figures.load);
        let share = |ours: f64, swim: Option<f64>, paper: Option<f64>| {
            let ours = swim.map_or_else(|| "-".to_owned(), |swim| percent(ours / swim));
            beside(ours, paper.map(percent))
        };
        rows.push(vec![
            system.to_string(),
            format!("{:.2}", messages / 1e6),
            format!("{:.2}", bytes / GIBIBYTE),
            share(
                messages,
                swim.map(|(messages, _)| messages),
                paper.map(|[messages, _]| messages),
            ),
            share(bytes, swim.map(|(_, bytes)| bytes), paper.map(|[_, bytes]| bytes)),
            format!("{:.2}", messages / node_seconds),
            format!("{:.0}", bytes / node_seconds),
        ]);
    }
    text.push_str(&aligned(&rows));
}

const GIBIBYTE: f64 = 1024.0 * 1024.0 * 1024.0;

/// What of the paper's false positives can stand beside ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Shares of the baseline.
    Shares,
    /// The events too, as all runs of the paper were made.
    Figures,
}

/// Table IV.
fn false_positives(text: &mut String, all: &[(System, Vec<Trial>)], with: Beside) {
    type Count = fn(&Trial) -> u64;
    let parts: [(&str, Count); 2] = [
        ("FP: of healthy nodes, at any", |trial| trial.false_positives),
        ("FP-: of these at healthy ones", |trial| trial.at_healthy),
    ];
    for (index, (title, count)) in parts.into_iter().enumerate() {
        let sum =
            |trials: &[Trial]| sum_with_interval(&trials.iter().map(count).collect::<Vec<_>>());
        let swim = of_swim(all).map(|trials| sum(trials).value).filter(|swim| *swim > 0.0);
        let in_the_paper = |system| {
            let figures = paper::figures(system).filter(|_| with != Beside::Nothing);
            figures.map(|figures| figures.false_positives[index])
        };
        let baseline = in_the_paper(System::Swim).unwrap_or(f64::NAN);
        let mut rows =
            vec![[title, "events", "% of SWIM", "per node-hour"].map(str::to_owned).to_vec()];
        for (system, trials) in all {
            let found = sum(trials);
            let paper = in_the_paper(*system);
            let share = swim.map_or_else(|| "-".to_owned(), |swim| percent(found.value / swim));
            rows.push(vec![
                system.to_string(),
                beside(
                    shown(found, 0),
                    paper.filter(|_| with == Beside::Figures).map(|paper| format!("{paper:.0}")),
                ),
                beside(share, paper.map(|paper| percent(paper / baseline))),
                rate(found.value, node_hours(trials)),
            ]);
        }
        text.push_str(&aligned(&rows));
        text.push('\n');
    }
}

/// Events for each hour of each node; of none, the rate that they are below with 95 % confidence (the rule
/// of three).
fn rate(events: f64, hours: f64) -> String {
    if events > 0.0 { format!("{:.2e}", events / hours) } else { format!("< {:.1e}", 3.0 / hours) }
}

fn node_hours(trials: &[Trial]) -> f64 {
    trials.iter().map(Trial::node_hours).sum()
}

fn of_swim(all: &[(System, Vec<Trial>)]) -> Option<&[Trial]> {
    let swim = all.iter().find(|(system, _)| *system == System::Swim);
    swim.map(|(_, trials)| trials.as_slice())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn load(trials: &[Trial]) -> (f64, f64) {
    let messages: u64 = trials.iter().map(|trial| trial.messages).sum();
    let bytes: u64 = trials.iter().map(|trial| trial.bytes).sum();
    (messages as f64, bytes as f64)
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

fn beside(ours: String, paper: Option<String>) -> String {
    match paper {
        Some(paper) => format!("{ours} / {paper}"),
        None => ours,
    }
}

use super::{Experiment, Kind, System, Trial, paper, tables};
use crate::experiments::page::{Chart, Line, Page, Scale};
use crate::experiments::to_f64;

/// The tables and what can be seen better, as one HTML file; `command` makes it again.
#[must_use]
pub fn page(experiment: &Experiment, all: &[(System, Vec<Trial>)], command: &str) -> String {
    let title = match experiment.kind {
        Kind::Threshold => "How fast an anomaly is seen: Lifeguard's Threshold experiment",
        Kind::Interval => "Who is accused beside: Lifeguard's Interval experiment",
    };
    let mut page = Page::made_by(title, command);
    match experiment.kind {
        Kind::Threshold => page.draw(&Chart {
            title: "Anomalous nodes that nobody has declared dead yet",
            says: "Of the nodes that were declared dead, the share for which that was still to come so many \
                   seconds after their anomaly began. Further left is faster.",
            x: "seconds since the anomaly began",
            y: "share",
            x_scale: Scale::FromZero,
            y_scale: Scale::FromZero,
            lines: survival(all),
        }),
        Kind::Interval => page.draw(&Chart {
            title: "False positives by the number of nodes that are anomalous at a time",
            says: "How often anybody declared a node dead that was well, in all worlds with so many anomalous \
                   nodes. Lower is better; where nothing happened there is no point.",
            x: "anomalous nodes",
            y: "false positives per node-hour",
            x_scale: Scale::Linear,
            y_scale: Scale::Logarithmic,
            lines: false_positives(all),
        }),
    }
    page.lay_out(&tables(experiment, all));
    page.html()
}

fn survival(all: &[(System, Vec<Trial>)]) -> Vec<Line> {
    let line = |(colour, (system, trials)): (usize, &(System, Vec<Trial>))| {
        let mut times: Vec<f64> =
            trials.iter().flat_map(|trial| &trial.first).map(|time| time.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let left = |index: usize| 1.0 - to_f64(index as u64 + 1) / to_f64(times.len() as u64);
        let points = times.iter().enumerate().map(|(index, &time)| (time, left(index))).collect();
        Line { name: system.to_string(), points, is_dashed: false, colour }
    };
    all.iter().enumerate().map(line).collect()
}

/// Ours, and dashed the paper's figures of the same system.
fn false_positives(all: &[(System, Vec<Trial>)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (colour, (system, trials)) in all.iter().enumerate() {
        let mut concurrent: Vec<u32> = trials.iter().map(|trial| trial.concurrent).collect();
        concurrent.sort_unstable();
        concurrent.dedup();
        let rate = |&many: &u32| {
            let of = || trials.iter().filter(move |trial| trial.concurrent == many);
            let events: u64 = of().map(|trial| trial.false_positives).sum();
            let hours: f64 = of().map(Trial::node_hours).sum();
            (f64::from(many), if hours > 0.0 { to_f64(events) / hours } else { 0.0 })
        };
        let points = concurrent.iter().map(rate).collect();
        lines.push(Line { name: system.to_string(), points, is_dashed: false, colour });
        if let Some(points) = paper::by_concurrency(*system) {
            let name = format!("{system}, the paper");
            lines.push(Line { name, points, is_dashed: true, colour });
        }
    }
    lines
}

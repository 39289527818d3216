use super::{Experiment, Kind, System, Trial, paper, tables};
use crate::experiments::page::{Chart, Line, Page, Scale};

/// The tables and what can be seen better, as one HTML file; `command` makes it again.
#[must_use]
pub fn page(experiment: &Experiment, all: &[(System, Vec<Trial>)], command: &str) -> String {
    let mut page = Page::new(match experiment.kind {
        Kind::Threshold => "How fast an anomaly is seen: Lifeguard's Threshold experiment",
        Kind::Interval => "Who is accused beside: Lifeguard's Interval experiment",
    });
    page.say(&format!(
        "Simulated, by mingle-sim {}. Made by: {command}",
        env!("CARGO_PKG_VERSION")
    ));
    match experiment.kind {
        Kind::Threshold => page.draw(&Chart {
            title: "Anomalous nodes that nobody has declared dead yet",
            says: "Of the nodes that were declared dead, the share for which that was still to come so many \
                   seconds after their anomaly began. Further left is faster.",
            x: "seconds since the anomaly began",
            y: "share",
            scale: Scale::Linear,
            lines: survival(all),
        }),
        Kind::Interval => page.draw(&Chart {
            title: "False positives by the number of nodes that are anomalous at a time",
            says: "How often anybody declared a node dead that was well, in all worlds with so many anomalous \
                   nodes. Lower is better; where nothing happened there is no point.",
            x: "anomalous nodes",
            y: "false positives per node-hour",
            scale: Scale::Logarithmic,
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
        let left = |index: usize| 1.0 - to_f64(index + 1) / to_f64(times.len());
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
            (f64::from(many), if hours > 0.0 { events_to_f64(events) / hours } else { 0.0 })
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

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn events_to_f64(count: u64) -> f64 {
    count as f64
}

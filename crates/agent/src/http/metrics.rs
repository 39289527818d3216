use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mingle::{Histogram, Kind, Stats};

use super::openapi::Refusals;
use super::{Agent, views};
use crate::agent::{Running, Security};
use crate::api::MemberCounts;
use crate::keys;

/// `GET /metrics`, for Prometheus. No label has a value that a peer chooses.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "For Prometheus", body = String), Refusals)
)]
pub(crate) async fn page(State(running): Agent) -> Response {
    let stats = running.cluster.stats().await;
    let mut page = Page::default();
    add_agent(&mut page, &running);
    add_members(&mut page, views::counts(&running));
    add_key(&mut page, &running, &stats);
    add_stats(&mut page, &stats);
    for histogram in stats.histograms() {
        page.histogram(histogram);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, page.text).into_response()
}

fn add_agent(page: &mut Page, running: &Running) {
    page.describe("build_info", "The program, as labels.", Kind::Gauge);
    page.sample("build_info", Some(("version", env!("CARGO_PKG_VERSION"))), 1);
    page.gauge("uptime_seconds", "Since the agent started.", running.started.elapsed().as_secs());
    let insecure = u64::from(running.security == Security::Open);
    page.gauge("insecure", "1 when gossip is open to others and not encrypted.", insecure);
    let warnings = u64::try_from(running.warnings().len()).unwrap_or(u64::MAX);
    page.gauge("warnings", "What an operator should change; see /v1/self.", warnings);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let tasks = u64::try_from(tasks).unwrap_or(u64::MAX);
    page.gauge("tasks", "Tasks of the agent's runtime that have not ended.", tasks);
    let refused = running.access.turned_away.load(Ordering::Relaxed);
    let name = "http_connections_refused_total";
    page.describe(name, "Connections of machines that had their share already.", Kind::Counter);
    page.sample(name, None, refused);
}

fn add_members(page: &mut Page, counts: MemberCounts) {
    page.describe("members", "Members known, by state.", Kind::Gauge);
    let by_state = [
        ("alive", counts.alive),
        ("suspect", counts.suspect),
        ("dead", counts.dead),
        ("left", counts.left),
    ];
    for (state, count) in by_state {
        page.sample("members", Some(("state", state)), count);
    }
}

/// What was sealed belongs to a key, whose use is added up over agents and their restarts.
fn add_key(page: &mut Page, running: &Running, stats: &Stats) {
    let keys = running.cluster.list_keys();
    let Some(primary) = keys.first() else { return };
    for stat in stats.iter().filter(|stat| stat.name == SEALED) {
        page.describe(SEALED, stat.help, stat.kind);
        page.sample(SEALED, Some(("key", &keys::fingerprint(primary))), stat.value);
    }
}

const SEALED: &str = "messages_sealed_under_key";

/// Every number of the library but those that have labels of the agent's.
fn add_stats(page: &mut Page, stats: &Stats) {
    let labelled = ["members", "members_live", SEALED];
    let mut described = "";
    for stat in stats.iter().filter(|stat| !labelled.contains(&stat.name)) {
        let name = match stat.kind {
            Kind::Counter => format!("{}_total", stat.name),
            Kind::Gauge => stat.name.to_owned(),
        };
        if described != stat.name {
            page.describe(&name, stat.help, stat.kind);
            described = stat.name;
        }
        let label = if stat.name == "changes" { "change" } else { "reason" };
        page.sample(&name, stat.reason.map(|reason| (label, reason)), stat.value);
    }
}

/// Text in Prometheus' exposition format.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.describe(name, help, Kind::Gauge);
        self.sample(name, None, value);
    }

    fn describe(&mut self, name: &str, help: &str, kind: Kind) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.describe_as(name, help, kind);
    }

    fn describe_as(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP mingle_{name} {help}");
        let _ = writeln!(self.text, "# TYPE mingle_{name} {kind}");
    }

    fn histogram(&mut self, histogram: &Histogram) {
        let Histogram { name, help, buckets, count, sum, .. } = histogram;
        self.describe_as(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        for here in buckets {
            let bound = here.bound.as_secs_f64().to_string();
            self.sample(&bucket, Some(("le", &bound)), here.count);
        }
        self.sample(&bucket, Some(("le", "+Inf")), count);
        self.sample(&format!("{name}_sum"), None, sum.as_secs_f64());
        self.sample(&format!("{name}_count"), None, count);
    }

    /// The name and the value of the label are ours, and need no escaping.
    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let _ = match label {
            Some((label, of)) => writeln!(self.text, "mingle_{name}{{{label}=\"{of}\"}} {value}"),
            None => writeln!(self.text, "mingle_{name} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_described_once_before_its_samples() {
        let mut page = Page::default();
        add_members(&mut page, MemberCounts { alive: 2, suspect: 0, dead: 1, left: 0 });
        assert_eq!(
            page.text,
            "# HELP mingle_members Members known, by state.\n\
             # TYPE mingle_members gauge\n\
             mingle_members{state=\"alive\"} 2\n\
             mingle_members{state=\"suspect\"} 0\n\
             mingle_members{state=\"dead\"} 1\n\
             mingle_members{state=\"left\"} 0\n"
        );
    }
}

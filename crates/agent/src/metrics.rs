//! Every number that an agent exports, once: `/metrics` and OTLP spell the same list.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use mingle::{Histogram, Kind, Stats};

use crate::agent::{Running, Security};
use crate::api::MemberCounts;
use crate::http::views;
use crate::keys;

/// A number, or several that a label tells apart.
pub(crate) struct Family {
    /// As Prometheus has it, with its prefix and suffix; stable.
    pub(crate) name: String,
    /// What it is, in one line.
    pub(crate) help: &'static str,
    pub(crate) values: Values,
}

pub(crate) enum Values {
    /// They only grow.
    Counters(Vec<Sample>),
    /// They go up and down.
    Gauges(Vec<Sample>),
    Histogram(Histogram),
}

pub(crate) struct Sample {
    pub(crate) label: Option<Label>,
    pub(crate) value: u64,
}

/// What tells the samples of a family apart. No value is one that a peer chooses, and none needs to be escaped.
pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) value: Cow<'static, str>,
}

/// All of them as they are now, in a stable order.
pub(crate) async fn families(running: &Running) -> Vec<Family> {
    let stats = running.cluster.stats().await;
    let mut families = agent(running);
    families.push(members(&views::counts(running)));
    families.extend(sealed(running, &stats));
    add_stats(&mut families, &stats);
    families.extend(stats.histograms().map(|histogram| Family {
        name: format!("{PREFIX}{}", histogram.name),
        help: histogram.help,
        values: Values::Histogram(histogram.clone()),
    }));
    families
}

const PREFIX: &str = "mingle_";

impl Family {
    fn new(name: &str, help: &'static str, kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self {
                name: format!("{PREFIX}{name}_total"),
                help,
                values: Values::Counters(Vec::new()),
            },
            Kind::Gauge => {
                Self { name: format!("{PREFIX}{name}"), help, values: Values::Gauges(Vec::new()) }
            }
        }
    }

    fn gauge(name: &str, help: &'static str, value: u64) -> Self {
        Self::new(name, help, Kind::Gauge).with(None, value)
    }

    fn with(mut self, label: Option<Label>, value: u64) -> Self {
        self.add(label, value);
        self
    }

    fn add(&mut self, label: Option<Label>, value: u64) {
        match &mut self.values {
            Values::Counters(samples) | Values::Gauges(samples) => {
                samples.push(Sample { label, value });
            }
            Values::Histogram(_) => unreachable!("histograms come whole"),
        }
    }
}

impl Label {
    fn new(name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { name, value: value.into() }
    }
}

fn agent(running: &Running) -> Vec<Family> {
    let version = Label::new("version", env!("CARGO_PKG_VERSION"));
    let insecure = u64::from(running.security == Security::Open);
    let warnings = u64::try_from(running.warnings().len()).unwrap_or(u64::MAX);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let tasks = u64::try_from(tasks).unwrap_or(u64::MAX);
    vec![
        Family::new("build_info", "The program, as labels.", Kind::Gauge).with(Some(version), 1),
        Family::gauge(
            "uptime_seconds",
            "Since the agent started.",
            running.started.elapsed().as_secs(),
        ),
        Family::gauge("insecure", "1 when gossip is open to others and not encrypted.", insecure),
        Family::gauge("warnings", "What an operator should change; see /v1/self.", warnings),
        Family::gauge("tasks", "Tasks of the agent's runtime that have not ended.", tasks),
        Family::new(
            "http_connections_refused",
            "Connections of machines that had their share already.",
            Kind::Counter,
        )
        .with(None, running.access.turned_away.load(Ordering::Relaxed)),
    ]
}

fn members(counts: &MemberCounts) -> Family {
    let by_state = [
        ("alive", counts.alive),
        ("suspect", counts.suspect),
        ("dead", counts.dead),
        ("left", counts.left),
    ];
    let mut members = Family::new("members", "Members known, by state.", Kind::Gauge);
    for (state, count) in by_state {
        members.add(Some(Label::new("state", state)), count);
    }
    members
}

/// What was sealed belongs to a key, whose use is added up over agents and their restarts.
fn sealed(running: &Running, stats: &Stats) -> Option<Family> {
    let keys = running.cluster.list_keys();
    let stat = stats.iter().find(|stat| stat.name == SEALED)?;
    let key = Label::new("key", keys::fingerprint(keys.first()?));
    Some(Family::new(SEALED, stat.help, stat.kind).with(Some(key), stat.value))
}

const SEALED: &str = "messages_sealed_under_key";

/// Every number of the library but those that have labels of the agent's.
fn add_stats(families: &mut Vec<Family>, stats: &Stats) {
    let labelled = ["members", "members_live", SEALED];
    let mut described = "";
    for stat in stats.iter().filter(|stat| !labelled.contains(&stat.name)) {
        if described != stat.name {
            families.push(Family::new(stat.name, stat.help, stat.kind));
            described = stat.name;
        }
        let label = if stat.name == "changes" { "change" } else { "reason" };
        let label = stat.reason.map(|reason| Label::new(label, reason));
        families.last_mut().expect("one was pushed").add(label, stat.value);
    }
}

//! What the library has, as the interface spells it.

use std::time::{Duration, SystemTime};

use mingle::{
    Cause, Decided, Decision, DegradedLink, Evidence, Kind, LinkKind, Member, ProbeReport, Stat,
    State as MemberState, StateFile, Stats, StreamPing, Via,
};

use crate::agent::Running;
use crate::api::{
    ChangeView, ConflictView, DecisionView, DegradedView, EvidenceView, HealthView, LinkView,
    MemberCounts, MemberView, MissingView, ProbeView, ReconnectView, RefutedView, StatView,
    StateFileView, StatusEvent, TrafficView, ViewSummary,
};
use crate::output::{self, timestamp_millis};

pub(crate) fn member(member: &Member) -> MemberView {
    MemberView {
        name: member.name.clone(),
        address: member.address,
        state: member.state.as_str().to_owned(),
        tags: member.tags.clone(),
        incarnation: member.incarnation.get(),
        since: output::timestamp(member.since),
        rtt_ms: rtt_ms(member),
        degraded: member.degraded().map(degraded),
    }
}

fn degraded(link: DegradedLink) -> DegradedView {
    let DegradedLink { kind, since, .. } = link;
    DegradedView { kind: kind.as_str().to_owned(), since: output::timestamp(since) }
}

pub(super) fn stat(stat: &Stat) -> StatView {
    let kind = match stat.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    StatView {
        name: stat.name.to_owned(),
        reason: stat.reason.map(str::to_owned),
        kind: kind.to_owned(),
        value: stat.value,
        help: stat.help.to_owned(),
    }
}

/// The last round trip time, if there is one.
pub(crate) fn rtt_ms(member: &Member) -> Option<f64> {
    member.rtt().map(milliseconds)
}

pub(super) fn state_file(file: &StateFile) -> StateFileView {
    StateFileView {
        path: file.path.to_string_lossy().into_owned(),
        bytes: file.bytes,
        age_seconds: file.written.elapsed().as_secs(),
        error: file.error.map(|kind| kind.to_string()),
    }
}

/// How many members are in each state.
pub(crate) fn counts(running: &Running) -> MemberCounts {
    let mut counts = MemberCounts::default();
    for member in running.cluster.members() {
        match member.state {
            MemberState::Alive => counts.alive += 1,
            MemberState::Suspect => counts.suspect += 1,
            MemberState::Dead => counts.dead += 1,
            MemberState::Left => counts.left += 1,
        }
    }
    counts
}

/// How the agent is.
pub(crate) async fn status(running: &Running) -> StatusEvent {
    let stats = running.cluster.stats().await;
    let number = |name| stats.get(name).unwrap_or_default();
    StatusEvent {
        at: timestamp_millis(SystemTime::now()),
        health: number("health_score"),
        members: counts(running),
        view: view_summary(&stats),
        missing: missing(&stats),
        degraded: number("members_degraded"),
        queued: number("claims_queued"),
        lag_ms: milliseconds(Duration::from_micros(number("loop_lag_microseconds"))),
        traffic: TrafficView {
            datagrams_in: number("datagrams_in"),
            datagrams_out: number("datagrams_out"),
            datagram_bytes_in: number("datagram_bytes_in"),
            datagram_bytes_out: number("datagram_bytes_out"),
            stream_bytes_in: number("stream_bytes_in"),
            stream_bytes_out: number("stream_bytes_out"),
        },
        warnings: running.warnings(),
    }
}

pub(super) fn view_summary(stats: &Stats) -> ViewSummary {
    let number = |name| stats.get(name).unwrap_or_default();
    ViewSummary {
        version: number("view_version"),
        fingerprint: format!("{:016x}", number("view_fingerprint")),
        agreeing: number("view_agreeing"),
        told: number("view_told"),
    }
}

pub(super) fn missing(stats: &Stats) -> MissingView {
    let number = |name| stats.get(name).unwrap_or_default();
    MissingView {
        failed: number("missing_failed"),
        seeds: number("missing_seeds"),
        remembered: number("missing_remembered"),
    }
}

pub(crate) fn decision(decision: &Decision) -> DecisionView {
    let mut view = DecisionView {
        at: timestamp_millis(decision.at),
        first: timestamp_millis(decision.first),
        times: decision.times,
        kind: decision.what.kind().as_str().to_owned(),
        text: decision.what.to_string(),
        ..DecisionView::default()
    };
    match &decision.what {
        Decided::Member(change) => {
            view.member = Some(ChangeView {
                name: change.name.to_string(),
                change: change.change.as_str().to_owned(),
                state: change.state.as_str().to_owned(),
                incarnation: change.incarnation.get(),
                address: change.address,
                evidence: evidence(&change.evidence),
            });
        }
        Decided::Conflict { name, held, claimed } => {
            let (held, claimed) = (*held, *claimed);
            view.conflict = Some(ConflictView { name: name.to_string(), held, claimed });
        }
        Decided::Refuted { incarnation, evidence: of } => {
            let incarnation = incarnation.get();
            view.refuted = Some(RefutedView { incarnation, evidence: evidence(of) });
        }
        &Decided::Health { before, score } => view.health = Some(HealthView { before, score }),
        Decided::Late { by } => view.late_ms = Some(milliseconds(*by)),
        Decided::Reconnect { to, sought, error } => {
            view.reconnect = Some(ReconnectView {
                to: *to,
                sought: sought.as_str().to_owned(),
                error: error.as_ref().map(ToString::to_string),
            });
        }
        Decided::LinkDegraded { name, kind, since } => {
            view.link_degraded = Some(link(name, *kind, *since));
        }
        Decided::LinkRestored { name, kind, since } => {
            view.link_restored = Some(link(name, *kind, *since));
        }
    }
    view
}

fn link(name: &str, kind: LinkKind, since: SystemTime) -> LinkView {
    let (name, kind) = (name.to_owned(), kind.as_str().to_owned());
    LinkView { name, kind, since: timestamp_millis(since) }
}

fn evidence(evidence: &Evidence) -> EvidenceView {
    let (via, peer) = match evidence.via {
        Via::Own => ("own", None),
        Via::Packet(from) => ("packet", Some(from)),
        Via::Stream(with) => ("stream", Some(with)),
    };
    let mut view = EvidenceView {
        cause: word(&evidence.cause).to_owned(),
        incarnation: evidence.incarnation.get(),
        before: evidence.before.map(|state| state.as_str().to_owned()),
        via: via.to_owned(),
        peer,
        last_ack_ms: evidence.last_ack.map(milliseconds),
        lag_ms: milliseconds(evidence.lag),
        ..EvidenceView::default()
    };
    match &evidence.cause {
        Cause::ProbeFailed(report) => view.probe = Some(probe(report)),
        Cause::Accused { by } => view.accusers = vec![by.to_string()],
        Cause::HeardDown { state } => view.heard = Some(state.as_str().to_owned()),
        Cause::SuspicionExpired { accusers, ran } => {
            view.accusers = accusers.iter().map(ToString::to_string).collect();
            view.ran_ms = Some(milliseconds(*ran));
        }
        Cause::Declared { by } => view.declared_by = Some(by.to_string()),
        Cause::Superseded { at } => view.superseded_at = Some(*at),
        Cause::Announced | Cause::Goodbye | Cause::Forced | Cause::Expired => {}
    }
    view
}

/// What stands for a cause in answers; stable.
const fn word(cause: &Cause) -> &'static str {
    match cause {
        Cause::Announced => "announced",
        Cause::ProbeFailed(_) => "probe_failed",
        Cause::Accused { .. } => "accused",
        Cause::HeardDown { .. } => "heard_down",
        Cause::SuspicionExpired { .. } => "suspicion_expired",
        Cause::Declared { .. } => "declared",
        Cause::Superseded { .. } => "superseded",
        Cause::Goodbye => "goodbye",
        Cause::Forced => "forced",
        Cause::Expired => "expired",
    }
}

fn probe(report: &ProbeReport) -> ProbeView {
    let stream = match report.stream {
        StreamPing::NotTried => "not_tried",
        StreamPing::Silent => "silent",
        StreamPing::Failed => "failed",
        StreamPing::Answered => "answered",
    };
    ProbeView {
        waited_ms: milliseconds(report.waited),
        helpers: report.helpers,
        nacks_expected: report.nacks_expected,
        nacks: report.nacks,
        stream: stream.to_owned(),
        health: report.health,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

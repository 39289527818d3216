use mingle_proto::{Cause, Change, Config, Evidence, Member, ProbeReport, StreamPing, Via};
use mingle_wire::{Incarnation, State};

use super::desk::{Checker, Desk};

/// Whether the evidence of a change fits it, as far as it shows by itself.
pub(super) fn told(
    desk: &mut Desk,
    config: &Config,
    change: Change,
    member: &Member,
    evidence: &Evidence,
) {
    let whom = member.name();
    desk.check(Checker::Evidence, explains(change, member, evidence), || {
        let Evidence { cause, via, .. } = evidence;
        format!("{whom} {}, {via}: {cause:?} is no reason for that", change.as_str())
    });
    let (claimed, is) = (evidence.incarnation, member.incarnation);
    // Who refutes goes above the claim, and old news of a profile may be below what is believed.
    let may_differ = change == Change::Updated || is_refutation(change, member, evidence);
    desk.check(Checker::Evidence, claimed == is || (may_differ && claimed < is), || {
        format!("{whom} {} at {is} because of a claim at {claimed}", change.as_str())
    });
    match &evidence.cause {
        Cause::ProbeFailed(report) => probe(desk, config, whom, report),
        Cause::SuspicionExpired { accusers, ran } => {
            let distinct = accusers.iter().enumerate().all(|(i, a)| !accusers[..i].contains(a));
            let sane = !accusers.is_empty() && distinct && !ran.is_zero();
            desk.check(Checker::Evidence, sane, || {
                format!("{whom} is dead after {ran:?} because of {accusers:?}")
            });
        }
        Cause::HeardDown { state } => {
            desk.check(Checker::Evidence, matches!(state, State::Suspect | State::Dead), || {
                format!("{whom} is accused because a peer has it {state}")
            });
        }
        Cause::Announced
        | Cause::Accused { .. }
        | Cause::Declared { .. }
        | Cause::Superseded { .. }
        | Cause::Goodbye
        | Cause::Forced
        | Cause::Expired => {}
    }
}

/// A refutation goes above what it refutes; at the highest incarnation there is nothing above.
pub(super) fn refuted(desk: &mut Desk, incarnation: Incarnation, evidence: &Evidence) {
    let claimed = evidence.incarnation;
    let above = incarnation > claimed || incarnation == Incarnation::LAST;
    desk.check(Checker::Evidence, above, || {
        format!("a claim at {claimed} is refuted at {incarnation}")
    });
    let heard = matches!(evidence.via, Via::Packet(_) | Via::Stream(_));
    let refutable = match evidence.cause {
        Cause::Announced
        | Cause::Accused { .. }
        | Cause::HeardDown { .. }
        | Cause::Declared { .. }
        | Cause::Goodbye => true,
        Cause::ProbeFailed(_)
        | Cause::SuspicionExpired { .. }
        | Cause::Superseded { .. }
        | Cause::Forced
        | Cause::Expired => false,
    };
    desk.check(Checker::Evidence, heard && refutable, || {
        format!("it refutes {:?}, {}", evidence.cause, evidence.via)
    });
}

/// Whether a node renews itself because of something that it heard.
fn is_refutation(change: Change, member: &Member, evidence: &Evidence) -> bool {
    change == Change::Renewed && member.state == State::Alive && !matches!(evidence.via, Via::Own)
}

fn explains(change: Change, member: &Member, evidence: &Evidence) -> bool {
    let own = matches!(evidence.via, Via::Own);
    let packet = matches!(evidence.via, Via::Packet(_));
    let stream = matches!(evidence.via, Via::Stream(_));
    let cause = &evidence.cause;
    let announced = matches!(cause, Cause::Announced) && !own;
    let accused = match cause {
        Cause::ProbeFailed(_) => own,
        Cause::Accused { .. } => packet,
        Cause::HeardDown { .. } => stream,
        Cause::Announced
        | Cause::SuspicionExpired { .. }
        | Cause::Declared { .. }
        | Cause::Superseded { .. }
        | Cause::Goodbye
        | Cause::Forced
        | Cause::Expired => false,
    };
    let declared = matches!(cause, Cause::Declared { .. }) && packet;
    let goodbye = matches!(cause, Cause::Goodbye);
    match change {
        Change::Joined => announced || (accused && member.state == State::Suspect),
        Change::Suspected => accused,
        Change::Recovered => announced,
        Change::Updated => matches!(cause, Cause::Announced),
        // What a node refutes can be anything that is said of it.
        Change::Renewed => match member.state {
            State::Alive => announced || (accused && !own) || declared || (goodbye && !own),
            State::Suspect => accused,
            State::Dead => declared,
            State::Left => goodbye && !own,
        },
        Change::Failed => {
            let moved = matches!(cause, Cause::Superseded { .. }) && !own;
            declared || moved || (own && matches!(cause, Cause::SuspicionExpired { .. }))
        }
        Change::Left => goodbye || (own && matches!(cause, Cause::Forced)),
        Change::Reaped => own && matches!(cause, Cause::Expired),
    }
}

fn probe(desk: &mut Desk, config: &Config, whom: &str, report: &ProbeReport) {
    let &ProbeReport { waited, helpers, nacks_expected, nacks, stream, health } = report;
    let counts = nacks <= nacks_expected
        && nacks_expected <= helpers
        && helpers <= config.indirect_checks
        && health < config.awareness_max_multiplier;
    let long_enough = waited >= config.probe_interval.saturating_mul(health.saturating_add(1));
    let tried = match stream {
        StreamPing::NotTried => true,
        StreamPing::Silent | StreamPing::Failed => config.stream_pings,
        StreamPing::Answered => false,
    };
    desk.check(Checker::Evidence, counts && long_enough && tried, || {
        format!("{whom} failed a probe that reads {report:?}")
    });
}

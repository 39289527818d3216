//! What evidence suggests to whoever has to do something about it.

use std::time::Duration;

use mingle::{
    Cause, Change, Decided, Decision, Evidence, LinkKind, MemberChange, ProbeReport, State,
    StreamPing, Why,
};

/// Timers that ran as late as this say that we may have been the slow one.
const SLOW: Duration = Duration::from_millis(250);
/// So many accusations in what is recorded are a pattern.
const OFTEN: usize = 3;

/// Sentences that follow from the evidence, the weightiest first. `witnesses` is how many live members
/// there are beside the agent and the member.
pub(crate) fn of(why: &Why, local: &str, witnesses: usize) -> Vec<String> {
    let mut hints = Vec::new();
    about_the_name(why, &mut hints);
    let suspected = last(why, Change::Suspected);
    let failed = last(why, Change::Failed);
    about_ourselves(why, [suspected, failed], &mut hints);
    if let Some(link) = why.member.as_ref().and_then(|member| member.degraded()) {
        hints.push(about_link(link.kind).to_owned());
    }
    if let Some(change) = suspected {
        about_accusation(&change.evidence, local, witnesses, &mut hints);
    }
    if let Some(change) = failed {
        about_verdict(change, local, witnesses, &mut hints);
    }
    about_habits(why, &mut hints);
    hints
}

fn changes(why: &Why) -> impl DoubleEndedIterator<Item = &MemberChange> {
    why.timeline.iter().filter_map(|decision| match &decision.what {
        Decided::Member(change) => Some(change),
        Decided::Conflict { .. }
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Late { .. }
        | Decided::Reconnect { .. }
        | Decided::LinkDegraded { .. }
        | Decided::LinkRestored { .. } => None,
    })
}

fn last(why: &Why, change: Change) -> Option<&MemberChange> {
    changes(why).rfind(|of| of.change == change)
}

fn about_the_name(why: &Why, hints: &mut Vec<String>) {
    if why.timeline.iter().any(|decision| matches!(decision.what, Decided::Conflict { .. })) {
        hints.push("two nodes claim this name: give one of them another".to_owned());
    }
    if why.member.as_ref().is_some_and(|member| member.state == State::Left) {
        let before = last(why, Change::Left).and_then(|change| change.evidence.before);
        hints.push(if before == Some(State::Dead) {
            "it was dead before it left: an operator said so for it, and nobody looks for it any more; \
             it is back when it is started"
                .to_owned()
        } else {
            "it said goodbye: nothing is wrong, and it is back when it is started".to_owned()
        });
    }
}

/// Whether we are a good witness.
fn about_ourselves(why: &Why, grounds: [Option<&MemberChange>; 2], hints: &mut Vec<String>) {
    let lags = grounds.into_iter().flatten().map(|change| change.evidence.lag);
    let late = |decision: &Decision| match decision.what {
        Decided::Late { by } => Some(by),
        Decided::Member(_)
        | Decided::Conflict { .. }
        | Decided::Refuted { .. }
        | Decided::Health { .. }
        | Decided::Reconnect { .. }
        | Decided::LinkDegraded { .. }
        | Decided::LinkRestored { .. } => None,
    };
    let worst = lags.chain(why.ourselves.iter().filter_map(late)).max().unwrap_or_default();
    if worst >= SLOW {
        hints.push(format!(
            "our own timers were {worst:.1?} late: this agent may have been the slow one; look at its \
             processor, its memory, and whether its machine was paused"
        ));
    }
}

/// Of a link on which packets get lost now.
const fn about_link(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::StreamsOnly => {
            "packets get lost, streams work: open UDP on the way, and check the MTU"
        }
        LinkKind::HelpersOnly => {
            "packets get lost between this agent and it, and not between it and others: look at the \
             way between these two, in both directions (firewall, route, MTU)"
        }
    }
}

fn about_accusation(evidence: &Evidence, local: &str, witnesses: usize, hints: &mut Vec<String>) {
    match &evidence.cause {
        Cause::ProbeFailed(report) => about_probe(report, witnesses, hints),
        Cause::Accused { by } if **by != *local => hints.push(format!(
            "{by:?} suspected it first: \"mingle why\" on that agent says on what ground"
        )),
        Cause::HeardDown { .. } => hints.push(
            "this agent only heard of it with a peer's view: ask the others for the ground"
                .to_owned(),
        ),
        Cause::Accused { .. }
        | Cause::Announced
        | Cause::SuspicionExpired { .. }
        | Cause::Declared { .. }
        | Cause::Superseded { .. }
        | Cause::Goodbye
        | Cause::Forced
        | Cause::Expired => {}
    }
    if evidence.last_ack.is_none() {
        hints.push(
            "it has never answered a ping of this agent: check that UDP passes between the two, both \
             ways"
                .to_owned(),
        );
    }
}

fn about_probe(report: &ProbeReport, witnesses: usize, hints: &mut Vec<String>) {
    let ProbeReport { helpers, nacks_expected, nacks, health, .. } = *report;
    if health > 0 {
        hints.push(format!(
            "the health score of this agent was {health} when it began to probe: it had reason to doubt \
             itself"
        ));
    }
    hints.extend(
        match report.stream {
            StreamPing::Failed => Some(
                "no stream could be opened to it: its process is gone, or a firewall is between",
            ),
            StreamPing::Silent => {
                Some("a stream to it got no answer: it hangs, or its machine is off or cut off")
            }
            // A probe whose stream answered has not failed.
            StreamPing::NotTried | StreamPing::Answered => None,
        }
        .map(str::to_owned),
    );
    if helpers == 0 && witnesses > 0 {
        hints.push("nobody was asked for help: only this agent has tried to reach it".to_owned());
    } else if nacks_expected > 0 && nacks == nacks_expected {
        hints.push("the helpers did not reach it either: look at the member, not here".to_owned());
    } else if nacks_expected > 0 {
        hints.push(format!(
            "of {nacks_expected} helpers that say so when they get no answer, {nacks} did: look at \
             the network of this agent too"
        ));
    }
}

fn about_verdict(change: &MemberChange, local: &str, witnesses: usize, hints: &mut Vec<String>) {
    match &change.evidence.cause {
        Cause::SuspicionExpired { accusers, .. } if accusers.len() == 1 && witnesses > 0 => {
            hints.push(format!("nobody else accused it, only {:?}", accusers[0]));
        }
        Cause::Declared { by } if **by != *local => hints.push(format!(
            "{by:?} declared it dead: \"mingle why\" on that agent says on what ground"
        )),
        Cause::SuspicionExpired { .. }
        | Cause::Declared { .. }
        | Cause::HeardDown { .. }
        | Cause::Announced
        | Cause::ProbeFailed(_)
        | Cause::Accused { .. }
        | Cause::Superseded { .. }
        | Cause::Goodbye
        | Cause::Forced
        | Cause::Expired => {}
    }
}

fn about_habits(why: &Why, hints: &mut Vec<String>) {
    let suspicions = changes(why).filter(|change| change.change == Change::Suspected).count();
    if suspicions >= OFTEN {
        hints.push(format!(
            "it was suspected {suspicions} times: it is slow now and then, or packets to it get lost"
        ));
    }
    let is_refutation = |decision: &&Decision| matches!(decision.what, Decided::Refuted { .. });
    let refuted = why.timeline.iter().filter(is_refutation).count();
    if refuted > 0 {
        let times = if refuted == 1 { "once".to_owned() } else { format!("{refuted} times") };
        hints.push(format!(
            "others said {times} of this agent what is not so: its answers come late or not at \
             all; look at its processor, and at its network in both directions"
        ));
    }
}

#[cfg(test)]
mod tests {
    use mingle::{Incarnation, Via};

    use super::*;

    #[test]
    fn a_probe_says_where_to_look() {
        let report = ProbeReport {
            waited: Duration::from_secs(1),
            helpers: 3,
            nacks_expected: 3,
            nacks: 3,
            stream: StreamPing::NotTried,
            health: 0,
        };
        let table = [
            (report, 5, "look at the member, not here"),
            (ProbeReport { nacks: 1, ..report }, 5, "look at the network of this agent too"),
            (
                ProbeReport { helpers: 0, nacks_expected: 0, nacks: 0, ..report },
                5,
                "only this agent",
            ),
            (ProbeReport { helpers: 0, nacks_expected: 0, nacks: 0, ..report }, 0, ""),
        ];
        for (report, witnesses, expected) in table {
            let mut hints = Vec::new();
            about_probe(&report, witnesses, &mut hints);
            let hints = hints.join("\n");
            assert!(hints.contains(expected), "{hints}");
            assert_eq!(hints.is_empty(), expected.is_empty(), "{hints}");
        }
        let mut hints = Vec::new();
        let report = ProbeReport { stream: StreamPing::Failed, health: 2, ..report };
        about_probe(&report, 5, &mut hints);
        assert!(hints[0].contains("was 2 when it began to probe"), "{hints:?}");
        assert!(hints[1].starts_with("no stream could be opened to it"), "{hints:?}");
    }

    #[test]
    fn who_is_suspected_for_a_peers_view_is_asked_about_elsewhere() {
        let evidence = Evidence {
            incarnation: Incarnation::FIRST,
            before: Some(State::Alive),
            cause: Cause::HeardDown { state: State::Dead },
            via: Via::Stream(([10, 0, 0, 1], 7946).into()),
            last_ack: Some(Duration::ZERO),
            lag: Duration::ZERO,
        };
        let mut hints = Vec::new();
        about_accusation(&evidence, "a", 1, &mut hints);
        assert_eq!(hints.len(), 1, "{hints:?}");
        assert!(hints[0].contains("only heard of it with a peer's view"), "{hints:?}");
    }
}

//! What nodes hold against themselves.

use std::time::Duration;

use mingle_proto::Cause;

use super::altered::{check, check_of, event};
use super::*;

/// A call, and how its packet begins.
fn begins(call: &Call, is: fn(&Message<'_>) -> bool) -> bool {
    let What::Packet { body, .. } = &call.what else { return false };
    memberlist::messages(body).next().and_then(Result::ok).is_some_and(|first| is(&first))
}

#[test]
fn a_health_score_that_does_not_follow_is_found() {
    check(
        Checker::Health,
        &[
            ("answers that do not count", |calls| {
                calls.retain(|call| !begins(call, |first| matches!(first, Message::Ack(_))));
            }),
            ("nacks that never came", |calls| {
                calls.retain(|call| !begins(call, |first| matches!(first, Message::Nack(_))));
            }),
            ("a refutation that nobody made", |calls| {
                calls.retain(|call| match &call.what {
                    What::Event { event, .. } => !matches!(event, Event::Refuted { .. }),
                    _ => true,
                });
            }),
        ],
    );
}

/// Nodes whose timers are late see two others crash.
const LATE: &str = r#"
nodes = 6
duration = "100s"
[[fault]]
at = "1s"
do = "slow"
nodes = "0-3"
timers = "300ms"
[[fault]]
at = "5s"
do = "crash"
nodes = "4-5"
"#;

#[test]
fn lags_that_were_otherwise_are_found() {
    check(
        Checker::Lags,
        &[
            ("timers that were not late when it probed", |calls| {
                event(calls, Change::Suspected, |_, evidence| {
                    let is_it = matches!(evidence.cause, Cause::ProbeFailed(_));
                    evidence.lag += Duration::from_secs(u64::from(is_it));
                    is_it
                });
            }),
            ("timers that were not late when it suspected", |calls| {
                event(calls, Change::Failed, |_, evidence| {
                    let is_it = matches!(evidence.cause, Cause::SuspicionExpired { .. });
                    evidence.lag += Duration::from_secs(u64::from(is_it));
                    is_it
                });
            }),
        ],
    );
    check_of(
        LATE,
        Checker::Lags,
        &[("timers whose lag is not told", |calls| {
            event(calls, Change::Failed, |_, evidence| {
                let expired = matches!(evidence.cause, Cause::SuspicionExpired { .. });
                expired && !std::mem::take(&mut evidence.lag).is_zero()
            });
        })],
    );
}

//! Histories in which something happens too early, too late or never.

use mingle_proto::Cause;

use super::altered::{Alteration, check, event, first};
use super::*;

/// Takes a second from what the clock showed.
fn a_second_before(shown: &mut Instant) {
    *shown = Instant::from_nanos(shown.as_nanos() - 1_000_000_000);
}

/// The first suspicion that others confirm until it runs out began a second before it did.
fn longer_suspicion(calls: &mut [Call]) {
    let about = |call: &Call, of: Change| match &call.what {
        What::Event { event: Event::Member { change, member, .. }, .. } if *change == of => {
            Some((call.host, member.name().to_owned(), member.incarnation))
        }
        _ => None,
    };
    let is_confirmed = |call: &&Call| match &call.what {
        What::Event { event: Event::Member { evidence, .. }, .. } => {
            matches!(&evidence.cause, Cause::SuspicionExpired { accusers, .. } if accusers.len() > 1)
        }
        _ => false,
    };
    let verdict = calls.iter().find(is_confirmed).expect("somebody crashes, and all see it");
    let suspected = about(verdict, Change::Failed);
    first(calls, |call| {
        let begins = about(call, Change::Suspected) == suspected;
        if let What::Event { shown, .. } = &mut call.what
            && begins
        {
            a_second_before(shown);
        }
        begins
    });
}

#[test]
fn whoever_is_forgotten_early_or_never_is_found() {
    check(
        Checker::Deadlines,
        &[
            ("early", |calls| {
                first(calls, |call| match &mut call.what {
                    What::Event { shown, event: Event::Member { change, .. } } => {
                        let reaped = *change == Change::Reaped;
                        if reaped {
                            a_second_before(shown);
                        }
                        reaped
                    }
                    _ => false,
                });
            }),
            ("never", |calls| {
                let at = event(calls, Change::Reaped, |_, _| true);
                calls.remove(at);
            }),
        ],
    );
}

#[test]
fn a_suspicion_that_runs_too_long_is_found() {
    check(Checker::Deadlines, &[("after it was confirmed", |calls| longer_suspicion(calls))]);
}

#[test]
fn a_member_that_is_never_pinged_is_found() {
    let skips: Alteration = |calls| {
        calls.retain(|call| {
            let What::Sent { body, .. } = &call.what else { return true };
            let first = memberlist::messages(body).next();
            !matches!(first, Some(Ok(Message::Ping(ping))) if call.host == 0 && ping.node == "n2")
        });
    };
    check(Checker::Probing, &[("one whom nobody asks", skips)]);
}

#[test]
fn a_node_that_sleeps_although_it_has_something_to_tell_is_found() {
    let sleeps: Alteration = |calls| {
        first(calls, |call| match &mut call.what {
            What::Handled { shown, node } if node.queued() > 0 => {
                a_second_before(shown);
                true
            }
            _ => false,
        });
    };
    check(Checker::Progress, &[("claims that wait", sleeps)]);
}

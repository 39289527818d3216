use mingle_proto::{Beliefs, Change, Evidence, Instant, Member};
use mingle_wire::State;

use super::desk::{Checker, Desk};
use super::names::NameId;
use super::views::{Told, View};

/// One event about a member, and what it is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) id: NameId,
    pub(super) change: Change,
    pub(super) before: Option<&'a Member>,
    pub(super) after: &'a Member,
    pub(super) evidence: &'a Evidence,
    pub(super) beliefs: Beliefs,
    pub(super) shown: Instant,
}

/// Whether this can be told after what was told before (the life of a member in `ARCHITECTURE.md`).
pub(super) fn told(desk: &mut Desk, view: &View, step: Step<'_>) {
    let Step { id, change, before, after, evidence, beliefs, shown } = step;
    let local = id == view.me();
    let sequel = view.last().filter(|last| continues(last, id, change, evidence));
    let state = before.map(|member| member.state);
    let legal = match sequel {
        Some(first) => first.after == after.state,
        None => follows(change, state, after.state, beliefs) && !(local && is_of_others(change)),
    };
    let whom = after.name();
    desk.check(Checker::Order, legal, || {
        format!("{whom} {} as {}, and was {state:?} before", change.as_str(), after.state)
    });
    let said_before = sequel.map_or(state, |first| first.evidence.before);
    desk.check(Checker::Order, evidence.before == said_before, || {
        let said = evidence.before;
        format!("{whom} {}: its evidence has it {said:?} before; it was {state:?}", change.as_str())
    });
    let owed = view.last().filter(|last| owes_more(last));
    desk.check(Checker::Order, owed.is_none() || sequel.is_some(), || {
        format!("{owed:?} must be followed by what made it so, not by {whom} {}", change.as_str())
    });
    if let Some(before) = before {
        check_values(desk, change, before, after, beliefs, sequel.is_some());
        let in_time = super::views::unchanged_since(before, after, shown);
        desk.check(Checker::Order, in_time, || {
            format!("{whom} {}: since {:?}, and it is {shown:?}", change.as_str(), after.since)
        });
    }
}

/// After the last event of a step nothing may be left open.
pub(super) fn handled(desk: &mut Desk, view: &View) {
    let Some(last) = view.last() else { return };
    desk.check(Checker::Order, !owes_more(last), || {
        format!("{last:?} must be followed by what made it so")
    });
}

/// Whoever comes back as a suspect has joined and is suspected; who recovers with something new to
/// say of itself is updated as well.
fn owes_more(told: &Told) -> bool {
    match told.change {
        Change::Joined => told.after == State::Suspect,
        Change::Recovered => told.says_more,
        _ => false,
    }
}

/// Two events from one claim: what it brings beside the first change.
fn continues(last: &Told, id: NameId, change: Change, evidence: &Evidence) -> bool {
    let pair = matches!(
        (last.change, change),
        (Change::Joined, Change::Suspected) | (Change::Recovered, Change::Updated)
    );
    pair && last.about == id && last.evidence == *evidence
}

/// What nobody is told of itself.
fn is_of_others(change: Change) -> bool {
    match change {
        Change::Joined
        | Change::Suspected
        | Change::Recovered
        | Change::Failed
        | Change::Reaped => true,
        Change::Updated | Change::Renewed | Change::Left => false,
    }
}

fn follows(change: Change, before: Option<State>, after: State, beliefs: Beliefs) -> bool {
    use State::{Alive, Dead, Left, Suspect};
    let law = beliefs == Beliefs::Law;
    match change {
        Change::Joined => match before {
            None => after == Alive,
            Some(Dead | Left) => after == Alive || (law && after == Suspect),
            Some(Alive | Suspect) => false,
        },
        Change::Suspected => before == Some(Alive) && after == Suspect,
        Change::Recovered => before == Some(Suspect) && after == Alive,
        Change::Updated | Change::Renewed => before == Some(after),
        Change::Failed => {
            let from = matches!(before, Some(Alive | Suspect)) || (law && before == Some(Left));
            from && after == Dead
        }
        Change::Left => {
            let from = matches!(before, Some(Alive | Suspect)) || (law && before == Some(Dead));
            from && after == Left
        }
        Change::Reaped => matches!(before, Some(Dead | Left)) && before == Some(after),
    }
}

/// What a change does to incarnation and profile.
fn check_values(
    desk: &mut Desk,
    change: Change,
    before: &Member,
    after: &Member,
    beliefs: Beliefs,
    sequel: bool,
) {
    let (was, is) = (before.incarnation, after.incarnation);
    let raised = match change {
        // By the rules of memberlist a name may be taken over from another address (spec 7.1).
        Change::Joined => is > was || beliefs == Beliefs::Memberlist,
        Change::Recovered | Change::Renewed => is > was,
        Change::Suspected | Change::Updated | Change::Left => is >= was,
        Change::Failed => is >= was && (is > was || before.state != State::Left),
        Change::Reaped => is == was,
    };
    desk.check(Checker::Order, raised, || {
        format!("{} {} from incarnation {was} to {is}", after.name(), change.as_str())
    });
    let stays = !before.state.is_live() || before.address().same_endpoint(&after.address());
    desk.check(Checker::Order, stays, || {
        let (was, is) = (before.address(), after.address());
        format!("{} {}: it was live at {was} and is at {is}", after.name(), change.as_str())
    });
    let same = before.profile == after.profile;
    let fits = match change {
        Change::Joined | Change::Recovered => true,
        Change::Updated => !same || sequel,
        Change::Suspected | Change::Renewed | Change::Failed | Change::Left | Change::Reaped => {
            same
        }
    };
    desk.check(Checker::Order, fits, || {
        let (was, is) = (&before.profile, &after.profile);
        format!("{} {}: it was {was:?} and is {is:?}", after.name(), change.as_str())
    });
}

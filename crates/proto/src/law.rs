//! The law of beliefs: one total function from what is believed and what is claimed.

use mingle_wire::{Incarnation, State};
use serde::{Deserialize, Serialize};

use crate::Beliefs;

/// A state at an incarnation: what is believed of a member, or claimed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Belief {
    // The order of the fields is the law.
    pub(crate) incarnation: Incarnation,
    pub(crate) state: State,
}

/// What a claim does to a belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It takes its place.
    Adopt,
    /// As much is known already; it may still confirm a suspicion.
    Known,
    /// It is older than what is known.
    Stale,
}

/// Judges a claim about another node. News about oneself is not judged, only refuted.
pub(crate) fn judge(beliefs: Beliefs, held: Belief, claim: Belief) -> Judgement {
    match beliefs {
        Beliefs::Law => by_rank(held, claim),
        Beliefs::Memberlist => as_go(held, claim),
    }
}

/// The maximum by (incarnation, rank). Order of arrival does not matter.
fn by_rank(held: Belief, claim: Belief) -> Judgement {
    match claim.cmp(&held) {
        std::cmp::Ordering::Greater => Judgement::Adopt,
        std::cmp::Ordering::Equal => Judgement::Known,
        std::cmp::Ordering::Less => Judgement::Stale,
    }
}

/// Spec 7.1 to 7.3.
fn as_go(held: Belief, claim: Belief) -> Judgement {
    if claim.incarnation < held.incarnation {
        return Judgement::Stale;
    }
    let adopt = match claim.state {
        State::Alive => claim.incarnation > held.incarnation,
        State::Suspect => held.state == State::Alive,
        State::Dead | State::Left => held.state.is_live(),
    };
    if adopt { Judgement::Adopt } else { Judgement::Known }
}

#[cfg(test)]
mod tests {
    use super::Judgement::{Adopt, Known, Stale};
    use super::*;

    const STATES: [State; 4] = [State::Alive, State::Suspect, State::Dead, State::Left];

    fn belief(state: State, incarnation: u32) -> Belief {
        Belief { incarnation: Incarnation::new(incarnation).unwrap(), state }
    }

    /// Rows: held alive, suspect, dead, left at incarnation 5. Columns: a claim of alive, suspect,
    /// dead, left.
    fn check(beliefs: Beliefs, incarnation: u32, table: [[Judgement; 4]; 4]) {
        for (held, row) in STATES.into_iter().zip(table) {
            for (claimed, expected) in STATES.into_iter().zip(row) {
                let got = judge(beliefs, belief(held, 5), belief(claimed, incarnation));
                assert_eq!(got, expected, "{beliefs:?}: {held} at 5, {claimed} at {incarnation}");
            }
        }
    }

    #[test]
    fn every_cell_of_the_law() {
        check(Beliefs::Law, 4, [[Stale; 4]; 4]);
        check(
            Beliefs::Law,
            5,
            [
                [Known, Adopt, Adopt, Adopt],
                [Stale, Known, Adopt, Adopt],
                [Stale, Stale, Known, Adopt],
                [Stale, Stale, Stale, Known],
            ],
        );
        check(Beliefs::Law, 6, [[Adopt; 4]; 4]);
    }

    #[test]
    fn every_cell_as_go_has_it() {
        check(Beliefs::Memberlist, 4, [[Stale; 4]; 4]);
        check(
            Beliefs::Memberlist,
            5,
            [
                [Known, Adopt, Adopt, Adopt],
                [Known, Known, Adopt, Adopt],
                [Known, Known, Known, Known],
                [Known, Known, Known, Known],
            ],
        );
        check(
            Beliefs::Memberlist,
            6,
            [
                [Adopt, Adopt, Adopt, Adopt],
                [Adopt, Known, Adopt, Adopt],
                [Adopt, Known, Known, Known],
                [Adopt, Known, Known, Known],
            ],
        );
    }

    fn merge(held: Belief, claim: Belief) -> Belief {
        if judge(Beliefs::Law, held, claim) == Adopt { claim } else { held }
    }

    fn all() -> impl Iterator<Item = Belief> + Clone {
        STATES.into_iter().flat_map(|state| (1..=4).map(move |i| belief(state, i)))
    }

    #[test]
    fn merging_is_idempotent_commutative_and_associative() {
        for a in all() {
            assert_eq!(merge(a, a), a);
            for b in all() {
                assert_eq!(merge(a, b), merge(b, a));
                for c in all() {
                    assert_eq!(merge(merge(a, b), c), merge(a, merge(b, c)));
                }
            }
        }
    }

    #[test]
    fn a_dead_or_left_member_returns_only_above_its_incarnation() {
        for beliefs in [Beliefs::Law, Beliefs::Memberlist] {
            for held in all().filter(|b| !b.state.is_live()) {
                for claim in all().filter(|b| b.state.is_live()) {
                    let adopted = judge(beliefs, held, claim) == Adopt;
                    assert!(!adopted || claim.incarnation > held.incarnation);
                }
            }
        }
    }
}

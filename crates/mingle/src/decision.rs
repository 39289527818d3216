use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mingle_proto::{Cause, Change, Evidence, LinkKind, Sought};
use mingle_wire::{Incarnation, State};

use crate::{JoinError, Member};

/// Something that the node decided, or that happened to it, and when.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decision {
    /// What it was.
    pub what: Decided,
    /// When, by this machine's clock. Of what was repeated, the last time.
    pub at: SystemTime,
    /// The first time; the same as `at` for what happened once.
    pub first: SystemTime,
    /// How often. Only what would push out everything else is put together: attempts to reach one
    /// address with one outcome, conflicts of the same two nodes, and lateness within a minute.
    pub times: u64,
}

/// What a node decided, or what happened to it.
#[derive(Clone, Debug)]
pub enum Decided {
    /// What is believed of a member changed.
    Member(MemberChange),
    /// Another node claims the name of a member that is not known to be gone.
    Conflict {
        /// The name. Peers choose it: escape it where it is shown.
        name: Arc<str>,
        /// Where the member is.
        held: SocketAddr,
        /// Where the other one says it is.
        claimed: SocketAddr,
    },
    /// Somebody said something untrue about us, and we answered with a higher incarnation.
    Refuted {
        /// Our incarnation from then on.
        incarnation: Incarnation,
        /// What was refuted.
        evidence: Arc<Evidence>,
    },
    /// Our health score changed.
    Health {
        /// The score until then.
        before: u32,
        /// The score from then on; 0 is healthy.
        score: u32,
    },
    /// We ran later than a probe interval: the machine slept, or starved us.
    Late {
        /// How late at the worst.
        by: Duration,
    },
    /// We tried to reach somebody who is missing.
    Reconnect {
        /// Where.
        to: SocketAddr,
        /// Who is missing there.
        sought: Sought,
        /// Why it failed; `None` when somebody answered. The words of a peer are cut off at 256 bytes.
        error: Option<JoinError>,
    },
    /// A member answers, but for a while not to direct packets: the link is at fault, not the member.
    LinkDegraded {
        /// The member's name. Peers choose it: escape it where it is shown.
        name: Arc<str>,
        /// How it is heard.
        kind: LinkKind,
        /// Since when, by this machine's clock.
        since: SystemTime,
    },
    /// It answers to direct packets again.
    LinkRestored {
        /// The member's name. Peers choose it: escape it where it is shown.
        name: Arc<str>,
        /// How it was heard meanwhile.
        kind: LinkKind,
        /// Since when that had been so, by this machine's clock.
        since: SystemTime,
    },
}

/// A change of what is believed of a member, and its grounds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberChange {
    /// The member's name. Peers choose it: escape it where it is shown.
    pub name: Arc<str>,
    /// How it changed.
    pub change: Change,
    /// Its state after the change.
    pub state: State,
    /// Its incarnation after the change.
    pub incarnation: Incarnation,
    /// Its address after the change.
    pub address: SocketAddr,
    /// Why it changed.
    pub evidence: Arc<Evidence>,
}

/// Which kind of decision it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// [`Decided::Member`]
    Member,
    /// [`Decided::Conflict`]
    Conflict,
    /// [`Decided::Refuted`]
    Refuted,
    /// [`Decided::Health`]
    Health,
    /// [`Decided::Late`]
    Late,
    /// [`Decided::Reconnect`]
    Reconnect,
    /// [`Decided::LinkDegraded`]
    LinkDegraded,
    /// [`Decided::LinkRestored`]
    LinkRestored,
}

impl DecisionKind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Member,
        Self::Conflict,
        Self::Refuted,
        Self::Health,
        Self::Late,
        Self::Reconnect,
        Self::LinkDegraded,
        Self::LinkRestored,
    ];

    /// The word for it, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Conflict => "conflict",
            Self::Refuted => "refuted",
            Self::Health => "health",
            Self::Late => "late",
            Self::Reconnect => "reconnect",
            Self::LinkDegraded => "link_degraded",
            Self::LinkRestored => "link_restored",
        }
    }
}

impl Decided {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Member(_) => DecisionKind::Member,
            Self::Conflict { .. } => DecisionKind::Conflict,
            Self::Refuted { .. } => DecisionKind::Refuted,
            Self::Health { .. } => DecisionKind::Health,
            Self::Late { .. } => DecisionKind::Late,
            Self::Reconnect { .. } => DecisionKind::Reconnect,
            Self::LinkDegraded { .. } => DecisionKind::LinkDegraded,
            Self::LinkRestored { .. } => DecisionKind::LinkRestored,
        }
    }

    /// Whether it is about the member of this name; attempts to reach an address are about nobody's.
    pub(crate) fn names(&self, member: &str) -> bool {
        match self {
            Self::Member(change) => &*change.name == member,
            Self::Conflict { name, .. }
            | Self::LinkDegraded { name, .. }
            | Self::LinkRestored { name, .. } => &**name == member,
            Self::Refuted { .. }
            | Self::Health { .. }
            | Self::Late { .. }
            | Self::Reconnect { .. } => false,
        }
    }

    /// Whether it is about this node itself.
    pub(crate) const fn is_ours(&self) -> bool {
        match self {
            Self::Refuted { .. } | Self::Health { .. } | Self::Late { .. } => true,
            Self::Member(_)
            | Self::Conflict { .. }
            | Self::Reconnect { .. }
            | Self::LinkDegraded { .. }
            | Self::LinkRestored { .. } => false,
        }
    }

    /// Bytes that it takes in memory, shared ones included.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Decision>()
            + match self {
                Self::Member(change) => change.name.len() + evidence_bytes(&change.evidence),
                Self::Conflict { name, .. }
                | Self::LinkDegraded { name, .. }
                | Self::LinkRestored { name, .. } => name.len(),
                Self::Refuted { evidence, .. } => evidence_bytes(evidence),
                Self::Reconnect { error: Some(JoinError::Remote { text }), .. } => text.len(),
                Self::Reconnect { .. } | Self::Health { .. } | Self::Late { .. } => 0,
            }
    }
}

fn evidence_bytes(evidence: &Evidence) -> usize {
    let names = match &evidence.cause {
        Cause::Accused { by } | Cause::Declared { by } => by.len(),
        Cause::SuspicionExpired { accusers, .. } => {
            accusers.iter().map(|name| name.len() + size_of::<Arc<str>>()).sum()
        }
        Cause::Announced
        | Cause::ProbeFailed(_)
        | Cause::HeardDown { .. }
        | Cause::Superseded { .. }
        | Cause::Goodbye
        | Cause::Forced
        | Cause::Expired => 0,
    };
    size_of::<Evidence>() + names
}

impl MemberChange {
    pub(crate) fn new(change: Change, member: &Member, evidence: Arc<Evidence>) -> Self {
        Self {
            name: member.name.as_str().into(),
            change,
            state: member.state,
            incarnation: member.incarnation,
            address: member.address,
            evidence,
        }
    }
}

/// One sentence without a full stop. What peers chose is quoted and escaped.
impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(MemberChange { change, evidence, .. }) => {
                write!(f, "{}: {}", change.as_str(), evidence.cause)
            }
            Self::Conflict { held, claimed, .. } => {
                write!(f, "name in conflict: {held} has it, and {claimed} claims it")
            }
            Self::Refuted { incarnation, evidence } => {
                write!(f, "refuted with incarnation {incarnation}: {}", evidence.cause)
            }
            Self::Health { before, score } => write!(f, "health score from {before} to {score}"),
            Self::Late { by } => write!(f, "late: this node could not run for {by:.1?}"),
            Self::Reconnect { to, sought, error } => {
                f.write_str(match sought {
                    Sought::Seed => "tried a seed",
                    Sought::Remembered => "tried where a member was before a restart",
                    Sought::Failed => "tried a member that failed",
                })?;
                write!(f, " at {to}: ")?;
                match error {
                    Some(error) => error.fmt(f),
                    None => f.write_str("it answered"),
                }
            }
            Self::LinkDegraded { kind, .. } => {
                f.write_str("link degraded: it lives, but ")?;
                f.write_str(match kind {
                    LinkKind::StreamsOnly => {
                        "answers on streams (TCP) only: packets (UDP) from us to it or back get lost, \
                         and no helper gets any through either"
                    }
                    LinkKind::HelpersOnly => {
                        "answers helpers only: packets (UDP) from us to it or back get lost, and those \
                         of others get through"
                    }
                })
            }
            Self::LinkRestored { kind, .. } => {
                f.write_str("link restored: packets (UDP) get through to it and back again; ")?;
                f.write_str(match kind {
                    LinkKind::StreamsOnly => "until then it had answered on streams (TCP) only",
                    LinkKind::HelpersOnly => "until then it had answered helpers only",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_link_it_says_that_the_member_lives_and_what_gets_through() {
        let (name, since) = (Arc::<str>::from("b"), SystemTime::UNIX_EPOCH);
        let table = [
            (
                LinkKind::StreamsOnly,
                "link degraded: it lives, but answers on streams (TCP) only: packets (UDP) from us to \
                 it or back get lost, and no helper gets any through either",
                "link restored: packets (UDP) get through to it and back again; until then it had \
                 answered on streams (TCP) only",
            ),
            (
                LinkKind::HelpersOnly,
                "link degraded: it lives, but answers helpers only: packets (UDP) from us to it or \
                 back get lost, and those of others get through",
                "link restored: packets (UDP) get through to it and back again; until then it had \
                 answered helpers only",
            ),
        ];
        for (kind, degraded, restored) in table {
            let names = || Arc::clone(&name);
            let decisions = [
                (Decided::LinkDegraded { name: names(), kind, since }, degraded),
                (Decided::LinkRestored { name: names(), kind, since }, restored),
            ];
            for (what, sentence) in decisions {
                assert_eq!(what.to_string(), sentence);
                assert!(what.names("b") && !what.names("a") && !what.is_ours(), "{what:?}");
            }
        }
    }
}

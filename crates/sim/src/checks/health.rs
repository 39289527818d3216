use mingle_proto::{Config, Node};

use super::desk::{Checker, Desk};

/// A node's health score as it must be after what came to it (spec 8.4).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health(u32);

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// An answer, by whatever way.
    Answer,
    /// No answer.
    Silence { nacks_promised: u32, nacks: u32 },
    /// From here it can't be told.
    Whatever,
}

impl Health {
    pub(super) fn of(node: &Node) -> Self {
        Self(node.health())
    }

    pub(super) fn score(self) -> u32 {
        self.0
    }

    pub(super) fn worse(&mut self, config: &Config, by: u32) {
        let worst = config.awareness_max_multiplier.saturating_sub(1);
        self.0 = self.0.saturating_add(by).min(worst);
    }

    /// A probe ends: with an answer it recovers, and silence costs as many nacks as are missing, or
    /// one where none were promised.
    pub(super) fn probed(&mut self, config: &Config, node: &Node, came: Came) {
        match came {
            Came::Answer => self.0 = self.0.saturating_sub(1),
            Came::Silence { nacks_promised: 0, .. } => self.worse(config, 1),
            Came::Silence { nacks_promised, nacks } => {
                self.worse(config, nacks_promised.saturating_sub(nacks));
            }
            Came::Whatever => *self = Self::of(node),
        }
    }

    pub(super) fn check(self, desk: &mut Desk, node: &Node) {
        let (is, must) = (node.health(), self.0);
        desk.check(Checker::Health, is == must, || {
            format!("a health score of {is}; after what came it must be {must}")
        });
    }
}

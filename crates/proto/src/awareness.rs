use serde::{Deserialize, Serialize};

/// Lifeguard's local health (Dadgar, Phillips and Currey, 2018, section IV-A; spec 8.4): how much a
/// node doubts itself. 0 is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Awareness {
    score: u32,
    limit: u32,
}

impl Awareness {
    /// The score stays below `limit`.
    pub(crate) fn new(limit: u32) -> Self {
        Self { score: 0, limit }
    }

    pub(crate) fn score(self) -> u32 {
        self.score
    }

    /// Says whether the score changed.
    #[must_use]
    pub(crate) fn better(&mut self) -> bool {
        let before = self.score;
        self.score = before.saturating_sub(1);
        self.score != before
    }

    /// Says whether the score changed.
    #[must_use]
    pub(crate) fn worse(&mut self, by: u32) -> bool {
        let before = self.score;
        self.score = before.saturating_add(by).min(self.limit.saturating_sub(1));
        self.score != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_stays_between_zero_and_its_limit() {
        let mut awareness = Awareness::new(8);
        assert!(!awareness.better());
        assert!(awareness.worse(3) && awareness.score() == 3);
        assert!(awareness.worse(30) && awareness.score() == 7);
        assert!(!awareness.worse(1));
        assert!(awareness.better() && awareness.score() == 6);
    }
}

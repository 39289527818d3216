use foldhash::quality::FixedState;
use hashbrown::HashMap;
use mingle_proto::Node;

use super::desk::{Checker, Desk};

/// Which digest of a live view came with which fingerprint, and the other way round: each must come
/// with one only. Nobody iterates the maps.
#[derive(Debug)]
pub(super) struct Fingerprints {
    of_digest: HashMap<u128, u64, FixedState>,
    of_print: HashMap<u64, u128, FixedState>,
    /// What each host had last; most steps change nothing.
    last: Vec<Option<(u128, u64)>>,
}

/// Views that are remembered. What comes later is held against these only.
const MOST_VIEWS: usize = 1 << 20;

impl Default for Fingerprints {
    fn default() -> Self {
        Self {
            of_digest: HashMap::with_hasher(FixedState::with_seed(0)),
            of_print: HashMap::with_hasher(FixedState::with_seed(0)),
            last: Vec::new(),
        }
    }
}

impl Fingerprints {
    pub(super) fn handled(&mut self, desk: &mut Desk, host: u32, digest: u128, node: &Node) {
        self.see(desk, host, digest, node.view_fingerprint());
    }

    fn see(&mut self, desk: &mut Desk, host: u32, digest: u128, print: u64) {
        let host = host as usize;
        if self.last.len() <= host {
            self.last.resize(host + 1, None);
        }
        if self.last[host].replace((digest, print)) == Some((digest, print)) {
            return;
        }
        let known = self.of_digest.get(&digest).copied();
        desk.check(Checker::Fingerprint, known.is_none_or(|known| known == print), || {
            format!("its view has the fingerprint {print:x}; an equal one had {known:x?}")
        });
        let other = self.of_print.get(&print).copied();
        desk.check(Checker::Fingerprint, other.is_none_or(|other| other == digest), || {
            format!("its view has the fingerprint {print:x}, which another view had before")
        });
        if self.of_digest.len() < MOST_VIEWS {
            self.of_digest.insert(digest, print);
            self.of_print.insert(print, digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_view_with_two_prints_and_two_views_with_one_are_found() {
        for (then, findings) in [((1, 10), 0), ((2, 20), 0), ((1, 11), 1), ((2, 10), 1)] {
            let (mut prints, mut desk) = (Fingerprints::default(), Desk::default());
            prints.see(&mut desk, 0, 1, 10);
            prints.see(&mut desk, 1, then.0, then.1);
            assert_eq!(desk.findings().len(), findings, "{then:?}");
            assert_eq!(desk.checked(Checker::Fingerprint), 4);
        }
    }
}

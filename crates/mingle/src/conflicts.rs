use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::queue::lock;

/// Decides when to tell the operator that two nodes claim one name: once a minute for each name.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    told: Mutex<BTreeMap<String, Told>>,
    /// Where somebody else answers to our own name.
    namesake: Mutex<Option<SocketAddr>>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Conflicts since then.
    untold: u64,
}

const PAUSE: Duration = Duration::from_secs(60);
/// Names that are told of in a minute: whoever has the key can make up any number.
const MAX_NAMES: usize = 64;

impl Conflicts {
    pub(crate) fn set_namesake(&self, at: Option<SocketAddr>) {
        *lock(&self.namesake) = at;
    }

    pub(crate) fn namesake(&self) -> Option<SocketAddr> {
        *lock(&self.namesake)
    }

    /// Takes note of a conflict. Gives how many there were since the last line about this name, this
    /// one included, when it is time for a line.
    pub(crate) fn note(&self, name: &str, now: Instant) -> Option<u64> {
        let mut told = lock(&self.told);
        let is_due = |told: &Told| now.duration_since(told.at) >= PAUSE;
        if let Some(last) = told.get_mut(name) {
            last.untold += 1;
            if !is_due(last) {
                return None;
            }
            last.at = now;
            return Some(std::mem::take(&mut last.untold));
        }
        if told.len() >= MAX_NAMES {
            told.retain(|_, last| !is_due(last));
        }
        if told.len() >= MAX_NAMES {
            return None;
        }
        told.insert(name.to_owned(), Told { at: now, untold: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_once_a_minute_with_what_went_by() {
        let conflicts = Conflicts::default();
        let start = Instant::now();
        let note = |name, second| conflicts.note(name, start + Duration::from_secs(second));
        assert_eq!(note("a", 0), Some(1));
        assert_eq!(note("a", 1), None);
        assert_eq!(note("b", 1), Some(1));
        assert_eq!(note("a", 59), None);
        assert_eq!(note("a", 60), Some(3));
        assert_eq!(note("a", 61), None);
    }

    #[test]
    fn made_up_names_fill_no_log() {
        let conflicts = Conflicts::default();
        let start = Instant::now();
        let told = |second| {
            let now = start + Duration::from_secs(second);
            let names = (0..1000).map(|n| format!("{second}-{n}"));
            names.filter(|name| conflicts.note(name, now).is_some()).count()
        };
        assert_eq!((told(0), told(30), told(60)), (MAX_NAMES, 0, MAX_NAMES));
    }
}

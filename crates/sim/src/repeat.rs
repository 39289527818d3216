//! Many worlds of one scenario, on all cores.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::scenario::{Scenario, ScenarioError};
use crate::watch::Watch;

/// How far worlds are that run, for whoever looks from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    simulated: AtomicU64,
    done: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// Of worlds that end early when `stop` is raised.
    #[must_use]
    pub fn until(stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Whether worlds are to end early.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How much time has passed in all worlds together.
    #[must_use]
    pub fn simulated(&self) -> Duration {
        Duration::from_millis(self.simulated.load(Ordering::Relaxed))
    }

    /// How many worlds have ended.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn passed(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.simulated.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Runs the scenario once for each of these seeds, so many at a time; gives what came of them in the
/// order of the seeds. Worlds that were under way when they were stopped, or had not begun, are left out.
///
/// # Errors
///
/// When the scenario can't be run.
pub fn repeat(
    scenario: &Scenario,
    seeds: &[u64],
    at_a_time: usize,
    progress: &Progress,
) -> Result<Vec<Outcome>, ScenarioError> {
    let run = |&seed: &u64| scenario.run_watched(seed, Watch::new(scenario), progress);
    let results = side_by_side(seeds, at_a_time, progress, |seed| match run(seed) {
        Err(ScenarioError::Stopped) => None,
        result => Some(result),
    });
    results.into_iter().collect()
}

/// Does something with each item, with so many at a time; gives what comes of it in the order of the items.
/// Those for which nothing comes, as they were stopped, and those that had not begun are left out.
pub(crate) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    at_a_time: usize,
    progress: &Progress,
    work: impl Fn(&T) -> Option<R> + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..at_a_time.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(result) = items.get(index).and_then(&work) else { return };
                    progress.done.fetch_add(1, Ordering::Relaxed);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many worlds can run at a time.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

//! Many worlds, each drawn from its seed, until one of them goes wrong; and that one made small.
//!
//! Each seed enables some kinds of faults and not others, so that none hides another (swarm testing;
//! Groce and others, 2012).

mod draw;
mod shrink;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

use serde::Serialize;

pub use draw::draw;
pub use shrink::{Shrunk, shrink};

use crate::outcome::Outcome;
use crate::scenario::Scenario;

/// What went wrong in a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The checker that found it, or what was expected and did not come out, such as `agreement`.
    pub checker: String,
    /// What it is.
    pub what: String,
}

impl Trouble {
    /// What went wrong, if anything did.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        if let Some(finding) = outcome.findings.first() {
            let what = format!("n{}: {}", finding.host, finding.what);
            return Some(Self { checker: finding.checker.to_owned(), what });
        }
        let unmet = outcome.unmet.first()?;
        Some(Self { checker: unmet.expected.to_owned(), what: unmet.came.clone() })
    }
}

/// One seed and what came of it.
#[derive(Debug)]
pub struct Ran {
    /// The seed.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What was run, and the first seed that went wrong.
#[derive(Debug)]
pub struct Swept {
    /// How many worlds were run to their ends.
    pub ran: u64,
    /// The lowest seed that went wrong, its scenario, and how.
    pub failed: Option<(u64, Scenario, Trouble)>,
}

/// Runs the worlds of `seeds` on so many threads until one goes wrong or `stop` is raised. `tell` hears
/// of each world, in the order in which they end.
pub fn sweep(
    seeds: std::ops::Range<u64>,
    threads: usize,
    stop: &AtomicBool,
    mut tell: impl FnMut(&Ran),
) -> Swept {
    let next = AtomicU64::new(seeds.start);
    let until = AtomicU64::new(seeds.end);
    let failed: Mutex<Option<(u64, Scenario, Trouble)>> = Mutex::new(None);
    let (results, arrived) = mpsc::channel();
    let mut ran = 0;
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (next, until, failed, results) = (&next, &until, &failed, results.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until.load(Ordering::Relaxed) {
                        return;
                    }
                    let scenario = draw(seed);
                    let outcome = scenario.run(seed).expect("what is drawn can be run");
                    if let Some(trouble) = Trouble::of(&outcome) {
                        until.fetch_min(seed, Ordering::Relaxed);
                        let mut failed = failed.lock().expect("no thread panics with it");
                        if failed.as_ref().is_none_or(|(other, _, _)| *other > seed) {
                            *failed = Some((seed, scenario, trouble));
                        }
                    }
                    // Whoever listened may have gone.
                    drop(results.send(Ran { seed, outcome }));
                }
            });
        }
        drop(results);
        for result in arrived {
            ran += 1;
            tell(&result);
        }
    });
    Swept { ran, failed: failed.into_inner().expect("no thread panics with it") }
}

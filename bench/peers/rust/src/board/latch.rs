use std::sync::atomic::{AtomicU64, Ordering};

use super::Nanos;

/// A time that is set once; 0 until then.
#[derive(Debug, Default)]
pub(super) struct Latch(AtomicU64);

impl Latch {
    /// Sets it, if it is not set.
    pub(super) fn set(&self, at: Nanos) -> bool {
        self.0.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn is_set(&self) -> bool {
        self.get().is_some()
    }

    pub(super) fn get(&self) -> Option<Nanos> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&at| at > 0)
    }

    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

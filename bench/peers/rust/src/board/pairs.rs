use std::sync::atomic::{AtomicU64, Ordering};

/// Pairs of an observer and a subject: a bit each.
#[derive(Debug)]
pub(super) struct Pairs {
    words_per_row: usize,
    words: Vec<AtomicU64>,
}

impl Pairs {
    pub(super) fn new(nodes: usize) -> Self {
        let words_per_row = nodes.div_ceil(64);
        let words = (0..nodes * words_per_row).map(|_| AtomicU64::new(0)).collect();
        Self { words_per_row, words }
    }

    /// Says whether it was not in.
    pub(super) fn insert(&self, observer: usize, subject: usize) -> bool {
        let (word, bit) = self.place(observer, subject);
        word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Says whether it was in.
    pub(super) fn remove(&self, observer: usize, subject: usize) -> bool {
        let (word, bit) = self.place(observer, subject);
        word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    pub(super) fn contains(&self, observer: usize, subject: usize) -> bool {
        let (word, bit) = self.place(observer, subject);
        word.load(Ordering::Relaxed) & bit != 0
    }

    pub(super) fn clear(&self) {
        for word in &self.words {
            word.store(0, Ordering::Relaxed);
        }
    }

    fn place(&self, observer: usize, subject: usize) -> (&AtomicU64, u64) {
        (&self.words[observer * self.words_per_row + subject / 64], 1 << (subject % 64))
    }
}

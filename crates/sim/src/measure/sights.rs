/// Who sees whom: a bit for each observer and subject, and their sums.
#[derive(Debug)]
pub(super) struct Sights {
    nodes: usize,
    words: usize,
    bits: Vec<u64>,
    /// By how many each is seen.
    by: Vec<u32>,
}

impl Sights {
    pub(super) fn new(nodes: usize) -> Self {
        let words = nodes.div_ceil(64);
        Self { nodes, words, bits: vec![0; nodes * words], by: vec![0; nodes] }
    }

    /// By how many others the subject is seen.
    pub(super) fn of(&self, subject: usize) -> u32 {
        self.by[subject]
    }

    pub(super) fn set(&mut self, observer: usize, subject: usize) {
        if observer != subject {
            let (word, bit) = self.place(observer, subject);
            self.by[subject] += u32::from(self.bits[word] & bit == 0);
            self.bits[word] |= bit;
        }
    }

    pub(super) fn clear(&mut self, observer: usize, subject: usize) {
        let (word, bit) = self.place(observer, subject);
        self.by[subject] -= u32::from(self.bits[word] & bit != 0);
        self.bits[word] &= !bit;
    }

    /// The observer sees everybody.
    pub(super) fn set_all(&mut self, observer: usize) {
        (0..self.nodes).for_each(|subject| self.set(observer, subject));
    }

    /// The observer sees nobody any more.
    pub(super) fn clear_observer(&mut self, observer: usize) {
        for word in 0..self.words {
            let mut bits = std::mem::take(&mut self.bits[observer * self.words + word]);
            while bits != 0 {
                self.by[word * 64 + bits.trailing_zeros() as usize] -= 1;
                bits &= bits - 1;
            }
        }
    }

    /// Nobody sees the subject any more.
    pub(super) fn clear_subject(&mut self, subject: usize) {
        (0..self.nodes).for_each(|observer| self.clear(observer, subject));
    }

    /// Those see the subject who do so in the other ones.
    pub(super) fn copy_subject(&mut self, subject: usize, other: &Self) {
        for observer in 0..self.nodes {
            let (word, bit) = self.place(observer, subject);
            if other.bits[word] & bit == 0 {
                self.clear(observer, subject);
            } else {
                self.set(observer, subject);
            }
        }
    }

    fn place(&self, observer: usize, subject: usize) -> (usize, u64) {
        (observer * self.words + subject / 64, 1 << (subject % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_bits() {
        let mut sights = Sights::new(130);
        sights.set_all(3);
        sights.set(4, 129);
        sights.set(4, 129);
        assert_eq!((sights.of(129), sights.of(0), sights.of(3)), (2, 1, 0));
        sights.clear(4, 129);
        sights.clear(4, 129);
        assert_eq!(sights.of(129), 1);
        sights.set(5, 7);
        sights.clear_observer(3);
        assert_eq!((sights.of(129), sights.of(7)), (0, 1));
        sights.clear_subject(7);
        assert_eq!(sights.of(7), 0);
    }
}

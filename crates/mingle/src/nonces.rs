use crate::sealer::draw_nonce;

/// Nonces for packets, drawn from the operating system a batch at a time.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    batch: Vec<[u8; 12]>,
}

const BATCH: usize = 64;

impl Nonces {
    /// One that was not given out before.
    pub(crate) fn draw(&mut self) -> [u8; 12] {
        if let Some(nonce) = self.batch.pop() {
            return nonce;
        }
        let mut bytes = [[0; 12]; BATCH];
        match getrandom::fill(bytes.as_flattened_mut()) {
            Ok(()) => self.batch.extend(bytes),
            Err(_) => return draw_nonce(),
        }
        self.batch.pop().unwrap_or_else(draw_nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nonce_comes_twice() {
        let mut nonces = Nonces::default();
        let drawn: std::collections::BTreeSet<_> = (0..1000).map(|_| nonces.draw()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}

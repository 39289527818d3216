use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use mingle_wire::{EncryptionVersion, Envelope, Key, KeyError, Keyring, Label};
use tracing::warn;

use crate::StartError;
use crate::stats::Stats;

/// Which halves of encryption are insisted on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verify {
    pub(crate) incoming: bool,
    pub(crate) outgoing: bool,
}

impl Verify {
    pub(crate) const BOTH: Self = Self { incoming: true, outgoing: true };
}

/// The envelope of the moment. Whoever seals or opens takes a snapshot.
#[derive(Debug)]
pub(crate) struct Sealer {
    current: RwLock<Arc<Sealing>>,
}

/// An envelope, and how much was sealed under its primary key.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) envelope: Envelope,
    sealed: Arc<AtomicU64>,
    /// When this node began to seal under it.
    began: Instant,
}

/// Random nonces of 12 bytes stay safe for 2^32 messages under one key (NIST SP 800-38D, 8.3); from
/// half of that on the operator should know.
const TELL_AT: u64 = 1 << 31;

impl Sealing {
    /// The nonce of the next message. Drawn only where it is used.
    pub(crate) fn nonce(&self, draw: impl FnOnce() -> [u8; 12]) -> [u8; 12] {
        if !self.envelope.encrypts() {
            return [0; 12];
        }
        if self.sealed.fetch_add(1, Ordering::Relaxed) + 1 == TELL_AT {
            warn!(
                "half of what is safe was encrypted under the primary key; install and use a new one"
            );
        }
        draw()
    }
}

impl Sealer {
    pub(crate) fn new(
        label: Label,
        keyring: Option<Keyring>,
        verify: Verify,
        compress: bool,
    ) -> Self {
        let envelope = Envelope {
            label,
            keyring: keyring.unwrap_or_default(),
            compress,
            verify_incoming: verify.incoming,
            verify_outgoing: verify.outgoing,
            ..Envelope::default()
        };
        let sealing = Sealing { envelope, sealed: Arc::default(), began: Instant::now() };
        Self { current: RwLock::new(Arc::new(sealing)) }
    }

    pub(crate) fn current(&self) -> Arc<Sealing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes that the envelope may take in a packet, with a key or without one yet.
    pub(crate) fn largest_overhead(&self) -> usize {
        let plain = Envelope { keyring: Keyring::default(), ..self.current().envelope.clone() };
        plain.overhead() + EncryptionVersion::V1.overhead()
    }

    /// Everything sealed or opened from now on knows the changed keyring.
    pub(crate) fn change_keys(
        &self,
        change: impl FnOnce(&mut Keyring) -> Result<(), KeyError>,
    ) -> Result<(), KeyError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut envelope = current.envelope.clone();
        change(&mut envelope.keyring)?;
        let same = envelope.keyring.primary() == current.envelope.keyring.primary();
        let (sealed, began) = if same {
            (Arc::clone(&current.sealed), current.began)
        } else {
            (Arc::default(), Instant::now())
        };
        *current = Arc::new(Sealing { envelope, sealed, began });
        Ok(())
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.current().envelope.keyring.iter().cloned().collect()
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let current = self.current();
        let help = "Messages encrypted under the primary key; change it well before 2^32.";
        let sealed = current.sealed.load(Ordering::Relaxed);
        stats.gauge("messages_sealed_under_key", help, sealed);
        if current.envelope.encrypts() {
            let help = "Since this node began to encrypt under its primary key.";
            stats.gauge("primary_key_age_seconds", help, current.began.elapsed().as_secs());
        }
    }
}

/// Bytes from the operating system.
pub(crate) fn entropy<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Entropy)?;
    Ok(bytes)
}

/// A nonce from the operating system.
pub(crate) fn draw_nonce() -> [u8; 12] {
    entropy().expect("the system gave entropy at the start and goes on doing so")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 16]).unwrap()
    }

    fn told(sealer: &Sealer, name: &str) -> Option<u64> {
        let mut stats = Stats::default();
        sealer.add_to(&mut stats);
        stats.get(name)
    }

    #[test]
    fn the_age_of_the_key_is_that_of_the_primary_one() {
        let old = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        let sealer = Sealer::new(Label::default(), None, Verify::BOTH, false);
        assert_eq!(told(&sealer, "primary_key_age_seconds"), None);
        sealer.change_keys(|keys| keys.add(key(1))).unwrap();
        let envelope = sealer.current().envelope.clone();
        let aged = Sealing { envelope, sealed: Arc::default(), began: old };
        *sealer.current.write().unwrap() = Arc::new(aged);
        sealer.change_keys(|keys| keys.add(key(2))).unwrap();
        assert!(told(&sealer, "primary_key_age_seconds").unwrap() >= 100);
        sealer.change_keys(|keys| keys.use_key(&key(2))).unwrap();
        assert!(told(&sealer, "primary_key_age_seconds").unwrap() < 100);
    }

    #[test]
    fn the_count_of_sealed_messages_belongs_to_the_primary_key() {
        let keyring = Keyring::new(vec![key(1)]);
        let sealer = Sealer::new(Label::default(), Some(keyring), Verify::BOTH, false);
        let seal = || sealer.current().nonce(draw_nonce);
        assert_ne!(seal(), seal());
        sealer.change_keys(|keys| keys.add(key(2))).unwrap();
        assert_eq!(told(&sealer, "messages_sealed_under_key"), Some(2));
        sealer.change_keys(|keys| keys.use_key(&key(2))).unwrap();
        assert_eq!(told(&sealer, "messages_sealed_under_key"), Some(0));
        assert_eq!(sealer.change_keys(|keys| keys.remove(&key(2))), Err(KeyError::PrimaryRemoved));
        assert_eq!(sealer.keys(), [key(2), key(1)]);
    }
}

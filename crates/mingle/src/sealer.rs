use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use mingle_wire::{EncryptionVersion, Envelope, Key, KeyError, Keyring, Label};
use tracing::warn;

use crate::StartError;

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
        let sealing = Sealing { envelope, sealed: Arc::default() };
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
        let sealed = if same { Arc::clone(&current.sealed) } else { Arc::default() };
        *current = Arc::new(Sealing { envelope, sealed });
        Ok(())
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.current().envelope.keyring.iter().cloned().collect()
    }

    /// How many messages were sealed under the primary key.
    pub(crate) fn sealed(&self) -> u64 {
        self.current().sealed.load(Ordering::Relaxed)
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
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 16]).unwrap()
    }

    #[test]
    fn the_count_of_sealed_messages_belongs_to_the_primary_key() {
        let keyring = Keyring::new(vec![key(1)]);
        let sealer = Sealer::new(Label::default(), Some(keyring), Verify::BOTH, false);
        let seal = || sealer.current().nonce(draw_nonce);
        assert_ne!(seal(), seal());
        sealer.change_keys(|keys| keys.add(key(2))).unwrap();
        assert_eq!(sealer.sealed(), 2);
        sealer.change_keys(|keys| keys.use_key(&key(2))).unwrap();
        assert_eq!(sealer.sealed(), 0);
        assert_eq!(sealer.change_keys(|keys| keys.remove(&key(2))), Err(KeyError::PrimaryRemoved));
        assert_eq!(sealer.keys(), [key(2), key(1)]);
    }
}

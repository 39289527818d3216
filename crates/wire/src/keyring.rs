use std::fmt;
use std::sync::Arc;

use aes::cipher::consts::U12;
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, AesGcm, KeyInit, Nonce, Tag};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a key or a change of the keyring was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// AES has keys of 128, 192 and 256 bits.
    #[error("key size must be 16, 24 or 32 bytes, not {0}")]
    Length(usize),
    /// Only a key of the ring can become the primary one.
    #[error("requested key is not in the keyring; install it first")]
    NotInRing,
    /// The primary key encrypts.
    #[error("removing the primary key is not allowed; use another key first")]
    PrimaryRemoved,
    /// Each key costs an attempt to decrypt.
    #[error("the keyring has {limit} keys already; remove one first", limit = Keyring::MAX_KEYS)]
    TooMany,
}

/// A key of the cluster: 16, 24 or 32 bytes for AES-128, AES-192 or AES-256 in GCM.
///
/// The cipher's state is computed once; clones share it, and it is wiped with the last of them.
#[derive(Clone)]
pub struct Key(Arc<KeyState>);

struct KeyState {
    bytes: Zeroizing<Vec<u8>>,
    cipher: Cipher,
    fingerprint: u32,
}

enum Cipher {
    Aes128(Aes128Gcm),
    Aes192(AesGcm<Aes192, U12>),
    Aes256(Aes256Gcm),
}

impl Key {
    /// Takes 16, 24 or 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (cipher, name) = match bytes.len() {
            16 => prepare::<Aes128, _>(bytes, Cipher::Aes128),
            24 => prepare::<Aes192, _>(bytes, Cipher::Aes192),
            32 => prepare::<Aes256, _>(bytes, Cipher::Aes256),
            _ => None,
        }
        .ok_or(KeyError::Length(bytes.len()))?;
        let bytes = Zeroizing::new(bytes.to_vec());
        Ok(Self(Arc::new(KeyState { bytes, cipher, fingerprint: name })))
    }

    /// The key itself. Never log it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// A name for the key that does not help to recover it: four bytes of a constant block under it.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        self.0.fingerprint
    }

    /// Encrypts in place and gives the tag.
    pub(crate) fn seal(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
        let nonce = &Nonce::from(*nonce);
        let buffer = InOutBuf::from(buffer);
        let tag = match &self.0.cipher {
            Cipher::Aes128(cipher) => cipher.encrypt_inout_detached(nonce, aad, buffer),
            Cipher::Aes192(cipher) => cipher.encrypt_inout_detached(nonce, aad, buffer),
            Cipher::Aes256(cipher) => cipher.encrypt_inout_detached(nonce, aad, buffer),
        };
        tag.expect("no message has 64 GiB").into()
    }

    /// Decrypts in place; false, with `buffer` in any state, when this is not the key.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; 16],
    ) -> bool {
        let (nonce, tag) = (&Nonce::from(*nonce), &Tag::from(*tag));
        let buffer = InOutBuf::from(buffer);
        let result = match &self.0.cipher {
            Cipher::Aes128(cipher) => cipher.decrypt_inout_detached(nonce, aad, buffer, tag),
            Cipher::Aes192(cipher) => cipher.decrypt_inout_detached(nonce, aad, buffer, tag),
            Cipher::Aes256(cipher) => cipher.decrypt_inout_detached(nonce, aad, buffer, tag),
        };
        result.is_ok()
    }
}

/// Computes the state of one kind of cipher, and the key's fingerprint.
fn prepare<Aes, Gcm: From<Aes>>(
    bytes: &[u8],
    cipher: impl FnOnce(Gcm) -> Cipher,
) -> Option<(Cipher, u32)>
where
    Aes: KeyInit
        + aes::cipher::BlockCipherEncrypt
        + aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
{
    let aes = Aes::new_from_slice(bytes).ok()?;
    let mut block = aes::Block::from(*b"mingle key print");
    aes.encrypt_block(&mut block);
    let [a, b, c, d, ..] = <[u8; 16]>::from(block);
    Some((cipher(Gcm::from(aes)), u32::from_be_bytes([a, b, c, d])))
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:08x})", self.fingerprint())
    }
}

/// The keys of a cluster in order: the first, the primary one, encrypts; all are tried to decrypt
/// (spec 4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// Most keys that [`Keyring::add`] brings it to, as peers may ask for that.
    pub const MAX_KEYS: usize = 64;

    /// Takes the keys in order; the first is the primary one. A key that occurs twice is kept once.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        let mut ring = Self::default();
        for key in keys {
            if !ring.keys.contains(&key) {
                ring.keys.push(key);
            }
        }
        ring
    }

    /// Adds a key at the end; it is the primary one when it is the only one. Nothing happens when it
    /// is there already.
    pub fn add(&mut self, key: Key) -> Result<(), KeyError> {
        if self.keys.contains(&key) {
            return Ok(());
        }
        if self.keys.len() >= Self::MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Makes a key of the ring the primary one; the others keep their order.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyError> {
        let place = self.keys.iter().position(|other| other == key).ok_or(KeyError::NotInRing)?;
        if let Some(head) = self.keys.get_mut(..=place) {
            head.rotate_right(1);
        }
        Ok(())
    }

    /// Removes a key that is not the primary one. Nothing happens when it is not there.
    pub fn remove(&mut self, key: &Key) -> Result<(), KeyError> {
        if self.primary() == Some(key) {
            return Err(KeyError::PrimaryRemoved);
        }
        self.keys.retain(|other| other != key);
        Ok(())
    }

    /// The key that encrypts.
    #[must_use]
    pub fn primary(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// The keys, primary first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.keys.iter()
    }

    /// Whether there is no key, which means no encryption.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

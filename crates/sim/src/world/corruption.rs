use mingle_wire::{Checksum, Envelope, Key, Keyring, Scratch, Side, StreamDecoder};

use crate::rng::Rng;

/// What is around packets and messages when somebody changes a bit of them. Only then are they
/// sealed and opened here: a seal does not change what nodes say.
#[derive(Debug)]
pub(super) struct Seal {
    envelope: Envelope,
    scratch: Scratch,
    sealed: Vec<u8>,
    /// Never used twice with a key.
    nonce: u64,
}

impl Seal {
    pub(super) fn new(seed: u64) -> Self {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let key = Key::from_bytes(&key).expect("16 bytes are a key");
        let envelope =
            Envelope { keyring: Keyring::new(vec![key]), compress: false, ..Envelope::default() };
        Self { envelope, scratch: Scratch::default(), sealed: Vec::new(), nonce: 0 }
    }

    fn next_nonce(&mut self) -> [u8; 12] {
        self.nonce += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.nonce.to_be_bytes());
        nonce
    }

    /// Whether the packet is refused once a bit of it has changed.
    pub(super) fn refuses_corrupted_packet(&mut self, body: &[u8], rng: &mut Rng) -> bool {
        let nonce = self.next_nonce();
        self.sealed.clear();
        let Self { envelope, scratch, sealed, .. } = self;
        envelope.seal_packet(body, Checksum::Add, nonce, scratch, sealed);
        flip(sealed, rng);
        let mut delivered = false;
        let opened = envelope.open_packet(sealed, scratch, |_| delivered = true);
        opened.is_err() && !delivered
    }

    /// Whether a stream's message is refused once a bit of it has changed; one that seems longer than
    /// it is never ends, and is refused when its time is up.
    pub(super) fn refuses_corrupted_message(&mut self, body: &[u8], rng: &mut Rng) -> bool {
        let nonce = self.next_nonce();
        self.sealed.clear();
        self.envelope.seal_stream(body, Side::Dialer, nonce, &mut self.sealed);
        flip(&mut self.sealed, rng);
        let mut decoder = StreamDecoder::new(Side::Dialer);
        decoder.push(&self.sealed);
        !matches!(decoder.poll(&self.envelope), Ok(Some(_)))
    }
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    let bit = rng.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

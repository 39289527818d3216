use super::cipher::{Aad, encrypt};
use super::{Checksum, Envelope, Label, Scratch, Side};
use crate::lzw;
use crate::memberlist::{kind, write_compressed_head};

impl Envelope {
    /// Appends the datagram for a body: compressed when that is shorter, with a checksum, encrypted,
    /// labelled, as the settings say. The nonce must never be used twice with a key: draw it from the
    /// operating system.
    pub fn seal_packet(
        &self,
        body: &[u8],
        checksum: Checksum,
        nonce: [u8; 12],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) {
        let body = self.compress_if_shorter(body, &mut scratch.compressed);
        self.label.write(out);
        let write = |out: &mut Vec<u8>| write_checked(body, checksum, out);
        match self.encryption_key() {
            None => write(out),
            Some(key) => {
                let aad = Aad::new(&[], self.label.as_bytes());
                encrypt(self.encryption_version, key, &aad, &nonce, out, write);
            }
        }
    }

    /// Appends what goes on the stream for a message: compressed, encrypted, and behind the label
    /// when we dialled, as the settings say (spec 5.1, 5.2). The nonce is as in
    /// [`Envelope::seal_packet`].
    ///
    /// # Panics
    ///
    /// When the message has 4 GiB.
    pub fn seal_stream(&self, message: &[u8], side: Side, nonce: [u8; 12], out: &mut Vec<u8>) {
        let mut compressed = Vec::new();
        let message = if self.compress {
            compress(message, &mut compressed);
            &compressed
        } else {
            message
        };
        if side == Side::Dialer {
            self.label.write(out);
        }
        let Some(key) = self.encryption_key() else { return out.extend_from_slice(message) };
        let version = self.encryption_version;
        let length = u32::try_from(version.payload_length(message.len())).expect("below 4 GiB");
        let [a, b, c, d] = length.to_be_bytes();
        let head = [kind::ENCRYPT, a, b, c, d];
        out.extend_from_slice(&head);
        let aad = Aad::new(&head, self.label.as_bytes());
        encrypt(version, key, &aad, &nonce, out, |out| out.extend_from_slice(message));
    }

    fn encryption_key(&self) -> Option<&crate::Key> {
        self.keyring.primary().filter(|_| self.verify_outgoing)
    }

    fn compress_if_shorter<'b>(&self, body: &'b [u8], buffer: &'b mut Vec<u8>) -> &'b [u8] {
        if !self.compress {
            return body;
        }
        buffer.clear();
        compress(body, buffer);
        if buffer.len() < body.len() { buffer } else { body }
    }
}

impl Label {
    /// Appends the header, unless there is no label.
    fn write(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        out.push(kind::LABEL);
        out.push(u8::try_from(self.as_bytes().len()).expect("a label has at most 255 bytes"));
        out.extend_from_slice(self.as_bytes());
    }
}

fn write_checked(body: &[u8], checksum: Checksum, out: &mut Vec<u8>) {
    match checksum {
        Checksum::Add => {
            out.push(kind::CHECKSUM);
            out.extend_from_slice(&crc32fast::hash(body).to_be_bytes());
        }
        Checksum::Omit => {}
    }
    out.extend_from_slice(body);
}

/// Appends a message in its compressed form. The wrapper has the length before the bytes, so that it
/// is put in front afterwards.
fn compress(message: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    lzw::compress(message, out);
    let length = out.len() - start;
    write_compressed_head(length, out);
    out.get_mut(start..).unwrap_or_default().rotate_left(length);
}

use super::cipher::Aad;
use super::{Envelope, OpenError, Scratch};
use crate::lzw::{self, LzwError};
use crate::memberlist::{self, Compressed, Part, decode_message, kind};

/// How often a message may be wrapped inside the others of its packet.
pub const MAX_DEPTH: usize = 4;
/// Most bytes that come out of one datagram, all its compressed parts together; each of them counts
/// for at least 1 KiB.
pub const MAX_PACKET_DECOMPRESSED: usize = 128 * 1024;
/// Decompressing takes making its table, however little comes out: without a charge for that, one
/// datagram of small compressed parts keeps a node busy for tens of milliseconds.
const LEAST_CHARGE: usize = 1024;

/// What came out of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// How many parts inside could not be unwrapped and were left out. A compound that was handed
    /// on whole counts its own.
    pub refused: u32,
    /// Why the first of them was refused.
    pub reason: Option<OpenError>,
}

impl Envelope {
    /// Unwraps a datagram in the order of spec 2.1 and hands every body inside to `deliver`.
    ///
    /// Nearly always that is one call. Compressed parts and compounds inside a compound are
    /// expanded, up to [`MAX_DEPTH`] and [`MAX_PACKET_DECOMPRESSED`]; then each part is a call, and a
    /// part that cannot be expanded is counted in [`Opened`] while the others stand. What is
    /// delivered is never empty, and is not yet known to be well-formed.
    pub fn open_packet(
        &self,
        datagram: &[u8],
        scratch: &mut Scratch,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<Opened, OpenError> {
        let payload = self.strip_label(datagram)?;
        let Scratch { decrypted, expanded, .. } = scratch;
        let plain = self.plaintext(payload, decrypted)?;
        let body = strip_checksum(plain)?;
        let mut expansion = Expansion {
            budget: MAX_PACKET_DECOMPRESSED,
            opened: Opened::default(),
            deliver: &mut deliver,
        };
        expansion.expand(body, expanded)?;
        Ok(expansion.opened)
    }

    pub(crate) fn strip_label<'d>(&self, datagram: &'d [u8]) -> Result<&'d [u8], OpenError> {
        let (label, rest) = split_label(datagram)?;
        match (self.skip_inbound_label_check, label) {
            (true, Some(_)) => Err(OpenError::LabelUnexpected),
            (true, None) => Ok(rest),
            (false, label) if label.unwrap_or_default() == self.label.as_bytes() => Ok(rest),
            (false, _) => Err(OpenError::LabelMismatch),
        }
    }

    fn plaintext<'d>(
        &self,
        payload: &'d [u8],
        decrypted: &'d mut Vec<u8>,
    ) -> Result<&'d [u8], OpenError> {
        if self.keyring.is_empty() {
            return Ok(payload);
        }
        let aad = Aad::new(&[], self.label.as_bytes());
        match self.decrypt(payload, &aad, decrypted) {
            Ok(()) => Ok(decrypted),
            Err(_) if !self.verify_incoming => Ok(payload),
            Err(OpenError::Padding) => Err(OpenError::Padding),
            Err(_) if looks_plain(payload) => Err(OpenError::NotEncrypted),
            Err(error) => Err(error),
        }
    }
}

/// Splits the label header off, when there is one.
fn split_label(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), OpenError> {
    let Some(rest) = bytes.strip_prefix(&[kind::LABEL]) else { return Ok((None, bytes)) };
    let (&length, rest) = rest.split_first().ok_or(OpenError::LabelMalformed)?;
    match rest.split_at_checked(length.into()) {
        Some((label, rest)) if !label.is_empty() => Ok((Some(label), rest)),
        _ => Err(OpenError::LabelMalformed),
    }
}

/// Whether what does not decrypt is the plaintext of a peer without encryption. The types ping and
/// indirect ping look like encryption versions, so these must also decode.
fn looks_plain(payload: &[u8]) -> bool {
    match payload.first() {
        Some(&kind::PING | &kind::INDIRECT_PING) => decode_message(payload).is_ok(),
        Some(&kind) => (kind::ACK..=kind::CHECKSUM).contains(&kind),
        None => false,
    }
}

fn strip_checksum(plain: &[u8]) -> Result<&[u8], OpenError> {
    let Some(rest) = plain.strip_prefix(&[kind::CHECKSUM]) else { return Ok(plain) };
    let (stated, body) = rest.split_first_chunk().ok_or(OpenError::Checksum)?;
    if crc32fast::hash(body) == u32::from_be_bytes(*stated) {
        Ok(body)
    } else {
        Err(OpenError::Checksum)
    }
}

struct Expansion<'e> {
    /// Bytes that may still come out.
    budget: usize,
    opened: Opened,
    deliver: &'e mut dyn FnMut(&[u8]),
}

impl Expansion<'_> {
    /// Unwraps one message; there are as many buffers as levels may follow.
    fn expand(&mut self, message: &[u8], buffers: &mut [Vec<u8>]) -> Result<(), OpenError> {
        match message {
            [] => Err(OpenError::Empty),
            [kind::COMPRESS, body @ ..] => self.expand_compressed(body, buffers),
            [kind::COMPOUND, parts @ ..] if has_nested(parts) => self.expand_parts(parts, buffers),
            _ => {
                (self.deliver)(message);
                Ok(())
            }
        }
    }

    fn expand_compressed(&mut self, body: &[u8], buffers: &mut [Vec<u8>]) -> Result<(), OpenError> {
        let (buffer, buffers) = buffers.split_first_mut().ok_or(OpenError::TooDeep)?;
        buffer.clear();
        if self.budget == 0 {
            return Err(OpenError::DecompressedTooLong);
        }
        let result = decompress(body, self.budget, buffer);
        self.budget = match result {
            Err(OpenError::DecompressedTooLong) => 0,
            _ => self.budget.saturating_sub(buffer.len().max(LEAST_CHARGE)),
        };
        result?;
        self.expand(buffer, buffers)
    }

    fn expand_parts(&mut self, parts: &[u8], buffers: &mut [Vec<u8>]) -> Result<(), OpenError> {
        let (_, buffers) = buffers.split_first_mut().ok_or(OpenError::TooDeep)?;
        for part in memberlist::parts(parts) {
            match part {
                Part::Whole(part) => {
                    let result = self.expand(part, buffers);
                    result.unwrap_or_else(|error| self.refuse(1, error));
                }
                Part::Truncated { lost } => self.refuse(lost, OpenError::Truncated),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, parts: u32, reason: OpenError) {
        self.opened.refused = self.opened.refused.saturating_add(parts);
        self.opened.reason.get_or_insert(reason);
    }
}

/// Whether a compound holds what must be unwrapped before its messages can be read.
fn has_nested(compound: &[u8]) -> bool {
    memberlist::parts(compound)
        .any(|part| matches!(part, Part::Whole([kind::COMPOUND | kind::COMPRESS, ..])))
}

/// Appends what a compressed message, given without its type byte, stands for.
pub(crate) fn decompress(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), OpenError> {
    let Ok(Compressed { algorithm: 0, buffer }) = memberlist::compressed(body) else {
        return Err(OpenError::Compression);
    };
    lzw::decompress(buffer, limit, out).map_err(|error| match error {
        LzwError::Truncated | LzwError::UnknownCode => OpenError::Decompress,
        LzwError::TooLong => OpenError::DecompressedTooLong,
    })
}

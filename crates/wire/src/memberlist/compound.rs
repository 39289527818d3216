use std::iter::FusedIterator;

use super::{decode_message, kind};
use crate::{DecodeError, Message};

/// Bytes of a compound before its parts: the type and the count.
pub const COMPOUND_OVERHEAD: usize = 2;
/// Bytes of a compound beside each part: its length.
pub const PART_OVERHEAD: usize = 2;
/// Most parts of a compound (spec 2.5).
pub const MAX_PARTS: usize = 255;
/// Longest part of a compound (spec 2.5).
pub const MAX_PART: usize = 65_535;

/// The messages of one body: a bare message, or one compound of bare messages.
///
/// A compound that is cut off yields the messages before the cut and then one
/// [`DecodeError::Truncated`]; any other refused message stands for itself and the next ones follow.
#[must_use]
pub fn messages(body: &[u8]) -> Messages<'_> {
    match body {
        [kind::COMPOUND, rest @ ..] => Messages { bare: None, parts: parts(rest) },
        bare => Messages { bare: Some(bare), parts: Parts::NONE },
    }
}

/// Iterator of [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bare: Option<&'a [u8]>,
    parts: Parts<'a>,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(bare) = self.bare.take() {
            return Some(decode_message(bare));
        }
        match self.parts.next()? {
            Part::Whole(part) => Some(decode_message(part)),
            Part::Truncated { .. } => Some(Err(DecodeError::Truncated)),
        }
    }
}

impl FusedIterator for Messages<'_> {}

/// One part of a compound as it was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Whole(&'a [u8]),
    /// This one and all that follow are lost.
    Truncated {
        lost: u32,
    },
}

/// Cuts a compound, given without its type byte, into parts (spec 2.5).
pub(crate) fn parts(compound: &[u8]) -> Parts<'_> {
    let cut = || {
        let (&count, rest) = compound.split_first()?;
        let (lengths, rest) = rest.split_at_checked(2 * usize::from(count))?;
        Some(Parts { lengths, rest, headless: false })
    };
    cut().unwrap_or(Parts { headless: true, ..Parts::NONE })
}

#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    lengths: &'a [u8],
    rest: &'a [u8],
    /// Not even the lengths were there.
    headless: bool,
}

impl Parts<'_> {
    const NONE: Self = Self { lengths: &[], rest: &[], headless: false };
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if std::mem::take(&mut self.headless) {
            return Some(Part::Truncated { lost: 1 });
        }
        let (length, lengths) = self.lengths.split_first_chunk()?;
        let Some((part, rest)) = self.rest.split_at_checked(u16::from_be_bytes(*length).into())
        else {
            let lost = self.lengths.len() / 2;
            *self = Parts::NONE;
            return Some(Part::Truncated { lost: u32::try_from(lost).unwrap_or(u32::MAX) });
        };
        self.lengths = lengths;
        self.rest = rest;
        Some(Part::Whole(part))
    }
}

/// Appends one body: a single part as it is, several as a compound, none as nothing.
///
/// # Panics
///
/// With more than [`MAX_PARTS`] parts, or a part above [`MAX_PART`]: the caller chooses both.
pub fn write_packet<'p>(parts: impl Iterator<Item = &'p [u8]> + Clone, out: &mut Vec<u8>) {
    let mut few = parts.clone();
    match (few.next(), few.next()) {
        (None, _) => {}
        (Some(only), None) => out.extend_from_slice(only),
        (Some(_), Some(_)) => write_compound(parts, out),
    }
}

fn write_compound<'p>(parts: impl Iterator<Item = &'p [u8]> + Clone, out: &mut Vec<u8>) {
    out.push(kind::COMPOUND);
    out.push(u8::try_from(parts.clone().count()).expect("at most 255 parts"));
    for part in parts.clone() {
        out.extend_from_slice(&part_length(part));
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Adds a message to a body: to nothing, to a bare message, or to a compound.
///
/// # Panics
///
/// When the compound has [`MAX_PARTS`] already (see [`part_count`]), or a part is above
/// [`MAX_PART`].
pub fn append_part(packet: &mut Vec<u8>, part: &[u8]) {
    match part_count(packet) {
        0 if packet.is_empty() => packet.extend_from_slice(part),
        _ if packet.first() == Some(&kind::COMPOUND) => append_to_compound(packet, part),
        _ => {
            let [high, low] = part_length(packet);
            packet.splice(..0, [kind::COMPOUND, 1, high, low]);
            append_to_compound(packet, part);
        }
    }
}

fn append_to_compound(packet: &mut Vec<u8>, part: &[u8]) {
    let count = part_count(packet);
    let end_of_lengths = COMPOUND_OVERHEAD + PART_OVERHEAD * count;
    packet.splice(end_of_lengths..end_of_lengths, part_length(part));
    packet.extend_from_slice(part);
    let more = u8::try_from(count + 1).expect("at most 255 parts");
    if let Some(place) = packet.get_mut(1) {
        *place = more;
    }
}

/// How many messages a body has: 0 when it is empty, 1 when it is bare.
#[must_use]
pub fn part_count(packet: &[u8]) -> usize {
    match packet {
        [] | [kind::COMPOUND] => 0,
        [kind::COMPOUND, count, ..] => usize::from(*count),
        [..] => 1,
    }
}

fn part_length(part: &[u8]) -> [u8; 2] {
    u16::try_from(part.len()).expect("no part is above 65535 bytes").to_be_bytes()
}

use std::fmt;

use serde::Serialize;

use crate::Output;
use crate::checkpoint::{Digest, digest};

/// Bytes before the content of a frame.
const HEAD: usize = 10;

/// Appends a frame with this value.
pub(super) fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let start = reserve(bytes);
    let appended = postcard::to_extend(value, std::mem::take(bytes));
    *bytes = appended.expect("every part of a recording can be encoded");
    fill(bytes, start);
}

/// Appends a frame with these bytes as they are.
pub(super) fn append_raw(bytes: &mut Vec<u8>, content: &[u8]) {
    let start = reserve(bytes);
    bytes.extend_from_slice(content);
    fill(bytes, start);
}

fn reserve(bytes: &mut Vec<u8>) -> usize {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    start
}

fn fill(bytes: &mut [u8], start: usize) {
    let (head, content) = bytes[start..].split_at_mut(HEAD);
    let length = u32::try_from(content.len()).expect("inputs are bounded far below 4 GiB");
    head[..4].copy_from_slice(&length.to_be_bytes());
    head[4..8].copy_from_slice(&check(content).to_be_bytes());
    let of_head = head_check(&head[..8]);
    head[8..].copy_from_slice(&of_head);
}

/// What stands at one place of a recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole frame, and what comes after it.
    Frame { content: &'a [u8], rest: &'a [u8] },
    /// The end.
    Nothing,
    /// A part of a frame.
    Cut,
    /// Something that was not written like this.
    Damaged,
}

pub(super) fn split(bytes: &[u8]) -> Found<'_> {
    if bytes.is_empty() {
        return Found::Nothing;
    }
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Found::Cut };
    let number = |place: usize| head[place..].first_chunk().copied().map(u32::from_be_bytes);
    let (Some(length), Some(expected)) = (number(0), number(4)) else { return Found::Cut };
    if head[8..] != head_check(&head[..8]) {
        return damaged_or_cut(bytes, HEAD);
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((content, rest)) = rest.split_at_checked(length) else { return Found::Cut };
    if check(content) == expected {
        Found::Frame { content, rest }
    } else {
        damaged_or_cut(bytes, HEAD + length)
    }
}

/// So many zeros at the end are what a machine without power leaves that had made the file longer
/// before it wrote into it.
const MANY_ZEROS: usize = 64;

/// What a wrong frame of this length is.
fn damaged_or_cut(bytes: &[u8], length: usize) -> Found<'_> {
    let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let zeros = bytes.len() - written;
    if written < length && zeros >= MANY_ZEROS { Found::Cut } else { Found::Damaged }
}

fn check(bytes: &[u8]) -> u32 {
    shorten(digest(bytes))
}

fn head_check(bytes: &[u8]) -> [u8; 2] {
    let [a, b, c, d] = check(bytes).to_be_bytes();
    [a ^ c, b ^ d]
}

fn shorten(digest: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = digest.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

/// The sum of what came out of a node, so that a replay can tell when it goes another way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) count: u32,
    digest: Digest,
}

impl Tally {
    /// Adds one output. Only its own `body` counts, not what the buffer had before.
    pub(super) fn add(&mut self, output: &Output, body: &[u8]) {
        use fmt::Write;
        self.count += 1;
        let Self { digest, .. } = self;
        write!(digest, "{output:?}").expect("a digest takes everything");
        match output {
            Output::Packet { .. } | Output::Dial { .. } | Output::Reply { .. } => digest.add(body),
            Output::Close { .. } | Output::Event(_) => {}
        }
    }

    pub(super) fn digest(&self) -> u32 {
        shorten(self.digest.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed() -> Vec<u8> {
        let mut bytes = Vec::new();
        append_raw(&mut bytes, b"content");
        bytes
    }

    #[test]
    fn a_frame_gives_back_its_content_and_what_follows() {
        let mut bytes = framed();
        append(&mut bytes, &7_u8);
        let Found::Frame { content, rest } = split(&bytes) else { panic!() };
        assert_eq!(content, b"content");
        assert_eq!(split(rest), Found::Frame { content: &[7], rest: &[] });
    }

    #[test]
    fn every_cut_is_a_cut_and_every_change_is_damage() {
        let bytes = framed();
        for length in 1..bytes.len() {
            assert_eq!(split(&bytes[..length]), Found::Cut, "{length}");
        }
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x40;
            assert_eq!(split(&bytes), Found::Damaged, "{place}");
        }
        assert_eq!(split(&[]), Found::Nothing);
        assert_eq!(split(&[0; 100]), Found::Cut);
    }
}

//! Every kind of message was once captured from a real program.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{File, Tree};

const KINDS: &str = "crates/wire/src/memberlist/mod.rs";
const VECTORS: &str = "crates/wire/vectors/";

/// Each constant of the module `kind` is the first byte of a message in a vector.
pub(super) fn every_kind_is_captured(tree: &Tree) -> Vec<Finding> {
    let kinds = tree.get(KINDS).map(kinds).unwrap_or_default();
    if kinds.is_empty() {
        let remedy = "tell xtask/src/tidy/vectors.rs where they are";
        return vec![Finding::new(KINDS, 1, "no kinds of messages", remedy)];
    }
    let captured: BTreeSet<u8> = tree.find(VECTORS, ".bin").flat_map(kinds_in).collect();
    let missing = kinds.iter().filter(|kind| !captured.contains(&kind.byte));
    missing
        .map(|kind| {
            let what = format!("no vector has the message {} ({})", kind.name, kind.byte);
            let remedy = format!("capture one from a real program and put it into {VECTORS}");
            Finding::new(KINDS, kind.line, what, remedy)
        })
        .collect()
}

struct MessageKind<'a> {
    line: usize,
    name: &'a str,
    byte: u8,
}

fn kinds(file: &File) -> Vec<MessageKind<'_>> {
    let lines = file.lines().skip_while(|(_, line)| !line.contains("mod kind {"));
    lines
        .take_while(|(_, line)| *line != "}")
        .filter_map(|(number, line)| {
            let (name, byte) = line.split_once("const ")?.1.split_once(": u8 = ")?;
            Some(MessageKind { line: number, name, byte: byte.strip_suffix(';')?.parse().ok()? })
        })
        .collect()
}

/// The kinds of a captured file's messages, as far as they can be read without keys.
fn kinds_in(file: &File) -> Vec<u8> {
    let is_datagram = !file.path.starts_with("crates/wire/vectors/stream/");
    let layers = Layers { sealed: is_datagram && file.stem().contains("enc") };
    let mut kinds = Vec::new();
    layers.walk(&file.bytes, &mut kinds);
    kinds
}

/// Sealed datagrams start with a version, which looks like a kind and is none.
struct Layers {
    sealed: bool,
}

impl Layers {
    fn walk(&self, bytes: &[u8], kinds: &mut Vec<u8>) {
        let Some((&kind, rest)) = bytes.split_first() else { return };
        if self.sealed && kind != LABEL {
            return;
        }
        kinds.push(kind);
        match kind {
            LABEL => self.walk(after_label(rest), kinds),
            CHECKSUM => self.walk(rest.get(4..).unwrap_or_default(), kinds),
            COMPOUND => parts(rest).for_each(|part| self.walk(part, kinds)),
            _ => {}
        }
    }
}

const COMPOUND: u8 = 7;
const CHECKSUM: u8 = 12;
const LABEL: u8 = 244;

fn after_label(bytes: &[u8]) -> &[u8] {
    bytes.split_first().and_then(|(&length, rest)| rest.get(length.into()..)).unwrap_or_default()
}

/// A count, two bytes of length for each part, and the parts.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = bytes.first().copied().map_or(0, usize::from);
    let mut rest = bytes.get(1 + 2 * count..).unwrap_or_default();
    let lengths = bytes.get(1..1 + 2 * count).unwrap_or_default().chunks_exact(2);
    lengths.map_while(move |length| {
        let length = u16::from_be_bytes([length[0], length[1]]);
        let (part, after) = rest.split_at_checked(length.into())?;
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const SOURCE: &str = "//! x\npub(crate) mod kind {\n    pub(crate) const PING: u8 = 0;\n    \
                          pub(crate) const ACK: u8 = 2;\n    pub(crate) const DEAD: u8 = 5;\n}\n\
                          const OTHER: u8 = 99;\n";

    #[test]
    fn a_kind_without_a_vector_is_found() {
        let tree = Tree::of(&[(KINDS, SOURCE)])
            .with_bytes("crates/wire/vectors/packet/ping.bin", &[0, 1])
            .with_bytes("crates/wire/vectors/packet/dead.bin", &[12, 0, 0, 0, 0, 5, 1]);
        assert_eq!(places(&every_kind_is_captured(&tree)), [format!("{KINDS}:4")]);
    }

    #[test]
    fn a_sealed_datagram_shows_no_kind() {
        let tree = Tree::of(&[(KINDS, SOURCE)])
            .with_bytes("crates/wire/vectors/packet/enc16-v0-ping.bin", &[0, 1])
            .with_bytes("crates/wire/vectors/packet/c.bin", &[7, 2, 0, 2, 0, 1, 2, 9, 5]);
        assert_eq!(places(&every_kind_is_captured(&tree)), [format!("{KINDS}:3")]);
    }

    #[test]
    fn kinds_that_have_moved_are_missed() {
        let tree = Tree::of(&[(KINDS, "//! nothing\n")]);
        assert_eq!(places(&every_kind_is_captured(&tree)), [format!("{KINDS}:1")]);
    }
}

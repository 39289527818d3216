//! Datagrams that no honest node sends.

use mingle_wire::{Checksum, Envelope, Incarnation, Message, Scratch, Suspect};

use crate::rng::Rng;
use crate::scenario::Hostile;

/// A datagram of this kind, about a node.
pub(crate) fn datagram(kind: Hostile, about: &str, rng: &mut Rng) -> Vec<u8> {
    let body = match kind {
        Hostile::Garbage => (0..200).map(|_| rng.next().to_le_bytes()[0]).collect(),
        // A compound (7) of 255 parts, each said to have 65,535 bytes.
        Hostile::HugeCount => [7].into_iter().chain([0xff; 1 + 255 * 2]).collect(),
        Hostile::Bomb => vec![0; 1_000_000],
        Hostile::FarFuture => far_future(about),
    };
    let mut datagram = Vec::new();
    Envelope::default().seal_packet(
        &body,
        Checksum::Omit,
        [0; 12],
        &mut Scratch::default(),
        &mut datagram,
    );
    datagram
}

/// A suspicion at the highest number that 32 bits can write, which no incarnation reaches.
fn far_future(about: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let incarnation = Incarnation::LAST;
    Message::Suspect(Suspect { incarnation, node: about, from: "nobody" }).encode(&mut body);
    let last = incarnation.get().to_be_bytes();
    if let Some(at) = body.windows(4).position(|bytes| bytes == last) {
        body[at..at + 4].fill(0xff);
    }
    body
}

/// The bodies in it; `None` when its envelope refuses it.
pub(crate) fn open(datagram: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut bodies = Vec::new();
    let mut scratch = Scratch::default();
    Envelope::default()
        .open_packet(datagram, &mut scratch, |body| bodies.push(body.to_vec()))
        .ok()?;
    Some(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_small_and_is_refused() {
        let bomb = datagram(Hostile::Bomb, "n1", &mut Rng::new(1));
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert_eq!(open(&bomb), None);
    }

    #[test]
    fn a_claim_of_the_far_future_reaches_the_node_which_has_to_refuse_it() {
        let datagram = datagram(Hostile::FarFuture, "n1", &mut Rng::new(1));
        let bodies = open(&datagram).unwrap();
        let mut messages = mingle_wire::memberlist::messages(&bodies[0]);
        assert!(messages.next().unwrap().is_err());
    }
}

use std::collections::BTreeMap;

use mingle_wire::memberlist;

/// What an average peer has to tell: at most one claim about each peer, those told least often first,
/// as real queues are ordered.
#[derive(Debug)]
pub(super) struct News {
    /// By how often it was told, then by age.
    queue: BTreeMap<(u32, u64), Item>,
    by_peer: BTreeMap<u32, (u32, u64)>,
    order: u64,
    /// How often each is told.
    limit: u32,
}

#[derive(Debug)]
struct Item {
    peer: u32,
    spelling: Vec<u8>,
}

/// What a compound takes for each part, beside the part itself.
const PER_PART: usize = 2;
/// Parts that fit into one compound.
const MOST_PARTS: usize = 255;

impl News {
    pub(super) fn new(limit: u32) -> Self {
        Self { queue: BTreeMap::new(), by_peer: BTreeMap::new(), order: 0, limit }
    }

    /// Something new of a peer; what was said of it before is old.
    pub(super) fn add(&mut self, peer: u32, spelling: Vec<u8>) {
        self.order += 1;
        let key = (0, self.order);
        if let Some(old) = self.by_peer.insert(peer, key) {
            self.queue.remove(&old);
        }
        self.queue.insert(key, Item { peer, spelling });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds to the packet what fits into `room` bytes.
    pub(super) fn tell(&mut self, packet: &mut Vec<u8>, room: usize) {
        let mut told = Vec::new();
        for (&key, item) in &self.queue {
            let fits = packet.len() + item.spelling.len() + 2 * PER_PART + 2 <= room;
            if !fits || memberlist::part_count(packet) + 1 >= MOST_PARTS {
                break;
            }
            memberlist::append_part(packet, &item.spelling);
            told.push(key);
        }
        for key in told {
            let Some(item) = self.queue.remove(&key) else { continue };
            if key.0 + 1 < self.limit {
                self.by_peer.insert(item.peer, (key.0 + 1, key.1));
                self.queue.insert((key.0 + 1, key.1), item);
            } else {
                self.by_peer.remove(&item.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_as_often_as_the_limit_says_and_the_new_takes_the_place_of_the_old() {
        let mut news = News::new(3);
        news.add(1, vec![4; 50]);
        news.add(2, vec![4; 50]);
        news.add(1, vec![4; 60]);
        let mut bytes = 0;
        for _ in 0..3 {
            let mut packet = Vec::new();
            news.tell(&mut packet, 1395);
            bytes += packet.len();
        }
        assert!(news.is_empty());
        assert_eq!(bytes, 3 * (50 + 60 + 2 + 2 * PER_PART));
    }

    #[test]
    fn packets_have_at_most_as_much_as_there_is_room() {
        let mut news = News::new(3);
        (0..100).for_each(|peer| news.add(peer, vec![4; 50]));
        let mut packet = Vec::new();
        news.tell(&mut packet, 1000);
        assert!(packet.len() <= 1000 && packet.len() > 900, "{}", packet.len());
    }
}

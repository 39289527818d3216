use std::net::SocketAddr;

use mingle_proto::{Gossip as GossipRules, Node};
use mingle_wire::Message;

use super::desk::{Checker, Desk};
use super::transmits::Occasion;

/// To whom claims go by themselves when a node is woken: to so many members, each another one
/// (spec 9.2).
#[derive(Debug, Default)]
pub(super) struct Gossip {
    to: Vec<SocketAddr>,
}

impl Gossip {
    /// A packet is written that begins with this.
    pub(super) fn sent(&mut self, to: SocketAddr, first: &Message<'_>, occasion: Occasion) {
        let claim = matches!(first, Message::Alive(_) | Message::Suspect(_) | Message::Dead(_));
        if claim && occasion == Occasion::Woken {
            self.to.push(to);
        }
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, node: &Node) {
        if self.to.is_empty() {
            return;
        }
        let most = node.config().gossip_nodes as usize
            * match node.config().rules.gossip {
                GossipRules::Steady => 1,
                // Under load.
                GossipRules::Adaptive => 2,
            };
        let own = node.local().address().socket_addr();
        let to = &mut self.to;
        to.sort_unstable();
        let distinct = to.windows(2).all(|pair| pair[0] != pair[1]) && !to.contains(&own);
        desk.check(Checker::Gossip, distinct && to.len() <= most, || {
            format!("gossip of one tick goes to {to:?}, of {most} members other than {own} at most")
        });
        to.clear();
    }
}

//! Where nodes are, and what they are called.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// The port of every node, for UDP and TCP.
const PORT: u16 = 7946;
/// Nodes that share the first three bytes of an address.
const PER_BLOCK: usize = 250;
/// Most nodes of a crowd.
pub(crate) const MOST: usize = 250 * 256;

/// One node of the crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The second byte of all addresses of the crowd.
    pub(crate) network: u8,
    /// Which node; 0 is the one that others join.
    pub(crate) index: usize,
}

impl Place {
    /// The node that others join.
    pub(crate) const fn first(self) -> Self {
        Self { network: self.network, index: 0 }
    }

    /// The node that node 0 pours to.
    pub(crate) const fn second(self) -> Self {
        Self { network: self.network, index: 1 }
    }

    pub(crate) fn name(self) -> String {
        format!("node-{}", self.index)
    }

    pub(crate) fn socket(self) -> SocketAddrV4 {
        let byte = |number: usize| u8::try_from(number).expect("a crowd has at most MOST nodes");
        let [third, fourth] = [byte(self.index / PER_BLOCK), byte(1 + self.index % PER_BLOCK)];
        SocketAddrV4::new(Ipv4Addr::new(127, self.network, third, fourth), PORT)
    }

    pub(crate) fn address(self) -> SocketAddr {
        self.socket().into()
    }
}

/// Which node is at this address, whatever its network.
pub(crate) fn index_at(ip: IpAddr) -> Option<usize> {
    let IpAddr::V4(ip) = ip.to_canonical() else {
        return None;
    };
    let [_, _, third, fourth] = ip.octets().map(usize::from);
    Some(third * PER_BLOCK + fourth.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_where_the_protocol_has_them() {
        let at = |index| Place { network: 77, index }.address().to_string();
        assert_eq!(at(0), "127.77.0.1:7946");
        assert_eq!(at(249), "127.77.0.250:7946");
        assert_eq!(at(250), "127.77.1.1:7946");
        assert_eq!(at(999), "127.77.3.250:7946");
    }

    #[test]
    fn an_address_leads_back_to_its_node() {
        for index in [0, 1, 249, 250, 999, MOST - 1] {
            assert_eq!(index_at(Place { network: 5, index }.address().ip()), Some(index));
        }
        assert_eq!(index_at("::1".parse().unwrap()), None);
    }
}

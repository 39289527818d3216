use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The bytes of an IP address exactly as a peer spelled them.
///
/// IPv4 has two spellings on this wire, 4 bytes and the IPv4-mapped 16 bytes, and Go nodes compare
/// addresses byte by byte, so what is passed on must keep the spelling (spec section 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ip {
    /// Four bytes.
    V4([u8; 4]),
    /// Sixteen bytes, perhaps an IPv4-mapped address.
    V6([u8; 16]),
}

impl Ip {
    /// Takes 4 or 16 bytes; any other length is no address.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            4 => bytes.try_into().ok().map(Self::V4),
            16 => bytes.try_into().ok().map(Self::V6),
            _ => None,
        }
    }

    /// The bytes as they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }

    /// The address for comparing and for sending: IPv4-mapped addresses become IPv4.
    #[must_use]
    pub fn canonical(&self) -> IpAddr {
        match self {
            Self::V4(bytes) => IpAddr::V4(Ipv4Addr::from(*bytes)),
            Self::V6(bytes) => Ipv6Addr::from(*bytes).to_canonical(),
        }
    }
}

impl From<IpAddr> for Ip {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => Self::V6(ip.octets()),
        }
    }
}

/// Where a node is reached: an IP in its original spelling, and a port.
///
/// `==` compares the spelling, as Go does; [`Address::same_endpoint`] compares what it means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The IP address in its spelling.
    pub ip: Ip,
    /// The port, for packets and streams alike. 0 means the receiver's own port (spec 2.7).
    pub port: u16,
}

impl Address {
    /// The address to send to: IPv4-mapped addresses become IPv4.
    #[must_use]
    pub fn socket_addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip.canonical(), self.port)
    }

    /// Whether both mean the same endpoint, whatever their spelling.
    #[must_use]
    pub fn same_endpoint(&self, other: &Self) -> bool {
        self.socket_addr() == other.socket_addr()
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self { ip: addr.ip().into(), port: addr.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

impl fmt::Debug for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(bytes) => Ipv4Addr::from(*bytes).fmt(f),
            Self::V6(bytes) => Ipv6Addr::from(*bytes).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_plain_ipv4_are_one_endpoint_in_two_spellings() {
        let plain = Address { ip: Ip::V4([127, 0, 0, 1]), port: 7946 };
        let mut bytes = [0; 16];
        bytes[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        let mapped = Address { ip: Ip::V6(bytes), port: 7946 };
        assert_ne!(plain, mapped);
        assert!(plain.same_endpoint(&mapped));
        assert_eq!(mapped.ip.as_bytes(), bytes);
    }

    #[test]
    fn only_four_and_sixteen_bytes_are_addresses() {
        for length in [0, 1, 3, 5, 15, 17] {
            assert_eq!(Ip::from_bytes(&vec![1; length]), None);
        }
    }
}

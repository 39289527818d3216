//! How packets and streams travel: UDP and TCP on one port, or inside one process.

mod memory;
mod net;

use std::io;
use std::net::SocketAddr;

use mingle_proto::SendFailure;
use tokio::io::{AsyncRead, AsyncWrite};

pub use memory::{MemoryNetwork, MemoryTransport};
pub use net::NetTransport;

/// Packets and streams at one address.
///
/// Sending a packet never waits: what does not fit is lost, as packets are. Futures may be dropped
/// at any point without losing anything but the dial or accept they are about.
pub trait Transport: Send + Sync + 'static {
    /// A reliable stream of bytes.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Where it receives; the port stands for packets and streams.
    fn local_addr(&self) -> SocketAddr;

    /// Sends one packet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room for it; whatever else the system says.
    fn try_send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Takes one packet that has arrived, and its source with IPv4 addresses in IPv4's form.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is none; whatever else the system says.
    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Waits until a packet may have arrived.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits for a peer to dial, and gives the stream and its other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Dials a peer.
    fn dial(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// IPv4-mapped addresses become IPv4; the scope of an IPv6 address stays.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
    }
}

/// What an error on sending means to the node.
pub(crate) fn failure_of(error: &io::Error) -> SendFailure {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => SendFailure::NoRoom,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => SendFailure::Unreachable,
        _ => SendFailure::Other,
    }
}

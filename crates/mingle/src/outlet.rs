//! The way of single packets from handles to the socket, past the node: that a message goes out changes nothing in it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use mingle_proto::RequestError;
use mingle_wire::{Checksum, Message, Scratch};

use crate::SendError;
use crate::driver::Shared;
use crate::sealer::draw_nonce;
use crate::transport::Transport;

/// Sends packets for as long as the node runs, whose driver holds the transport.
pub(crate) struct Outlet {
    transport: Weak<dyn Packets>,
    /// Bytes of a packet, sealed and all.
    packet_size: usize,
}

/// A transport without its streams.
trait Packets: Send + Sync {
    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()>;
}

impl<T: Transport> Packets for T {
    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.try_send_to(packet, to)
    }
}

impl Outlet {
    pub(crate) fn new<T: Transport>(transport: &Arc<T>, packet_size: usize) -> Self {
        let transport: Weak<T> = Arc::downgrade(transport);
        Self { transport, packet_size }
    }

    /// Sends a user message in one packet. What the system does not take is lost, as packets are, and counted.
    pub(crate) fn send(
        &self,
        shared: &Shared,
        (to, checksum): (SocketAddr, Checksum),
        payload: &[u8],
    ) -> Result<(), SendError> {
        let transport = self.transport.upgrade().ok_or(SendError::Stopped)?;
        let sealing = shared.sealer.current();
        let limit = self.packet_size.saturating_sub(sealing.envelope.overhead() + 1);
        if payload.len() > limit {
            let (length, remedy) = (payload.len(), "send it on a stream");
            return Err(RequestError::TooLong { length, limit, remedy }.into());
        }
        let mut body = Vec::with_capacity(payload.len() + 1);
        Message::User(payload).encode(&mut body);
        let mut packet = Vec::with_capacity(self.packet_size);
        let nonce = sealing.nonce(draw_nonce);
        let mut scratch = Scratch::default();
        sealing.envelope.seal_packet(&body, checksum, nonce, &mut scratch, &mut packet);
        // What the system does not take is lost.
        let _ = shared.tallies.sent(transport.try_send(&packet, to), packet.len(), to);
        Ok(())
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("packet_size", &self.packet_size).finish_non_exhaustive()
    }
}

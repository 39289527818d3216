use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mingle::transport::{NetTransport, Transport};

/// Pairs of addresses between which packets are dropped, in both directions.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts(Arc<Mutex<BTreeSet<[SocketAddr; 2]>>>);

impl Cuts {
    pub(super) fn cut(&self, one: SocketAddr, other: SocketAddr) {
        self.change(|cuts| cuts.insert(pair(one, other)));
    }

    pub(super) fn heal(&self, one: SocketAddr, other: SocketAddr) {
        self.change(|cuts| cuts.remove(&pair(one, other)));
    }

    fn are_cut(&self, one: SocketAddr, other: SocketAddr) -> bool {
        self.change(|cuts| cuts.contains(&pair(one, other)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeSet<[SocketAddr; 2]>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn pair(one: SocketAddr, other: SocketAddr) -> [SocketAddr; 2] {
    [one.min(other), one.max(other)]
}

/// UDP and TCP as any agent has them, but for packets that a cut drops.
pub(super) struct Link {
    pub(super) net: NetTransport,
    pub(super) cuts: Cuts,
}

impl Transport for Link {
    type Stream = <NetTransport as Transport>::Stream;

    fn local_addr(&self) -> SocketAddr {
        self.net.local_addr()
    }

    fn try_send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.cuts.are_cut(self.local_addr(), to) {
            return Ok(());
        }
        self.net.try_send_to(packet, to)
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.net.try_recv_from(buffer)
    }

    async fn readable(&self) -> io::Result<()> {
        self.net.readable().await
    }

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        self.net.accept().await
    }

    async fn dial(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        self.net.dial(to).await
    }
}

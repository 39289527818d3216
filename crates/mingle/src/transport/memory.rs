use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc};

use super::Transport;
use crate::queue::lock;

/// A network inside one process, for tests. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mingle::Cluster;
/// use mingle::transport::MemoryNetwork;
///
/// let network = MemoryNetwork::new();
/// let a = Cluster::builder("a").start_on(network.transport("10.0.0.1:7946".parse()?)?)?;
/// let b = Cluster::builder("b").start_on(network.transport("10.0.0.2:7946".parse()?)?)?;
/// assert!(b.join(["10.0.0.1"]).await.succeeded());
/// assert_eq!(a.members().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    state: Arc<Mutex<Network>>,
}

#[derive(Debug, Default)]
struct Network {
    ports: BTreeMap<SocketAddr, Arc<Port>>,
    /// Directed pairs between which nothing passes.
    cuts: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Directed pairs between which packets are lost, and streams pass.
    packet_cuts: BTreeSet<(SocketAddr, SocketAddr)>,
}

#[derive(Debug)]
struct Port {
    packets: Mutex<VecDeque<(SocketAddr, Vec<u8>)>>,
    arrived: Notify,
    dials: mpsc::Sender<(DuplexStream, SocketAddr)>,
}

/// Packets that may wait at one address; more are lost.
const MAX_PACKETS: usize = 1024;
/// Streams that may wait to be accepted at one address; more are refused.
const MAX_DIALS: usize = 64;
/// Bytes that may be under way in each direction of a stream.
const STREAM_BUFFER: usize = 64 << 10;

impl MemoryNetwork {
    /// A network without anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A place in it.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when somebody has the address.
    pub fn transport(&self, address: SocketAddr) -> io::Result<MemoryTransport> {
        let (dials, accepts) = mpsc::channel(MAX_DIALS);
        let port =
            Arc::new(Port { packets: Mutex::new(VecDeque::new()), arrived: Notify::new(), dials });
        let mut network = lock(&self.state);
        if network.ports.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        network.ports.insert(address, Arc::clone(&port));
        drop(network);
        let accepts = tokio::sync::Mutex::new(accepts);
        Ok(MemoryTransport { network: self.clone(), address, port, accepts })
    }

    /// Lets nothing more pass from one address to another: packets are lost, dials are refused.
    /// Streams that are open stay.
    pub fn cut(&self, from: SocketAddr, to: SocketAddr) {
        lock(&self.state).cuts.insert((from, to));
    }

    /// Loses all packets from one address to another, and lets streams pass, as a firewall does that
    /// does not know UDP.
    pub fn cut_packets(&self, from: SocketAddr, to: SocketAddr) {
        lock(&self.state).packet_cuts.insert((from, to));
    }

    /// Takes a cut back, of whichever kind.
    pub fn mend(&self, from: SocketAddr, to: SocketAddr) {
        let mut network = lock(&self.state);
        network.cuts.remove(&(from, to));
        network.packet_cuts.remove(&(from, to));
    }

    /// Who receives the packets from one address to another.
    fn packet_route(&self, from: SocketAddr, to: SocketAddr) -> Option<Arc<Port>> {
        let lost = lock(&self.state).packet_cuts.contains(&(from, to));
        if lost { None } else { self.route(from, to) }
    }

    /// Who is dialled from one address at another.
    fn route(&self, from: SocketAddr, to: SocketAddr) -> Option<Arc<Port>> {
        let network = lock(&self.state);
        if network.cuts.contains(&(from, to)) {
            return None;
        }
        network.ports.get(&to).cloned()
    }
}

/// A place in a [`MemoryNetwork`]. Dropping it gives the address back.
#[derive(Debug)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    address: SocketAddr,
    port: Arc<Port>,
    accepts: tokio::sync::Mutex<mpsc::Receiver<(DuplexStream, SocketAddr)>>,
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        lock(&self.network.state).ports.remove(&self.address);
    }
}

impl Transport for MemoryTransport {
    type Stream = DuplexStream;

    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn try_send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        let Some(port) = self.network.packet_route(self.address, to) else { return Ok(()) };
        let mut packets = lock(&port.packets);
        if packets.len() < MAX_PACKETS {
            packets.push_back((self.address, packet.to_vec()));
            port.arrived.notify_one();
        }
        Ok(())
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (from, packet) =
            lock(&self.port.packets).pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let length = packet.len().min(buffer.len());
        buffer[..length].copy_from_slice(&packet[..length]);
        Ok((length, from))
    }

    async fn readable(&self) -> io::Result<()> {
        loop {
            let arrived = self.port.arrived.notified();
            if !lock(&self.port.packets).is_empty() {
                return Ok(());
            }
            arrived.await;
        }
    }

    async fn accept(&self) -> io::Result<(DuplexStream, SocketAddr)> {
        let dial = self.accepts.lock().await.recv().await;
        dial.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    async fn dial(&self, to: SocketAddr) -> io::Result<DuplexStream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let port = self.network.route(self.address, to).ok_or_else(refused)?;
        let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
        port.dials.try_send((theirs, self.address)).map_err(|_| refused())?;
        // Dialling takes a moment everywhere; this keeps it from starving others.
        tokio::task::yield_now().await;
        Ok(ours)
    }
}

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tracing::debug;

use super::{Transport, canonical};
use crate::StartError;
use crate::bind::BindAddress;

/// UDP for packets and TCP for streams, on one port.
#[derive(Debug)]
pub struct NetTransport {
    packets: UdpSocket,
    streams: TcpListener,
    local_addr: SocketAddr,
}

/// How often a port that the kernel chose for TCP is tried for UDP.
const PORT_TRIES: u32 = 10;
/// The receive buffer to ask for; halved until the system grants it.
const RECEIVE_BUFFER: usize = 2 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

impl NetTransport {
    /// Binds both sockets. A wildcard address of one family falls back to the other one's on hosts
    /// that do not have it.
    ///
    /// # Errors
    ///
    /// When the port is taken, or the system refuses.
    pub async fn bind(bind: BindAddress) -> Result<Self, StartError> {
        let mut last = None;
        for ip in candidates(bind.ip) {
            match bind_pair(SocketAddr::new(ip, bind.port)) {
                Ok((packets, streams)) => return Self::new(packets, streams).await,
                Err(refused) => {
                    let family_missing = family_missing(&refused.error);
                    last = Some(last.unwrap_or(refused));
                    if !family_missing {
                        break;
                    }
                }
            }
        }
        let refused = last.expect("there is at least one candidate");
        Err(refused.into_start_error())
    }

    async fn new(packets: Socket, streams: Socket) -> Result<Self, StartError> {
        let address = packets.local_addr().ok().and_then(|address| address.as_socket());
        let local_addr = address.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let refused = |error| Refused { address: local_addr, error }.into_start_error();
        let packets = UdpSocket::from_std(packets.into()).map_err(refused)?;
        let streams = TcpListener::from_std(streams.into()).map_err(refused)?;
        // A fresh socket counts as full until the runtime has looked at it once.
        packets.writable().await.map_err(refused)?;
        Ok(Self { packets, streams, local_addr })
    }
}

/// What to try, the first one first.
fn candidates(ip: IpAddr) -> Vec<IpAddr> {
    let (v4, v6): (IpAddr, IpAddr) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
    match ip {
        ip if ip == v6 => vec![v6, v4],
        ip if ip == v4 => vec![v4, v6],
        ip => vec![ip],
    }
}

fn family_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error().is_some_and(|code| FAMILY_MISSING.contains(&code))
}

/// `EAFNOSUPPORT` where the kinds of std have no word for it: Linux, macOS and BSD, Windows.
const FAMILY_MISSING: [i32; 3] = [97, 47, 10047];

struct Refused {
    address: SocketAddr,
    error: io::Error,
}

impl Refused {
    fn into_start_error(self) -> StartError {
        let (address, kind) = (self.address, self.error.kind());
        match kind {
            io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
            kind => StartError::Bind { address, kind },
        }
    }
}

/// Both sockets on one port; for port 0 the one that the kernel chose for TCP.
fn bind_pair(address: SocketAddr) -> Result<(Socket, Socket), Refused> {
    let tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        let refused = |error| Refused { address, error };
        let streams = stream_socket(address).map_err(refused)?;
        let chosen = streams.local_addr().map_err(refused)?.as_socket();
        let at = SocketAddr::new(address.ip(), chosen.map_or(0, |chosen| chosen.port()));
        match packet_socket(at) {
            Ok(packets) => return Ok((packets, streams)),
            Err(error) => last = Some(Refused { address: at, error }),
        }
    }
    Err(last.expect("there is at least one try"))
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // Elsewhere than on Unix this option would let others take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn packet_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    let mut bytes = RECEIVE_BUFFER;
    while socket.set_recv_buffer_size(bytes).is_err() && bytes > 4096 {
        bytes /= 2;
    }
    debug!(asked = bytes, granted = ?socket.recv_buffer_size().ok(), "receive buffer");
    socket.bind(&address.into())?;
    Ok(socket)
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // Only the wildcard serves both families; systems that can't do that refuse the option.
        let both = address.ip().is_unspecified();
        if let Err(error) = socket.set_only_v6(!both) {
            debug!(%error, "IPv6 and IPv4 can't share a socket here");
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Transport for NetTransport {
    type Stream = TcpStream;

    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn try_send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = match (self.local_addr, to) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            (SocketAddr::V6(_), SocketAddr::V6(_)) | (SocketAddr::V4(_), _) => to,
        };
        self.packets.try_send_to(packet, to).map(|_| ())
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.packets.try_recv_from(buffer)?;
        Ok((length, canonical(from)))
    }

    async fn readable(&self) -> io::Result<()> {
        self.packets.readable().await
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.streams.accept().await {
            Ok((stream, from)) => {
                stream.set_nodelay(true)?;
                Ok((stream, canonical(from)))
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next try would fail at once.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                Err(error)
            }
        }
    }

    async fn dial(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// How long to wait after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind(text: &str) -> Result<NetTransport, StartError> {
        NetTransport::bind(text.parse().unwrap()).await
    }

    #[tokio::test]
    async fn both_sockets_have_one_port() {
        let transport = bind("127.0.0.1:0").await.unwrap();
        let port = transport.streams.local_addr().unwrap().port();
        assert_eq!(transport.local_addr().port(), port);
        assert_ne!(port, 0);
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let transport = bind("127.0.0.1:0").await.unwrap();
        let address = transport.local_addr();
        let error = bind(&address.to_string()).await.unwrap_err();
        assert_eq!(error, StartError::AddressInUse { address });
    }

    #[tokio::test]
    async fn the_wildcard_hears_ipv4_and_answers_in_kind() {
        let any = bind(":0").await.unwrap();
        let v4 = bind("127.0.0.1:0").await.unwrap();
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), any.local_addr().port());
        v4.try_send_to(b"ping", to).unwrap();
        let mut buffer = [0; 16];
        any.readable().await.unwrap();
        let (length, from) = any.try_recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (b"ping".as_slice(), v4.local_addr()));
        any.try_send_to(b"ack", from).unwrap();
        v4.readable().await.unwrap();
        assert_eq!(v4.try_recv_from(&mut buffer).unwrap(), (3, to));
    }

    #[tokio::test]
    async fn nobody_listening_is_an_error_of_the_dial_alone() {
        let transport = bind("127.0.0.1:0").await.unwrap();
        let gone = bind("127.0.0.1:0").await.unwrap().local_addr();
        transport.try_send_to(b"ping", gone).unwrap();
        let refused = transport.dial(gone).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}

//! Two sockets and nothing else: the floor of the machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use serde_json::json;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::{Ability, About, Constants, Mode, System};
use crate::board::{Board, Key};
use crate::place::Place;
use crate::versions;

/// A socket, and at node 1 a task that reads it.
#[derive(Debug)]
pub(crate) struct Raw {
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// Bytes of the receive buffer of a socket.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The longest datagram that is read.
const LONGEST: usize = 65_536;
const NO_MEMBERS: &str = "two sockets know no members";

impl System for Raw {
    fn about() -> About {
        About {
            system: "raw",
            version: versions::of("tokio"),
            settings: json!({
                "remarks": ["plain UDP sockets of tokio, SO_RCVBUF 2 MiB; the version is tokio's"],
            }),
            lacks: &[
                (Ability::Membership, NO_MEMBERS),
                (Ability::Broadcasts, NO_MEMBERS),
                (Ability::Streams, "only UDP is measured raw"),
            ],
        }
    }

    async fn start(
        place: Place,
        _nodes: usize,
        _constants: Constants,
        board: Arc<Board>,
    ) -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind(place.address()).await?);
        SockRef::from(&*socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        let to = place.second().address();
        let reader = (place == place.second())
            .then(|| tokio::spawn(read(Arc::clone(&socket), place.index, board)));
        Ok(Self { socket, to, reader: Mutex::new(reader) })
    }

    async fn join(&self) -> Result<()> {
        bail!(NO_MEMBERS)
    }

    async fn kill(&self) {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.abort();
        }
    }

    async fn broadcast(&self, _key: Key, _payload: Vec<u8>) -> Result<()> {
        bail!(NO_MEMBERS)
    }

    async fn send(&self, mode: Mode, payload: &Bytes) -> Result<()> {
        match mode {
            Mode::BestEffort => loop {
                match self.socket.try_send_to(payload, self.to) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        self.socket.writable().await?;
                    }
                    done => return Ok(done.map(drop)?),
                }
            },
            Mode::Reliable => bail!("only UDP is measured raw"),
        }
    }
}

async fn read(socket: Arc<UdpSocket>, node: usize, board: Arc<Board>) {
    let mut buffer = vec![0; LONGEST];
    loop {
        // An error is about a datagram that was sent.
        if let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            board.received(node, &buffer[..length]);
        }
    }
}

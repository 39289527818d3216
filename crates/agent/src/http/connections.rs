use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::feed::MAX_WATCHERS;

/// Takes connections, a bounded number at a time; further ones wait in the system's queue.
pub(crate) struct Connections {
    listener: TcpListener,
    address: SocketAddr,
    room: Arc<Semaphore>,
}

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 64 + MAX_WATCHERS;
/// How long a connection may rest. Above the longest request.
const MAX_REST: Duration = Duration::from_secs(75);

/// Listens for HTTP; nothing is answered yet.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<Connections> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Connections { listener, address, room: Arc::new(Semaphore::new(MAX_CONNECTIONS)) })
}

impl Connections {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let room = Arc::clone(&self.room);
        let room = room.acquire_owned().await.expect("the semaphore is never closed");
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Connection { stream, rest: Box::pin(sleep(MAX_REST)), _room: room }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that ends when nothing has moved on it for [`MAX_REST`].
pub(crate) struct Connection {
    stream: TcpStream,
    rest: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    /// Passes on what moved; an error instead of waiting any longer.
    fn unless_resting<T>(
        &mut self,
        context: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.rest.as_mut().reset(Instant::now() + MAX_REST);
            return moved;
        }
        ready!(self.rest.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.unless_resting(context, moved)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_resting(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

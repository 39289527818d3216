use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::seats::{Seat, Seats};
use super::stream::{Stream, Tls};
use crate::access::Access;
use crate::endpoint::Place;
use crate::feed::MAX_WATCHERS;

/// Takes connections, a bounded number at a time; further ones wait in the system's queue.
pub(crate) struct Connections {
    listener: Listening,
    place: Place,
    access: Arc<Access>,
    room: Arc<Semaphore>,
    seats: Arc<Seats>,
}

enum Listening {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(super::socket::Socket),
}

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 64 + MAX_WATCHERS;
/// How long a connection may take to its first answer, a handshake included. Above the longest request.
const FIRST_ANSWER: Duration = Duration::from_secs(65);
/// How long a connection may rest then. Above the longest request.
const MAX_REST: Duration = Duration::from_secs(75);

/// Listens for HTTP; nothing is answered yet.
pub(crate) async fn bind(place: &Place, access: Arc<Access>) -> io::Result<Connections> {
    let (listener, place) = match place {
        Place::Address(address) => {
            let listener = TcpListener::bind(address).await?;
            let place = Place::Address(listener.local_addr()?);
            (Listening::Tcp(listener), place)
        }
        #[cfg(unix)]
        Place::Socket(path) => {
            (Listening::Unix(super::socket::Socket::bind(path).await?), place.clone())
        }
        #[cfg(not(unix))]
        Place::Socket(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    Ok(Connections { listener, place, access, room, seats: Arc::default() })
}

impl Connections {
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    async fn next(&mut self) -> (Stream, Seat) {
        match &mut self.listener {
            Listening::Tcp(listener) => loop {
                let (stream, from) = Listener::accept(listener).await;
                // Whoever has too many already loses the new one.
                let Some(seat) = self.seats.take(from.ip()) else {
                    self.access.turned_away.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                let stream = match self.access.tls() {
                    Some(config) => Stream::Tls(Tls::new(config, stream)),
                    None => Stream::Tcp(stream),
                };
                return (stream, seat);
            },
            #[cfg(unix)]
            Listening::Unix(socket) => (Stream::Unix(socket.accept().await), self.seats.here()),
        }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        let room = Arc::clone(&self.room);
        let room = room.acquire_owned().await.expect("the semaphore is never closed");
        let (stream, seat) = self.next().await;
        let rest = Box::pin(sleep(FIRST_ANSWER));
        (Connection { stream, rest, has_answered: false, _room: room, _seat: seat }, ())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that ends when nothing has moved on it for [`MAX_REST`], and without a first answer after
/// [`FIRST_ANSWER`] whatever has moved.
pub(crate) struct Connection {
    stream: Stream,
    rest: Pin<Box<Sleep>>,
    has_answered: bool,
    _room: OwnedSemaphorePermit,
    _seat: Seat,
}

impl Connection {
    /// Passes on what happened, except that a connection ends when nothing has happened for too long.
    fn unless_resting<T>(
        &mut self,
        context: &mut Context<'_>,
        happened: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if happened.is_ready() {
            return happened;
        }
        ready!(self.rest.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Something has moved. Before the first answer the end stays where it is: who does not come to the
    /// point holds no place.
    fn moved(&mut self) {
        if self.has_answered {
            self.rest.as_mut().reset(Instant::now() + MAX_REST);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved();
        }
        self.unless_resting(context, read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.has_answered = true;
            self.moved();
        }
        self.unless_resting(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_resting(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_resting(context, shut)
    }
}

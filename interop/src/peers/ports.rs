//! Free ports on loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

/// An address of `127.0.0.1` that nobody listens on, neither for packets nor for streams.
///
/// # Errors
///
/// See [`free_address`].
pub fn loopback_v4() -> Result<SocketAddr> {
    free_address(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// An address of `::1` that nobody listens on, neither for packets nor for streams.
///
/// # Errors
///
/// See [`free_address`].
pub fn loopback_v6() -> Result<SocketAddr> {
    free_address(IpAddr::V6(Ipv6Addr::LOCALHOST))
}

/// An address of `ip` that nobody listens on, neither for packets nor for streams. One process never gets the same port twice,
/// until all have been given out.
///
/// The ports lie below those that operating systems give to outgoing connections: a port that was found free must not be taken by
/// some peer's connection before the peer that it is meant for has bound it.
///
/// # Errors
///
/// When no port is free, for example because this machine has no such address.
pub fn free_address(ip: IpAddr) -> Result<SocketAddr> {
    let _alone = alone();
    for _ in 0..PORTS {
        let address = SocketAddr::new(ip, next_port());
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of {ip} from {FIRST_PORT} to {} is free", FIRST_PORT + PORTS - 1)
}

/// Held while a port is tried, and while a process is started: until it runs its program, a child has all sockets of its parent, and
/// a port that was tried would be taken for as long.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// Processes that run at the same time begin at different places.
fn next_port() -> u16 {
    static GIVEN_OUT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    let offset = start.wrapping_add(GIVEN_OUT.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS);
    FIRST_PORT + u16::try_from(offset).expect("a remainder by a u16 fits a u16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_differ_and_can_be_bound() {
        let (first, second) = (loopback_v4().unwrap(), loopback_v4().unwrap());
        assert_ne!(first, second);
        assert!(TcpListener::bind(first).is_ok());
    }
}

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use crate::StartError;

/// The address for others to use. Without a port it is the bound one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// The IP.
    pub ip: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

impl From<SocketAddr> for Advertise {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: Some(address.port()) }
    }
}

impl From<IpAddr> for Advertise {
    fn from(ip: IpAddr) -> Self {
        Self { ip, port: None }
    }
}

impl FromStr for Advertise {
    type Err = AdvertiseParseError;

    fn from_str(text: &str) -> Result<Self, AdvertiseParseError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip: Result<IpAddr, _> = bare.parse();
        ip.map(Self::from).map_err(|_| AdvertiseParseError { text: text.to_owned() })
    }
}

/// Text that is no advertise address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address to advertise; write an IP, or an IP and a port, as 10.0.0.1:7946")]
pub struct AdvertiseParseError {
    text: String,
}

/// The explicit address; else the bound IP if it is a specific one; else a private one that has the
/// default route (spec section 3). IPv4 in its short spelling.
pub(crate) fn choose(
    advertise: Option<Advertise>,
    bound: SocketAddr,
) -> Result<SocketAddr, StartError> {
    let ip = match advertise {
        Some(advertise) => advertise.ip,
        None if !bound.ip().is_unspecified() => bound.ip(),
        None => private_address(bound).ok_or(StartError::NoAdvertiseAddress)?,
    };
    let port = advertise.and_then(|advertise| advertise.port).unwrap_or(bound.port());
    Ok(SocketAddr::new(ip.to_canonical(), port))
}

/// The source that the system would use towards the internet, if it is a private one. Of two
/// families, IPv4 comes first; an IPv4 wildcard can't use the other.
fn private_address(bound: SocketAddr) -> Option<IpAddr> {
    let v4 = || source_towards((Ipv4Addr::new(198, 51, 100, 1), 9).into());
    let v6 = || source_towards((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into());
    let private = |ip: &IpAddr| is_private(*ip);
    match bound {
        SocketAddr::V4(_) => v4().filter(private),
        SocketAddr::V6(_) => v4().filter(private).or_else(|| v6().filter(private)),
    }
}

/// Connecting a UDP socket sends nothing; it makes the system choose a route and with it a source.
fn source_towards(destination: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(destination).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether RFC 6890 has it in a block that is not global but may be an interface's own address.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            ip.is_private() || shared || benchmark || ip.is_documentation()
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            ip.is_unique_local() || (first == 0x2001 && second == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_blocks_are_those_of_rfc_6890() {
        let yes = ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.7", "fd00::1"];
        let no = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "127.0.0.1", "169.254.1.1", "2a00::1"];
        assert!(yes.iter().all(|ip| is_private(ip.parse().unwrap())));
        assert!(!no.iter().any(|ip| is_private(ip.parse().unwrap())));
    }

    #[test]
    fn what_is_given_goes_before_what_is_bound() {
        let bound = "127.0.0.1:7".parse().unwrap();
        let explicit = |text: &str| Some(text.parse().unwrap());
        let chosen = |advertise| choose(advertise, bound).unwrap().to_string();
        assert_eq!(chosen(None), "127.0.0.1:7");
        assert_eq!(chosen(explicit("192.0.2.1")), "192.0.2.1:7");
        assert_eq!(chosen(explicit("[::ffff:192.0.2.1]:9")), "192.0.2.1:9");
        assert_eq!(chosen(explicit("[fd00::1]:9")), "[fd00::1]:9");
        assert!("example.org".parse::<Advertise>().is_err());
    }
}

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The port of memberlist and Serf.
pub const DEFAULT_PORT: u16 = 7946;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// The IP; the IPv6 wildcard stands for every address of both families.
    pub ip: IpAddr,
    /// The port, for packets and streams; 0 takes a free one.
    pub port: u16,
}

impl From<SocketAddr> for BindAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: address.port() }
    }
}

impl FromStr for BindAddress {
    type Err = BindParseError;

    fn from_str(text: &str) -> Result<Self, BindParseError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
            return Ok(Self { ip: Ipv6Addr::UNSPECIFIED.into(), port });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse() {
            Ok(ip) => Ok(Self { ip, port: DEFAULT_PORT }),
            Err(_) => Err(BindParseError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// Text that is no bind address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no bind address; write an IP and a port, as 0.0.0.0:7946 or [::]:7946")]
pub struct BindParseError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_and_the_ip_may_be_missing() {
        let table = [
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("127.0.0.1", Some("127.0.0.1:7946")),
            ("[::1]:1", Some("[::1]:1")),
            ("[::1]", Some("[::1]:7946")),
            ("::1", Some("[::1]:7946")),
            (":0", Some("[::]:0")),
            ("", None),
            (":", None),
            ("localhost:7946", None),
            ("127.0.0.1:70000", None),
        ];
        for (text, expected) in table {
            let parsed = text.parse::<BindAddress>().ok().map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        }
    }
}

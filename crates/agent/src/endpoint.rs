use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::exit::Failure;

/// Where an agent's HTTP interface is. Always on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(crate) SocketAddr);

/// The variable that every command takes the address from when there is no `--http`.
pub(crate) const VARIABLE: &str = "MINGLE_HTTP";
/// The address when there is neither.
pub(crate) const DEFAULT: &str = "127.0.0.1:7374";
/// The port of an address without one.
const DEFAULT_PORT: u16 = 7374;

/// Takes `IP:port`, `[v6]:port`, `localhost:port`, and the same without the port or after `http://`.
impl FromStr for Endpoint {
    type Err = Failure;

    fn from_str(given: &str) -> Result<Self, Failure> {
        let text = given.strip_prefix("http://").unwrap_or(given);
        let text = text.strip_suffix('/').unwrap_or(text);
        let Some(address) = parse(text) else {
            return Err(Failure::Input(format!(
                "{given:?} is no HTTP address; write a loopback IP and a port, as {DEFAULT}"
            )));
        };
        if !address.ip().to_canonical().is_loopback() {
            return Err(Failure::Input(format!(
                "HTTP is for this machine only, and {given} is not on its loopback; use --http {}",
                SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
            )));
        }
        Ok(Self(address))
    }
}

fn parse(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some((ip, DEFAULT_PORT).into());
    }
    let port = match text.strip_prefix("localhost")? {
        "" => DEFAULT_PORT,
        rest => rest.strip_prefix(':')?.parse().ok()?,
    };
    Some((Ipv4Addr::LOCALHOST, port).into())
}

/// The same address with a port that is probably free.
pub(crate) fn next_port(mut address: SocketAddr) -> SocketAddr {
    address.set_port(address.port().checked_add(1).unwrap_or(0));
    address
}

/// As a URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_loopback_address_is_understood() {
        let table = [
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("http://127.0.0.1:80/", Some("127.0.0.1:80")),
            ("127.0.0.2", Some("127.0.0.2:7374")),
            ("[::1]:80", Some("[::1]:80")),
            ("::1", Some("[::1]:7374")),
            ("localhost", Some("127.0.0.1:7374")),
            ("http://localhost:80", Some("127.0.0.1:80")),
            ("localhost.example.org:80", None),
            ("0.0.0.0:80", None),
            ("[::]:80", None),
            ("10.0.0.1:80", None),
            ("example.org:80", None),
            ("127.0.0.1:70000", None),
            ("", None),
        ];
        for (text, expected) in table {
            let parsed = text.parse::<Endpoint>().ok().map(|endpoint| endpoint.0.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_address_beyond_this_machine_is_answered_with_one_that_works() {
        let Err(Failure::Input(sentence)) = "0.0.0.0:8080".parse::<Endpoint>() else {
            panic!("it is refused as input");
        };
        assert!(sentence.ends_with("use --http 127.0.0.1:8080"), "{sentence}");
    }
}

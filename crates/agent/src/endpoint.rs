//! Where an agent answers HTTP, as the agent and those who ask it spell that.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ureq::http::Uri;

use crate::exit::Failure;

/// The variable that every command takes the address from when there is no `--http`.
pub(crate) const VARIABLE: &str = "MINGLE_HTTP";
/// The address when there is neither.
pub(crate) const DEFAULT: &str = "127.0.0.1:7374";
/// The port of an address without one.
const DEFAULT_PORT: u16 = 7374;
/// Before the path of a socket.
const SOCKET: &str = "unix:";

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Address(SocketAddr),
    /// A socket of the file system.
    Socket(PathBuf),
}

impl Place {
    /// The same for this machine only.
    pub(crate) fn on_loopback(&self) -> Self {
        match self {
            Self::Address(address) => Self::Address((Ipv4Addr::LOCALHOST, address.port()).into()),
            Self::Socket(_) => self.clone(),
        }
    }

    /// Whether only programs on this machine get there.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Address(address) => address.ip().to_canonical().is_loopback(),
            Self::Socket(_) => true,
        }
    }
}

/// Takes `IP:port`, `[v6]:port`, `localhost:port`, the same without the port or after `http://`, `:port`
/// for every address, and `unix:PATH`.
impl FromStr for Place {
    type Err = Failure;

    fn from_str(given: &str) -> Result<Self, Failure> {
        if let Some(path) = given.strip_prefix(SOCKET).filter(|path| !path.is_empty()) {
            #[cfg(unix)]
            if std::os::unix::net::SocketAddr::from_pathname(path).is_err() {
                let length = path.len();
                return Err(Failure::Input(format!(
                    "the path of a socket has {length} bytes, more than the system takes; choose a shorter \
                     one, as unix:/run/mingle/http.sock"
                )));
            }
            return Ok(Self::Socket(path.into()));
        }
        let text = given.strip_prefix("http://").unwrap_or(given);
        let address = address(text.strip_suffix('/').unwrap_or(text));
        address.map(Self::Address).ok_or_else(|| {
            Failure::Input(format!(
                "{given:?} is no HTTP address; write an IP and a port, as {DEFAULT}, or unix:PATH"
            ))
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "{SOCKET}{}", path.display()),
        }
    }
}

/// Whom a command asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Scheme, host and port.
    Url(String),
    /// A socket of the file system.
    Socket(PathBuf),
}

/// What a command may say in plain text, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// To this machine alone.
    Here,
    /// To anybody.
    Anywhere,
}

impl Target {
    /// Takes what [`Place`] takes, and `https://HOST:PORT`; `http://` only where plain text may go.
    pub(crate) fn parse(given: &str, plaintext: Plaintext) -> Result<Self, Failure> {
        if let Some(rest) = given.strip_prefix("https://") {
            return secure(given, rest.strip_suffix('/').unwrap_or(rest));
        }
        match given.parse()? {
            Place::Socket(path) => Ok(Self::Socket(path)),
            // Every address of a machine is no address to ask, but that of this one is among them.
            place @ Place::Address(address) if address.ip().is_unspecified() => {
                Ok(Self::Url(format!("http://{}", place.on_loopback())))
            }
            place @ Place::Address(address) => {
                if !place.is_local() && plaintext == Plaintext::Here {
                    return Err(Failure::Input(format!(
                        "{given} is on another machine, and plain HTTP can be read on the way; use \
                         https://{address}, or --http-insecure in a network that is trusted"
                    )));
                }
                Ok(Self::Url(format!("http://{address}")))
            }
        }
    }
}

fn secure(given: &str, authority: &str) -> Result<Target, Failure> {
    let refuse = || {
        Failure::Input(format!(
            "{given:?} is no address of an agent; write a host and a port, as https://10.0.0.7:7374"
        ))
    };
    let uri: Uri = format!("https://{authority}").parse().map_err(|_| refuse())?;
    let host = uri.host().filter(|_| uri.path() == "/" && uri.query().is_none());
    let host = host.filter(|host| !host.is_empty()).ok_or_else(refuse)?;
    let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
    Ok(Target::Url(format!("https://{host}:{port}")))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Socket(path) => write!(f, "{SOCKET}{}", path.display()),
        }
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Some((Ipv6Addr::UNSPECIFIED, port).into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_place_is_understood() {
        let table = [
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("http://127.0.0.1:80/", Some("127.0.0.1:80")),
            ("127.0.0.2", Some("127.0.0.2:7374")),
            ("[::1]:80", Some("[::1]:80")),
            ("::1", Some("[::1]:7374")),
            ("localhost", Some("127.0.0.1:7374")),
            ("http://localhost:80", Some("127.0.0.1:80")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            (":80", Some("[::]:80")),
            ("unix:/run/mingle.sock", Some("unix:/run/mingle.sock")),
            (":", None),
            (":http", None),
            ("localhost.example.org:80", None),
            ("example.org:80", None),
            ("https://127.0.0.1:80", None),
            ("127.0.0.1:70000", None),
            ("unix:", None),
            ("", None),
        ];
        for (text, expected) in table {
            let parsed = text.parse::<Place>().ok().map(|place| place.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn plain_text_stays_on_this_machine_unless_it_is_asked_for() {
        let table = [
            ("127.0.0.1:80", Some("http://127.0.0.1:80")),
            (":80", Some("http://127.0.0.1:80")),
            ("0.0.0.0:80", Some("http://127.0.0.1:80")),
            ("unix:a.sock", Some("unix:a.sock")),
            ("https://example.org", Some("https://example.org:7374")),
            ("https://10.0.0.7:1/", Some("https://10.0.0.7:1")),
            ("https://[::1]:1", Some("https://[::1]:1")),
            ("https://", None),
            ("https://example.org/path", None),
            ("10.0.0.7:7374", None),
        ];
        for (text, expected) in table {
            let parsed = Target::parse(text, Plaintext::Here).ok().map(|target| target.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        }
        let Err(Failure::Input(sentence)) = Target::parse("10.0.0.7:1", Plaintext::Here) else {
            panic!("it is refused as input");
        };
        assert!(sentence.contains("use https://10.0.0.7:1, or --http-insecure"), "{sentence}");
        assert!(Target::parse("10.0.0.7:1", Plaintext::Anywhere).is_ok());
    }
}

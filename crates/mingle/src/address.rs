use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;

use crate::transport::canonical;

/// Where members may be, as people write it: `ip`, `ip:port`, `[v6]:port`, `host`, `host:port`, or
/// `srv+name` for a service of DNS, each perhaps after `name/`.
///
/// Parsing looks nothing up.
///
/// ```
/// use mingle::JoinAddress;
///
/// assert!("10.0.0.1:7946".parse::<JoinAddress>().is_ok());
/// assert!("srv+_mingle._tcp.example.org".parse::<JoinAddress>().is_ok());
/// assert!("example.org:http".parse::<JoinAddress>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAddress {
    text: String,
    place: Place,
}

/// What is to be looked up. Without a port it is the one that the node chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Ip(IpAddr, Option<u16>),
    Host(String, Option<u16>),
    /// Each of its records has a host and a port.
    Service(String),
}

/// Why a text stands for no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It is no host and port.
    #[error(
        "{text:?} is no address of a member; write an IP, a host name, host:port, [v6]:port or \
         srv+name"
    )]
    Malformed {
        /// The text.
        text: String,
    },
    /// The resolver failed.
    #[error("{host:?} can't be resolved: {reason}")]
    Lookup {
        /// The host name, or the name of the service.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The resolver knows no address.
    #[error("{host:?} has no addresses")]
    Empty {
        /// The host name, or the name of the service.
        host: String,
    },
}

/// What the name of a service comes after.
const SERVICE: &str = "srv+";

impl FromStr for JoinAddress {
    type Err = ResolveError;

    fn from_str(text: &str) -> Result<Self, ResolveError> {
        let place = Place::parse(text);
        let text = text.to_owned();
        match place {
            Some(place) => Ok(Self { text, place }),
            None => Err(ResolveError::Malformed { text }),
        }
    }
}

impl fmt::Display for JoinAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl JoinAddress {
    /// All addresses that it stands for, each once: those of a service in the order of its priorities.
    /// Host names are looked up as the system does it, and services with the name servers that the
    /// system is set to.
    ///
    /// # Errors
    ///
    /// When nothing is found.
    pub async fn resolve(&self, default_port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        match &self.place {
            Place::Ip(ip, port) => Ok(vec![(*ip, port.unwrap_or(default_port)).into()]),
            Place::Host(host, port) => look_up(host, port.unwrap_or(default_port)).await,
            Place::Service(name) => {
                let system = TokioResolver::builder_tokio().and_then(|builder| builder.build());
                let resolver = system.map_err(|error| failed(name, &error))?;
                look_up_service(&resolver, name, default_port).await
            }
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.rsplit_once('/').map_or(text, |(_name, rest)| rest).trim();
        if let Some(name) = rest.strip_prefix(SERVICE) {
            return is_host(name).then(|| Self::Service(name.to_owned()));
        }
        if let Ok(address) = rest.parse::<SocketAddr>() {
            return Some(Self::Ip(address.ip().to_canonical(), chosen(address.port())));
        }
        let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Ip(ip.to_canonical(), None));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, chosen(port.parse().ok()?)),
            None => (rest, None),
        };
        is_host(host).then(|| Self::Host(host.to_owned(), port))
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains([':', '[', ']'])
}

/// Port 0 is none.
fn chosen(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| ResolveError::Lookup {
        host: host.to_owned(),
        reason: error.to_string(),
    })?;
    each_once(host, found)
}

/// Every address of every host of the service. Hosts that can't be resolved are left out as long as
/// one can.
async fn look_up_service(
    resolver: &TokioResolver,
    name: &str,
    default_port: u16,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = resolver.srv_lookup(name).await.map_err(|error| failed(name, &error))?;
    let mut services: Vec<&SRV> = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(service) => Some(service),
            _ => None,
        })
        .collect();
    services.sort_by_key(|service| service.priority);
    let mut addresses = Vec::new();
    let mut failure = None;
    for service in services {
        let port = chosen(service.port).unwrap_or(default_port);
        match resolver.lookup_ip(service.target.clone()).await {
            Ok(ips) => addresses.extend(ips.iter().map(|ip| SocketAddr::new(ip, port))),
            Err(error) => failure = Some(failed(&service.target.to_utf8(), &error)),
        }
    }
    match failure {
        Some(failure) if addresses.is_empty() => Err(failure),
        Some(_) | None => each_once(name, addresses),
    }
}

fn failed(host: &str, error: &NetError) -> ResolveError {
    let host = host.to_owned();
    if error.is_no_records_found() {
        ResolveError::Empty { host }
    } else {
        ResolveError::Lookup { host, reason: error.to_string() }
    }
}

fn each_once(
    host: &str,
    found: impl IntoIterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.into_iter().map(canonical) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ResolveError::Empty { host: host.to_owned() });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::{Name, Record, RecordType};
    use tokio::net::UdpSocket;

    use super::*;

    #[test]
    fn every_spelling_of_a_join_address_is_understood() {
        let ip = |ip: &str, port: u16| Some(Place::Ip(ip.parse().unwrap(), chosen(port)));
        let host = |host: &str, port: u16| Some(Place::Host(host.to_owned(), chosen(port)));
        let service = |name: &str| Some(Place::Service(name.to_owned()));
        let table = [
            ("10.0.0.1", ip("10.0.0.1", 0)),
            ("10.0.0.1:80", ip("10.0.0.1", 80)),
            ("10.0.0.1:0", ip("10.0.0.1", 0)),
            ("web-1/10.0.0.1:80", ip("10.0.0.1", 80)),
            ("[::1]:80", ip("::1", 80)),
            ("[::1]", ip("::1", 0)),
            ("::1", ip("::1", 0)),
            ("::ffff:10.0.0.1", ip("10.0.0.1", 0)),
            ("example.org", host("example.org", 0)),
            ("web-1/example.org:80", host("example.org", 80)),
            ("srv", host("srv", 0)),
            ("srv+_mingle._tcp.example.org", service("_mingle._tcp.example.org")),
            ("web-1/srv+example.org", service("example.org")),
            ("srv+example.org:80", None),
            ("srv+", None),
            ("srv+[::1]", None),
            ("example.org:http", None),
            ("example.org:70000", None),
            ("", None),
            (":80", None),
            ("[::1:80", None),
        ];
        for (text, expected) in table {
            let parsed = text.parse::<JoinAddress>().ok().map(|address| address.place);
            assert_eq!(parsed, expected, "{text:?}");
        }
    }

    #[tokio::test]
    async fn an_ip_without_a_port_has_the_default_one() {
        let resolved = async |text: &str| {
            let address: JoinAddress = text.parse().unwrap();
            address.resolve(7946).await.unwrap()
        };
        assert_eq!(resolved("10.0.0.1").await, ["10.0.0.1:7946".parse().unwrap()]);
        assert_eq!(resolved("[fd00::1]:80").await, ["[fd00::1]:80".parse().unwrap()]);
    }

    /// What the name server of the tests knows.
    fn zone(name: &Name, kind: RecordType) -> Result<Vec<RData>, ResponseCode> {
        let target = |text: &str| Name::from_ascii(text).unwrap();
        let srv = |priority, port, host| RData::SRV(SRV::new(priority, 0, port, target(host)));
        let ip = |text: &str| RData::from(text.parse::<IpAddr>().unwrap());
        match (name.to_ascii().as_str(), kind) {
            ("_mingle._tcp.example.test.", RecordType::SRV) => Ok(vec![
                srv(30, 7001, "b.example.test."),
                srv(10, 0, "a.example.test."),
                srv(20, 7002, "gone.example.test."),
                srv(40, 7001, "b.example.test."),
            ]),
            ("_gone._tcp.example.test.", RecordType::SRV) => {
                Ok(vec![srv(1, 1, "gone.example.test.")])
            }
            ("a.example.test.", RecordType::A) => Ok(vec![ip("10.0.0.1"), ip("10.0.0.2")]),
            ("a.example.test.", RecordType::AAAA) => Ok(vec![ip("fd00::1")]),
            ("b.example.test.", RecordType::A) => Ok(vec![ip("10.0.0.3")]),
            ("b.example.test.", RecordType::AAAA) => Ok(Vec::new()),
            _ => Err(ResponseCode::NXDomain),
        }
    }

    fn answer(question: &[u8]) -> Vec<u8> {
        let question = Message::from_vec(question).unwrap();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        let query = question.queries.first().unwrap().clone();
        match zone(query.name(), query.query_type()) {
            Ok(found) => {
                let name = query.name().clone();
                let record = |data| Record::from_rdata(name.clone(), 60, data);
                answer.add_answers(found.into_iter().map(record));
            }
            Err(code) => answer.metadata.response_code = code,
        }
        answer.add_query(query);
        answer.to_vec().unwrap()
    }

    /// A resolver that asks a name server of its own.
    async fn resolver() -> TokioResolver {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                socket.send_to(&answer(&buffer[..length]), from).await.unwrap();
            }
        });
        let mut server = NameServerConfig::udp(at.ip());
        let mut udp = ConnectionConfig::udp();
        udp.port = at.port();
        server.connections = vec![udp];
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let provider = TokioRuntimeProvider::default();
        TokioResolver::builder_with_config(config, provider).build().unwrap()
    }

    #[tokio::test]
    async fn a_service_is_every_address_of_every_host_in_the_order_of_priorities() {
        let resolver = resolver().await;
        let found = look_up_service(&resolver, "_mingle._tcp.example.test.", 7946).await.unwrap();
        let mut texts: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts.pop().as_deref(), Some("10.0.0.3:7001"));
        texts.sort();
        assert_eq!(texts, ["10.0.0.1:7946", "10.0.0.2:7946", "[fd00::1]:7946"]);
    }

    #[tokio::test]
    async fn a_service_that_leads_nowhere_is_an_error_that_names_what_is_missing() {
        let resolver = resolver().await;
        let empty = |host: &str| Err(ResolveError::Empty { host: host.to_owned() });
        let name = "_nothing._tcp.example.test.";
        assert_eq!(look_up_service(&resolver, name, 1).await, empty(name));
        let name = "_gone._tcp.example.test.";
        assert_eq!(look_up_service(&resolver, name, 1).await, empty("gone.example.test."));
    }
}

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::label;

/// Who is where, so that transcripts name hosts instead of addresses.
#[derive(Debug, Default)]
pub(super) struct Book {
    hosts: BTreeMap<u32, Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    address: SocketAddr,
    up: bool,
}

impl Book {
    pub(super) fn started(&mut self, host: u32, name: &str, address: SocketAddr) {
        self.hosts.insert(host, Entry { name: name.to_owned(), address, up: true });
    }

    pub(super) fn stopped(&mut self, host: u32) {
        if let Some(entry) = self.hosts.get_mut(&host) {
            entry.up = false;
        }
    }

    pub(super) fn name_of(&self, host: u32) -> Option<&str> {
        self.hosts.get(&host).map(|entry| entry.name.as_str())
    }

    pub(super) fn address_of(&self, host: u32) -> Option<SocketAddr> {
        self.hosts.get(&host).map(|entry| entry.address)
    }

    pub(super) fn host_at(&self, address: SocketAddr) -> Option<u32> {
        self.hosts.iter().find(|(_, entry)| entry.address == address).map(|(&host, _)| host)
    }

    /// Whether a process runs there.
    pub(super) fn is_up_at(&self, address: SocketAddr) -> bool {
        self.hosts.values().any(|entry| entry.address == address && entry.up)
    }

    /// The host that is there, or the address where none is.
    pub(super) fn place(&self, address: SocketAddr) -> String {
        self.host_at(address).map_or_else(|| address.to_string(), label)
    }
}

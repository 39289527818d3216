use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::label;

/// Who is where, so that transcripts name hosts instead of addresses.
#[derive(Debug, Default)]
pub(super) struct Book {
    hosts: BTreeMap<u32, Entry>,
    /// Who is at an address now, or was there last.
    at: BTreeMap<SocketAddr, BTreeSet<u32>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    address: SocketAddr,
    up: bool,
}

impl Book {
    pub(super) fn started(&mut self, host: u32, name: &str, address: SocketAddr) {
        let entry = Entry { name: name.to_owned(), address, up: true };
        if let Some(before) = self.hosts.insert(host, entry) {
            self.at.entry(before.address).or_default().remove(&host);
        }
        self.at.entry(address).or_default().insert(host);
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
        self.all_at(address).next()
    }

    /// Whether a process runs there.
    pub(super) fn is_up_at(&self, address: SocketAddr) -> bool {
        self.all_at(address).any(|host| self.hosts[&host].up)
    }

    fn all_at(&self, address: SocketAddr) -> impl Iterator<Item = u32> {
        self.at.get(&address).into_iter().flatten().copied()
    }

    /// The host that is there, or the address where none is.
    pub(super) fn place(&self, address: SocketAddr) -> String {
        self.host_at(address).map_or_else(|| address.to_string(), label)
    }
}

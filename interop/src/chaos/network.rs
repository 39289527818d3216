//! Hosts on a bridge, and cuts between them.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, TOOL_TIMEOUT, ip};
use crate::peers::run_to_end;

/// Hosts that reach each other over a bridge, which is in a namespace of its own. What is dropped is dropped there.
///
/// All networks have the same addresses: they do not know each other.
#[derive(Debug)]
pub(super) struct Network {
    prefix: String,
    hosts: u8,
    hub: Namespace,
}

/// A place for one node. It is there as long as somebody holds it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) namespace: Namespace,
    pub(super) ip: Ipv4Addr,
}

impl Network {
    /// A bridge without hosts. Its namespaces have names that begin with `prefix`.
    pub(super) fn create(prefix: &str) -> Result<Self> {
        let hub = Namespace::create(&format!("{prefix}-hub"))?;
        ip(&["-n", hub.name(), "link", "add", BRIDGE, "type", "bridge"])?;
        ip(&["-n", hub.name(), "link", "set", BRIDGE, "up"])?;
        Ok(Self { prefix: prefix.to_owned(), hosts: 0, hub })
    }

    /// One more host, with the next address.
    pub(super) fn add_host(&mut self) -> Result<Arc<Host>> {
        ensure!(self.hosts < 250, "a network has room for 250 hosts");
        self.hosts += 1;
        let number = self.hosts;
        let host = Host {
            namespace: Namespace::create(&format!("{}-{number}", self.prefix))?,
            ip: Ipv4Addr::new(10, 66, 0, number),
        };
        let (hub, place, port) = (self.hub.name(), host.namespace.name(), format!("p{number}"));
        let both_ends = ["netns", place, "type", "veth", "peer", "name", &port, "netns", hub];
        ip(&[&["link", "add", LINK][..], &both_ends].concat())?;
        ip(&["-n", hub, "link", "set", &port, "master", BRIDGE, "up"])?;
        ip(&["-n", place, "addr", "add", &format!("{}/24", host.ip), "dev", LINK])?;
        ip(&["-n", place, "link", "set", LINK, "up"])?;
        Ok(Arc::new(host))
    }

    /// From now on drops what the cuts say, and nothing else, all at once. The rules stay to be read in `cuts.nft` in this folder.
    pub(super) fn cut(&self, cuts: &[Cut], folder: &Path) -> Result<()> {
        let file = folder.join("cuts.nft");
        fs::write(&file, ruleset(cuts)).with_context(|| format!("writing {}", file.display()))?;
        self.nft(&["-f", &file.to_string_lossy()]).map(drop)
    }

    /// Everything passes again. Gives how many packets were dropped.
    pub(super) fn heal(&self) -> Result<u64> {
        let listing = self.nft(&["list", "table", "bridge", TABLE])?;
        self.nft(&["delete", "table", "bridge", TABLE])?;
        Ok(dropped(&listing))
    }

    fn nft(&self, arguments: &[&str]) -> Result<String> {
        let work = || run_to_end(Command::new("nft").args(arguments), TOOL_TIMEOUT);
        self.hub.run(work).with_context(|| format!("nft {}", arguments.join(" ")))
    }
}

const BRIDGE: &str = "bridge0";
const LINK: &str = "veth0";
const TABLE: &str = "chaos";

/// Packets that are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// Whose packets.
    pub(super) from: Vec<Ipv4Addr>,
    /// To whom.
    pub(super) to: Vec<Ipv4Addr>,
    /// Which of them.
    pub(super) traffic: Traffic,
}

/// Kinds of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// UDP; TCP passes.
    Udp,
    /// All of IP.
    All,
}

/// Takes the place of the rules that were there before. The empty table is first added, so that there is one to delete.
fn ruleset(cuts: &[Cut]) -> String {
    let mut rules = format!(
        "table bridge {TABLE}\ndelete table bridge {TABLE}\ntable bridge {TABLE} {{\n  chain forward {{\n    \
         type filter hook forward priority 0; policy accept;\n"
    );
    for Cut { from, to, traffic } in cuts {
        let kind = match traffic {
            Traffic::Udp => "meta l4proto udp ",
            Traffic::All => "",
        };
        let (from, to) = (set(from), set(to));
        let _ = writeln!(rules, "    ip saddr {from} ip daddr {to} {kind}counter drop");
    }
    rules + "  }\n}\n"
}

fn set(addresses: &[Ipv4Addr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(Ipv4Addr::to_string).collect();
    format!("{{ {} }}", addresses.join(", "))
}

/// Sums the counters of a table as `nft` lists it.
fn dropped(listing: &str) -> u64 {
    let counters = listing.split("counter packets ").skip(1);
    counters.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cut_is_a_rule() {
        let (a, b) = (Ipv4Addr::new(10, 66, 0, 1), Ipv4Addr::new(10, 66, 0, 2));
        let rules = ruleset(&[
            Cut { from: vec![a], to: vec![a, b], traffic: Traffic::Udp },
            Cut { from: vec![b], to: vec![a], traffic: Traffic::All },
        ]);
        assert_eq!(
            rules,
            "table bridge chaos\ndelete table bridge chaos\ntable bridge chaos {\n  chain forward {\n    \
             type filter hook forward priority 0; policy accept;\n    \
             ip saddr { 10.66.0.1 } ip daddr { 10.66.0.1, 10.66.0.2 } meta l4proto udp counter drop\n    \
             ip saddr { 10.66.0.2 } ip daddr { 10.66.0.1 } counter drop\n  }\n}\n"
        );
    }

    #[test]
    fn dropped_packets_are_summed_over_rules() {
        let listing = "ip saddr 10.66.0.1 counter packets 3 bytes 90 drop\nip saddr 10.66.0.2 counter packets 40 bytes 1 drop\n";
        assert_eq!(dropped(listing), 43);
        assert_eq!(dropped("table bridge chaos {}"), 0);
    }
}

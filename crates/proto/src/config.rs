use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use mingle_wire::{Address, Delegate, Incarnation, MAX_META, MAX_NAME, Mark, Versions};
use serde::{Deserialize, Serialize};

/// How a node behaves. Field names are memberlist's, in snake case; start from a preset.
///
/// Defaults are those of the spec's section 12.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// How often one member is probed. The whole probe, helpers included, takes this long at most,
    /// times (health score + 1).
    pub probe_interval: Duration,
    /// How long a direct ping waits for its ack before helpers are asked; where the rules measure
    /// round trips, the longest of these waits. Shorter than `probe_interval`, and longer than the
    /// 99th percentile of the network's round trip.
    pub probe_timeout: Duration,
    /// How many helpers are asked (SWIM's k).
    pub indirect_checks: u32,
    /// Whether an unanswered ping is tried on a stream too, while the helpers try theirs.
    pub stream_pings: bool,
    /// A claim is sent in `retransmit_mult * ceil(log10(n + 1))` packets.
    pub retransmit_mult: u32,
    /// A suspicion lasts at least `suspicion_mult * max(1, log10(n)) * probe_interval`.
    pub suspicion_mult: u32,
    /// A suspicion that nobody confirms lasts this many times its minimum.
    pub suspicion_max_timeout_mult: u32,
    /// The health score stays below this (Lifeguard's local health multiplier).
    pub awareness_max_multiplier: u32,
    /// How often claims are gossiped.
    pub gossip_interval: Duration,
    /// To how many members at a time.
    pub gossip_nodes: u32,
    /// For how long after their death members are gossiped to, so that a live one can refute.
    pub gossip_to_the_dead_time: Duration,
    /// How often a whole view is exchanged with one member, scaled up above 32 members. Zero
    /// switches it off.
    pub push_pull_interval: Duration,
    /// How long an exchange on a stream may take.
    pub tcp_timeout: Duration,
    /// How long [`crate::Command::Leave`] waits at most.
    pub leave_timeout: Duration,
    /// How long dead and left members stay in the table, where the failed are tried again.
    pub reap_time: Duration,
    /// Most dead and left members in the table; beyond that the one that went first is reaped.
    pub max_gone: u32,
    /// The longest pause between two attempts to reach somebody who is missing: a failed member, or a
    /// seed where no member is. The first attempts come sooner. (Serf: `ReconnectInterval`.)
    pub reconnect_interval: Duration,
    /// After how long a dead name may be claimed from another address. Zero means never, except
    /// where the rules say otherwise. (Go: `DeadNodeReclaimTime`.)
    pub dead_node_reclaim_time: Duration,
    /// Networks whose addresses may be members. Empty means all. (Go: `CIDRsAllowed`.)
    pub cidrs_allowed: Vec<Cidr>,
    /// Most members in the table, ourselves included; further ones are refused and counted.
    pub max_members: u32,
    /// Most tombstones kept; the oldest go first.
    pub max_tombstones: u32,
    /// How long a tombstone outlives the reaping.
    pub tombstone_time: Duration,
    /// Where behaviour differs between dialects of the protocol.
    pub rules: Rules,
}

/// Switches for behaviour that differs from Go memberlist. Each is listed in `docs/protocol.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// How a claim and a belief make the next belief.
    pub beliefs: Beliefs,
    /// How addresses of one name are compared.
    pub addresses: Addresses,
    /// What being late does to probes and suspicions.
    pub lateness: Lateness,
    /// Whether what was reaped is remembered.
    pub tombstones: Tombstones,
    /// When a helper says that the target did not answer it either.
    pub nacks: Nacks,
    /// How a refutation gets to those who hold us for dead.
    pub refutations: Refutations,
    /// Who looks for those that are missing.
    pub reconnects: Reconnects,
    /// Whether mingle nodes tell each other which view they have.
    pub agreement: Agreement,
    /// What becomes of a claim that a live member is at another address.
    pub names: Names,
    /// What a peer's view is worth that has a live member suspect or dead.
    pub hearsay: Hearsay,
    /// Whether a suspect is asked before it is declared dead.
    pub verdicts: Verdicts,
    /// When a goodbye is said.
    pub goodbyes: Goodbyes,
    /// How many members one node may accuse.
    pub accusations: Accusations,
    /// How gossip fits its packets to the path and to what there is to tell.
    pub gossip: Gossip,
    /// How long a direct ping waits before helpers are asked.
    pub timeouts: Timeouts,
    /// How many confirmations bring a suspicion down to its shortest.
    pub confirmations: Confirmations,
    /// Whether a ping tells a suspect that it is one.
    pub buddies: Buddies,
    /// What follows a join.
    pub joins: Joins,
}

/// How a claim and a belief make the next belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beliefs {
    /// As Go memberlist does: the outcome can depend on the order of arrival (spec 7.1 to 7.3).
    Memberlist,
    /// The maximum by (incarnation, rank), whatever the order.
    Law,
}

/// How addresses of one name are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Addresses {
    /// Byte by byte, as Go does.
    Spelling,
    /// By what they mean: IPv4 and IPv4-mapped IPv6 are one.
    Endpoint,
}

/// What a node that runs late does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lateness {
    /// Nothing: deadlines that passed while it slept are believed.
    Ignored,
    /// A gap longer than a probe interval voids the running probe, raises the health score, and
    /// gives running suspicions as much time again as was slept.
    DoubtsItself,
}

/// When a helper says that the target did not answer it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nacks {
    /// After `probe_timeout`, as Go does. Where that is half of the probe interval the nack comes a
    /// round trip after the asker has stopped waiting.
    AtTimeout,
    /// After 80 % of `probe_timeout`, so that it is in time (Lifeguard, section IV-A).
    InTime,
    /// Never, and helpers are not asked for it (SWIM).
    Never,
}

/// How many confirmations bring a suspicion down to its shortest (Lifeguard's K); none where there are
/// not that many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmations {
    /// `suspicion_mult - 2`, as Go does.
    FromMult,
    /// Three (Lifeguard, section IV-B).
    Three,
    /// They do not count, and are not passed on (SWIM): a suspicion lasts for its shortest.
    Ignored,
}

/// Whether a ping tells a suspect that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Buddies {
    /// Always (Lifeguard, section IV-C).
    Told,
    /// Only when gossip gets to it (SWIM).
    Untold,
}

/// What follows a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joins {
    /// Nothing: of those who join at the same time gossip tells, and the next periodic exchange.
    Once,
    /// A moment later whoever has joined asks its peer which view that has, then others, with pauses that
    /// double, and exchanges views with it where they differ; until one has the same, or an exchange has
    /// brought no more than gossip carries in a packet. Only mingle nodes tell.
    UntilAgreed,
}

/// How a refutation gets to those who hold us for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refutations {
    /// By gossip alone. Two sides that have held each other for dead for long do not gossip with
    /// each other, so both refute and neither hears it.
    Gossiped,
    /// By gossip, and by a view sent to the one who said so, at most one a second.
    Shown,
}

/// Who looks for members that failed, and for seeds where no member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconnects {
    /// Whoever uses the node: it never dials anybody that it does not hold for alive.
    LeftToUsers,
    /// The node, for as long as anybody is missing: one at random, on a stream, at most once per
    /// `reconnect_interval` but for the first attempts, and the more rarely the more others could.
    BuiltIn,
}

/// Whether mingle nodes tell each other which view they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Agreement {
    /// No: what gossip missed is found by the next periodic push/pull.
    Untold,
    /// In acks to each other. Two that disagree while nothing changes exchange their views at once;
    /// where all are known to agree, three of four periodic exchanges are left out.
    Told,
}

/// What becomes of a claim that a live member is at another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Names {
    /// It is refused, until the member is dead.
    FirstComes,
    /// At a higher incarnation: the member is pinged where it was, by helpers too. An answer means
    /// that two nodes have one name, and the claim is refused; silence for `probe_timeout` means that
    /// it is gone from there, and the claim is accepted.
    Challenged,
}

/// What a peer's view is worth that has a live member suspect or dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hearsay {
    /// It is an accusation of our own (spec section 10).
    Accused,
    /// The member is asked and told, so that it can refute; only if it is silent for `probe_timeout`
    /// it is accused.
    Asked,
}

/// Whether a suspect is asked before it is declared dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdicts {
    /// No: the suspicion runs out, and that is it.
    AtDeadline,
    /// It is pinged, and told that it is suspected, `probe_timeout` before its suspicion runs out. An
    /// answer gives it the shortest suspicion once more. So does, one time, that we are its only accuser while
    /// our health score is above 0 and others could have seconded us: the accusation is told again.
    Asked,
}

/// When a goodbye is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goodbyes {
    /// When it was sent as often as a claim is.
    Sent,
    /// When three live members have acknowledged it, or all that there are.
    Receipted,
}

/// How many members one node may accuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accusations {
    /// As many as it fails to hear.
    Unlimited,
    /// Eight, and one more every five probe intervals; an accusation that comes true does not count.
    /// So one sick node does not have thousands refute.
    Budgeted,
}

/// How gossip fits its packets to the path and to what there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gossip {
    /// Not at all: `gossip_nodes` packets, each as full as it can be.
    Steady,
    /// One packet in three is at most 508 bytes long, and so gets through where larger ones vanish.
    /// While more than two seconds' worth of claims wait, twice as many packets go out, and each claim
    /// goes into half as many.
    Adaptive,
}

/// How long a direct ping waits before helpers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timeouts {
    /// `probe_timeout`, whoever is asked.
    Configured,
    /// `probe_timeout`, times (health score + 1) (Lifeguard, section IV-A).
    Scaled,
    /// As long as this member's answers have taken, with room for their variance (RFC 6298), times
    /// (health score + 1): an eighth of `probe_timeout` at least, and `probe_timeout` at most. Helpers
    /// are so asked early about a near member. About one so far that even `probe_timeout` leaves them
    /// no time, they are asked as late as its own answer may take, or not at all.
    Measured,
}

/// Whether what was reaped is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tombstones {
    /// A reaped member is new when it is heard of again, however old the news.
    Forgotten,
    /// (name, incarnation) is kept, and news at or below it are known to be old.
    Kept,
}

impl Rules {
    /// As Go memberlist behaves.
    pub const MEMBERLIST: Self = Self {
        beliefs: Beliefs::Memberlist,
        addresses: Addresses::Spelling,
        lateness: Lateness::Ignored,
        tombstones: Tombstones::Forgotten,
        nacks: Nacks::AtTimeout,
        refutations: Refutations::Gossiped,
        reconnects: Reconnects::LeftToUsers,
        agreement: Agreement::Untold,
        names: Names::FirstComes,
        hearsay: Hearsay::Accused,
        verdicts: Verdicts::AtDeadline,
        goodbyes: Goodbyes::Sent,
        accusations: Accusations::Unlimited,
        gossip: Gossip::Steady,
        timeouts: Timeouts::Configured,
        confirmations: Confirmations::FromMult,
        buddies: Buddies::Told,
        joins: Joins::Once,
    };

    /// As Lifeguard's paper has it, and what the paper says nothing of as Go memberlist behaves.
    pub const LIFEGUARD: Self = Self {
        nacks: Nacks::InTime,
        timeouts: Timeouts::Scaled,
        confirmations: Confirmations::Three,
        ..Self::MEMBERLIST
    };

    /// As that paper has SWIM, its baseline: Lifeguard without its three parts.
    pub const SWIM: Self = Self {
        nacks: Nacks::Never,
        timeouts: Timeouts::Configured,
        confirmations: Confirmations::Ignored,
        buddies: Buddies::Untold,
        ..Self::MEMBERLIST
    };

    /// Ours.
    pub const MINGLE: Self = Self {
        beliefs: Beliefs::Law,
        addresses: Addresses::Endpoint,
        lateness: Lateness::DoubtsItself,
        tombstones: Tombstones::Kept,
        nacks: Nacks::InTime,
        refutations: Refutations::Shown,
        reconnects: Reconnects::BuiltIn,
        agreement: Agreement::Told,
        names: Names::Challenged,
        hearsay: Hearsay::Asked,
        verdicts: Verdicts::Asked,
        goodbyes: Goodbyes::Receipted,
        accusations: Accusations::Budgeted,
        gossip: Gossip::Adaptive,
        timeouts: Timeouts::Measured,
        confirmations: Confirmations::FromMult,
        buddies: Buddies::Told,
        joins: Joins::UntilAgreed,
    };
}

impl Config {
    /// For nodes in one data centre.
    #[must_use]
    pub fn lan() -> Self {
        Self {
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_checks: 3,
            stream_pings: true,
            retransmit_mult: 4,
            suspicion_mult: 4,
            suspicion_max_timeout_mult: 6,
            awareness_max_multiplier: 8,
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            gossip_to_the_dead_time: Duration::from_secs(30),
            push_pull_interval: Duration::from_secs(30),
            tcp_timeout: Duration::from_secs(10),
            leave_timeout: Duration::from_secs(5),
            reap_time: Duration::from_secs(24 * 60 * 60),
            max_gone: 10_000,
            reconnect_interval: Duration::from_secs(10),
            dead_node_reclaim_time: Duration::ZERO,
            cidrs_allowed: Vec::new(),
            max_members: 100_000,
            max_tombstones: 100_000,
            tombstone_time: Duration::from_secs(24 * 60 * 60),
            rules: Rules::MINGLE,
        }
    }

    /// For nodes far apart.
    #[must_use]
    pub fn wan() -> Self {
        Self {
            tcp_timeout: Duration::from_secs(30),
            suspicion_mult: 6,
            push_pull_interval: Duration::from_secs(60),
            probe_timeout: Duration::from_secs(3),
            probe_interval: Duration::from_secs(5),
            gossip_nodes: 4,
            gossip_interval: Duration::from_millis(500),
            gossip_to_the_dead_time: Duration::from_secs(60),
            reconnect_interval: Duration::from_secs(30),
            ..Self::lan()
        }
    }

    /// For nodes on one machine.
    #[must_use]
    pub fn local() -> Self {
        Self {
            tcp_timeout: Duration::from_secs(1),
            indirect_checks: 1,
            retransmit_mult: 2,
            suspicion_mult: 3,
            push_pull_interval: Duration::from_secs(15),
            probe_timeout: Duration::from_millis(200),
            gossip_interval: Duration::from_millis(100),
            gossip_to_the_dead_time: Duration::from_secs(15),
            reconnect_interval: Duration::from_secs(5),
            ..Self::lan()
        }
    }

    /// The same with Go memberlist's behaviour wherever ours differs: it forgets the dead when it
    /// stops gossiping to them.
    #[must_use]
    pub fn with_memberlist_rules(self) -> Self {
        Self { rules: Rules::MEMBERLIST, reap_time: self.gossip_to_the_dead_time, ..self }
    }

    /// The same as Lifeguard's paper has it: K is 3, the score goes up to 8 and scales the time-out of
    /// pings too, and a nack comes after 80 % of `probe_timeout`, as helpers know no score; alpha is `suspicion_mult`, 5 in most of its tables,
    /// and beta `suspicion_max_timeout_mult`, 6.
    #[must_use]
    pub fn with_lifeguard_rules(self) -> Self {
        Self {
            rules: Rules::LIFEGUARD,
            suspicion_mult: 5,
            awareness_max_multiplier: 9,
            ..self.with_memberlist_rules()
        }
    }

    /// The same as that paper has SWIM: Lifeguard without its three parts. Suspicions last for one time, and
    /// the score stays 0.
    #[must_use]
    pub fn with_swim_rules(self) -> Self {
        Self {
            rules: Rules::SWIM,
            suspicion_max_timeout_mult: 1,
            awareness_max_multiplier: 1,
            ..self.with_lifeguard_rules()
        }
    }

    /// Whether a node can run with this.
    ///
    /// # Errors
    ///
    /// The first field that is out of bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("gossip_interval", self.gossip_interval),
            ("tcp_timeout", self.tcp_timeout),
            ("leave_timeout", self.leave_timeout),
            ("reconnect_interval", self.reconnect_interval),
        ];
        for (field, value) in positive {
            within(field, value, Duration::from_millis(1), Duration::from_secs(24 * 60 * 60))?;
        }
        if self.probe_timeout > self.probe_interval {
            return Err(ConfigError::ProbeTimeout {
                timeout: self.probe_timeout,
                interval: self.probe_interval,
            });
        }
        let counts = [
            ("retransmit_mult", self.retransmit_mult, 1, 100),
            ("suspicion_mult", self.suspicion_mult, 1, 100),
            ("suspicion_max_timeout_mult", self.suspicion_max_timeout_mult, 1, 100),
            ("awareness_max_multiplier", self.awareness_max_multiplier, 1, 100),
            ("indirect_checks", self.indirect_checks, 0, 32),
            ("gossip_nodes", self.gossip_nodes, 0, 32),
            ("max_members", self.max_members, 2, 4_000_000),
            ("max_gone", self.max_gone, 1, 4_000_000),
        ];
        for (field, value, low, high) in counts {
            if !(low..=high).contains(&value) {
                return Err(ConfigError::Count { field, value, low, high });
            }
        }
        Ok(())
    }

    pub(crate) fn allows(&self, ip: IpAddr) -> bool {
        self.cidrs_allowed.is_empty() || self.cidrs_allowed.iter().any(|cidr| cidr.contains(ip))
    }
}

fn within(
    field: &'static str,
    value: Duration,
    low: Duration,
    high: Duration,
) -> Result<(), ConfigError> {
    if value < low || value > high {
        return Err(ConfigError::Duration { field, value, low, high });
    }
    Ok(())
}

/// Who the local node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// Its name: unique in the cluster, 1 to 255 bytes, no control characters.
    pub name: String,
    /// Where others reach it, spelled as it will be sent.
    pub address: Address,
    /// Its own bind port, which stands in for port 0 in what peers say (spec 2.7).
    pub bind_port: u16,
    /// Its meta bytes.
    pub meta: Vec<u8>,
    /// Its version bytes.
    pub versions: Versions,
    /// The incarnation to start with. Correctness does not depend on it; one above all earlier ones
    /// spares the refutations after a restart.
    pub incarnation: Incarnation,
}

impl Local {
    /// A node with Serf's delegate versions, no meta, and the first incarnation.
    #[must_use]
    pub fn new(name: impl Into<String>, address: Address) -> Self {
        Self {
            name: name.into(),
            address,
            bind_port: address.port,
            meta: Vec::new(),
            versions: Versions::ours(Delegate::SERF, Mark::Mingle),
            incarnation: Incarnation::FIRST,
        }
    }

    /// Whether a node can be this.
    ///
    /// # Errors
    ///
    /// The first field that is out of bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        if self.meta.len() > MAX_META {
            return Err(ConfigError::MetaTooLong { length: self.meta.len() });
        }
        if self.address.port == 0 || self.address.ip.canonical().is_unspecified() {
            return Err(ConfigError::Address { address: self.address });
        }
        if !self.versions.is_sane() {
            return Err(ConfigError::Versions { versions: self.versions });
        }
        Ok(())
    }
}

/// Whether a node may call itself that.
///
/// # Errors
///
/// When it is empty, longer than [`MAX_NAME`] bytes, or has control characters.
pub fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() {
        return Err(ConfigError::NameEmpty);
    }
    if name.len() > MAX_NAME {
        return Err(ConfigError::NameTooLong { length: name.len() });
    }
    match name.chars().find(|c| c.is_control()) {
        Some(character) => Err(ConfigError::NameControl { character }),
        None => Ok(()),
    }
}

/// Why a node can't run with a [`Config`] or as a [`Local`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A duration out of bounds.
    #[error("{field} is {value:?}; set it between {low:?} and {high:?}")]
    Duration {
        /// Which.
        field: &'static str,
        /// What it is.
        value: Duration,
        /// The least.
        low: Duration,
        /// The most.
        high: Duration,
    },
    /// A number out of bounds.
    #[error("{field} is {value}; set it between {low} and {high}")]
    Count {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u32,
        /// The least.
        low: u32,
        /// The most.
        high: u32,
    },
    /// Helpers would never be asked.
    #[error(
        "probe_timeout {timeout:?} is above probe_interval {interval:?}; set it below, so that helpers can be asked"
    )]
    ProbeTimeout {
        /// What it is.
        timeout: Duration,
        /// The bound.
        interval: Duration,
    },
    /// No name.
    #[error("the node name is empty; give it one that is unique in the cluster")]
    NameEmpty,
    /// A name above the bound.
    #[error("the node name has {length} bytes; use at most 255")]
    NameTooLong {
        /// Its length.
        length: usize,
    },
    /// A name that would garble terminals.
    #[error("the node name has the control character {character:?}; use printable characters")]
    NameControl {
        /// The first one.
        character: char,
    },
    /// Meta above the bound.
    #[error(
        "the meta has {length} bytes; at most 512 fit into an alive message, so shorten or drop tags"
    )]
    MetaTooLong {
        /// Its length.
        length: usize,
    },
    /// An address that nobody could reach.
    #[error("{address} can't be advertised; give a specific IP and a port above 0")]
    Address {
        /// What it is.
        address: Address,
    },
    /// Version bytes that peers would refuse.
    #[error("version bytes {versions:?} are out of order; the range needs 0 < min <= max")]
    Versions {
        /// What they are.
        versions: Versions,
    },
}

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    network: u128,
    bits: u8,
    v4: bool,
}

impl Cidr {
    /// The network of the first `bits` bits of `ip`; `None` when an address has not that many.
    #[must_use]
    pub fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        let ip = ip.to_canonical();
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let shift = u8::checked_sub(width, bits)?;
        Some(Self { network: Self::prefix(ip, shift), bits, v4: ip.is_ipv4() })
    }

    /// Whether the address is in it. IPv4-mapped addresses are IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let shift = if self.v4 { 32 - self.bits } else { 128 - self.bits };
        ip.is_ipv4() == self.v4 && Self::prefix(ip, shift) == self.network
    }

    fn prefix(ip: IpAddr, shift: u8) -> u128 {
        let number = match ip {
            IpAddr::V4(ip) => u128::from(Ipv4Addr::to_bits(ip)),
            IpAddr::V6(ip) => Ipv6Addr::to_bits(ip),
        };
        number.checked_shr(u32::from(shift)).unwrap_or(0)
    }
}

impl std::str::FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let error = || CidrError { text: text.to_owned() };
        let (ip, bits) = text.split_once('/').ok_or_else(error)?;
        let ip = ip.parse().map_err(|_| error())?;
        let bits = bits.parse().map_err(|_| error())?;
        Self::new(ip, bits).ok_or_else(error)
    }
}

/// Text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no network; write it as 10.0.0.0/8 or fd00::/8")]
pub struct CidrError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_pass_their_own_check() {
        for config in [Config::lan(), Config::wan(), Config::local()] {
            assert_eq!(config.check(), Ok(()));
        }
    }

    #[test]
    fn a_probe_timeout_above_the_interval_is_refused() {
        let config = Config { probe_timeout: Duration::from_secs(2), ..Config::lan() };
        assert!(matches!(config.check(), Err(ConfigError::ProbeTimeout { .. })));
    }

    #[test]
    fn names_are_printable_and_short() {
        assert_eq!(check_name("web-1"), Ok(()));
        assert_eq!(check_name(""), Err(ConfigError::NameEmpty));
        assert_eq!(check_name(&"x".repeat(256)), Err(ConfigError::NameTooLong { length: 256 }));
        assert_eq!(check_name("a\nb"), Err(ConfigError::NameControl { character: '\n' }));
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        let private: Cidr = "10.0.0.0/8".parse().unwrap();
        assert!(private.contains("10.200.3.4".parse().unwrap()));
        assert!(private.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!private.contains("11.0.0.1".parse().unwrap()));
        let all: Cidr = "::/0".parse().unwrap();
        assert!(all.contains("fe80::1".parse().unwrap()));
        assert!(!all.contains("1.2.3.4".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
    }
}

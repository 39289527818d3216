use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mingle_proto::{Config, ConfigError, Local, Node, Room, Rules, check_name};
use mingle_wire::{
    Address, Delegate, EnvelopeError, Incarnation, Keyring, Label, MAX_LABEL, MAX_META, Mark,
    TagsError, Versions, memberlist,
};

use crate::advertise::{self, Advertise};
use crate::bind::{BindAddress, DEFAULT_PORT};
use crate::clock::Clock;
use crate::driver::{self, Launch};
use crate::recorder::{self, Folder};
use crate::sealer::{Sealer, Verify, entropy};
use crate::state::{Opened, Plan};
use crate::transport::{NetTransport, Transport};
use crate::{Cluster, StartError};

/// Describes a node, and starts it.
///
/// Everything has a default: bound to every address on port 7946, a local data centre's timing, no
/// tags, no encryption.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    name: Option<String>,
    bind: String,
    advertise: Option<Advertise>,
    config: Config,
    delegate: Delegate,
    mark: Mark,
    tags: BTreeMap<String, String>,
    meta: Option<Vec<u8>>,
    label: String,
    keyring: Option<Keyring>,
    verify: Verify,
    compress: bool,
    packet_size: usize,
    seeds: Vec<String>,
    retry_interval: Duration,
    seed: Option<u64>,
    incarnation: Option<Incarnation>,
    record: Option<Record>,
    state: Option<PathBuf>,
}

/// Where to record, and how much.
#[derive(Clone, Debug)]
struct Record {
    folder: PathBuf,
    bytes: u64,
}

/// What memberlist sends at most in one packet.
const PACKET_SIZE: usize = 1400;
/// What a datagram over IPv4 can have at most.
const MAX_PACKET_SIZE: usize = 65_507;
/// How long to wait until seeds are looked up again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// The second of 2020-01-01 00:00 UTC, from which first incarnations count.
const YEAR_2020: u64 = 1_577_836_800;

impl Builder {
    pub(crate) fn new(name: Option<String>) -> Self {
        Self {
            name,
            bind: format!(":{DEFAULT_PORT}"),
            advertise: None,
            config: Config::lan(),
            delegate: Delegate::SERF,
            mark: Mark::Mingle,
            tags: BTreeMap::new(),
            meta: None,
            label: String::new(),
            keyring: None,
            verify: Verify::BOTH,
            compress: false,
            packet_size: PACKET_SIZE,
            seeds: Vec::new(),
            retry_interval: RETRY_INTERVAL,
            seed: None,
            incarnation: None,
            record: None,
            state: None,
        }
    }

    /// Where to listen, for packets and streams alike: `IP:port`, `[v6]:port`, an IP alone for port
    /// 7946, or `:port` for every address. Port 0 takes a free one.
    ///
    /// `[::]` and `:port` listen on IPv6 and IPv4, or on the one that the host has.
    #[expect(clippy::needless_pass_by_value, reason = "text and addresses are given as they are")]
    pub fn bind(mut self, address: impl ToString) -> Self {
        self.bind = address.to_string();
        self
    }

    /// The address for others to use: an IP, or an IP and a port. Without it, it is the bound IP, or
    /// for a node bound to every address the first private one with a default route.
    pub fn advertise(mut self, address: impl Into<Advertise>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Timing and rules, from a preset: [`Config::lan`], [`Config::wan`], [`Config::local`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The application's protocol versions: [`Delegate::SERF`] by default, so that Serf agents
    /// accept us; [`Delegate::NONE`] for bare memberlist applications.
    pub fn delegate(mut self, delegate: Delegate) -> Self {
        self.delegate = delegate;
        self
    }

    /// Whether the version bytes say that this is a mingle node. They do by default.
    pub fn mark(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    /// Adds a tag, in Serf's spelling. All tags together take at most 512 bytes.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Adds tags.
    pub fn tags<K, V>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.tags.extend(tags.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Opaque bytes for every member to see, at most 512, in place of tags.
    pub fn meta(mut self, meta: impl Into<Vec<u8>>) -> Self {
        self.meta = Some(meta.into());
        self
    }

    /// Separates clusters on one network: nodes with different labels do not hear each other.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Encrypts with these keys.
    pub fn keyring(mut self, keyring: Keyring) -> Self {
        self.keyring = Some(keyring);
        self
    }

    /// Whether to refuse what is not encrypted while there are keys. On by default; off while
    /// encryption is being rolled in.
    pub fn verify_incoming(mut self, verify: bool) -> Self {
        self.verify.incoming = verify;
        self
    }

    /// Whether to encrypt what is sent while there are keys. On by default; off while encryption is
    /// being rolled in.
    pub fn verify_outgoing(mut self, verify: bool) -> Self {
        self.verify.outgoing = verify;
        self
    }

    /// Whether to compress what is sent. Off by default; what comes is understood either way.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// The most bytes in one packet; 1400 by default, which fits most networks unfragmented.
    pub fn packet_size(mut self, bytes: usize) -> Self {
        self.packet_size = bytes;
        self
    }

    /// Seeds: where members should be, spelled as for [`Cluster::join`].
    ///
    /// They are tried as soon as the node runs, in the background, and for as long as it runs whenever
    /// no live member is there; names are looked up again at an interval
    /// ([`Builder::retry_interval`]). [`Cluster::joined`] waits for the first that answers.
    pub fn join<I>(mut self, addresses: I) -> Self
    where
        I: IntoIterator,
        I::Item: ToString,
    {
        self.seeds.extend(addresses.into_iter().map(|address| address.to_string()));
        self
    }

    /// How long to wait until the names of [`Builder::join`] are looked up again; 30 s by default. Names that
    /// can't be looked up are tried after 1 s, 2 s, 4 s and so on up to this. Where the rules leave
    /// reconnects to users, until the next attempt to join.
    pub fn retry_interval(mut self, interval: Duration) -> Self {
        self.retry_interval = interval;
        self
    }

    /// The seed of the node's random choices. For tests; drawn from the system by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The incarnation to start with, for those who have kept the last one over a restart. By
    /// default it comes from the wall clock, so that it is above all earlier ones; correctness does
    /// not depend on that. It goes before what [`Builder::state`] has kept, even where it is lower.
    pub fn incarnation(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// Records all that the node takes in, into files in `folder` whose names begin with the node's.
    /// `mingle-sim replay` shows from them what the node decided and why.
    ///
    /// The folder is made if it is missing, and belongs to one node. All files together keep to
    /// `bytes`, at least 1 MiB: the oldest goes, and each replays without those before it. Recordings
    /// hold what peers and this program said, in plain text, and no keys. The node never waits for
    /// the disk; what is not recorded because of it is counted.
    pub fn record(mut self, folder: impl Into<PathBuf>, bytes: u64) -> Self {
        self.record = Some(Record { folder: folder.into(), bytes });
        self
    }

    /// Keeps who this node is over restarts, in a file in `folder`: its incarnation, and the members
    /// that it knows.
    ///
    /// It begins above the last incarnation that it had, whatever the clock says; a node with a
    /// generated name keeps that; and without any [`Builder::join`] it calls those that it knew, in
    /// the background, until it has found them. It remembers at most 10,000 members, first those that
    /// live, and none that has said goodbye before this node did.
    ///
    /// The folder is made if it is missing, and belongs to one node, which locks it while it runs.
    /// The file is written before the node starts, at once when its incarnation rises, and at most
    /// every 10 s for the sake of members; it is replaced as a whole, so that a crash at any moment
    /// leaves the old one or the new one. The node never waits for the disk once it runs. A file that
    /// is damaged all the same is set aside, beside the new one, with a warning. What can't be written
    /// is tried again: see [`Cluster::state_file`].
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// Starts the node on UDP and TCP. Returns when it is bound; joins go on in the background.
    ///
    /// # Errors
    ///
    /// When something is out of bounds, found before anything is bound, or can't be bound.
    pub async fn start(self) -> Result<Cluster, StartError> {
        let bind = self.bind_address()?;
        let sealer = self.check()?;
        let transport = NetTransport::bind(bind).await?;
        let join_port = if bind.port == 0 { DEFAULT_PORT } else { bind.port };
        self.launch(transport, sealer, join_port)
    }

    /// Starts the node on another transport, in place of UDP and TCP. `bind` has no meaning then.
    ///
    /// # Errors
    ///
    /// When something is out of bounds.
    pub fn start_on<T: Transport>(self, transport: T) -> Result<Cluster, StartError> {
        let sealer = self.check()?;
        let join_port = transport.local_addr().port();
        self.launch(transport, sealer, join_port)
    }

    /// Finds what is wrong without starting anything. Whether the addresses and folders can be used shows only at the start.
    ///
    /// # Errors
    ///
    /// The first that is out of bounds, as [`Builder::start`] would say it.
    pub fn validate(&self) -> Result<(), StartError> {
        let _: BindAddress = self.bind_address()?;
        self.check().map(drop)
    }

    fn bind_address(&self) -> Result<BindAddress, StartError> {
        self.bind.parse().map_err(|_| StartError::BindAddress { text: self.bind.clone() })
    }

    /// Everything that can be found wrong without the network.
    fn check(&self) -> Result<Sealer, StartError> {
        self.config.check()?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        self.meta_bytes()?;
        if let Some(Record { bytes, .. }) = self.record
            && bytes < recorder::LEAST_BYTES
        {
            return Err(StartError::RecordSize { bytes, low: recorder::LEAST_BYTES });
        }
        let label =
            Label::new(self.label.as_str()).map_err(|EnvelopeError::LabelTooLong { length }| {
                StartError::LabelTooLong { length, limit: MAX_LABEL }
            })?;
        let sealer = Sealer::new(label, self.keyring.clone(), self.verify, self.compress);
        let low = Room::LEAST + sealer.largest_overhead();
        if self.packet_size < low || self.packet_size > MAX_PACKET_SIZE {
            return Err(StartError::PacketSize {
                size: self.packet_size,
                low,
                high: MAX_PACKET_SIZE,
            });
        }
        Ok(sealer)
    }

    fn launch<T: Transport>(
        self,
        transport: T,
        sealer: Sealer,
        join_port: u16,
    ) -> Result<Cluster, StartError> {
        let local_addr = transport.local_addr();
        let seed = match self.seed {
            Some(seed) => seed,
            None => u64::from_le_bytes(entropy()?),
        };
        let state = self.open_state()?;
        let local = self.local(local_addr, state.as_ref())?;
        let (name, incarnation) = (local.name.clone(), local.incarnation);
        let record = self.record.as_ref().map(|record| record.open(&local.name)).transpose()?;
        let clock = Clock::start();
        let node = Node::new(self.config.clone(), local, seed, clock.now())?;
        let state = state.map(|state| state.begin(&name, &self.label, incarnation)).transpose()?;
        Ok(driver::launch(
            transport,
            Launch {
                node,
                clock,
                sealer,
                join_port,
                packet_size: self.packet_size,
                seeds: self.seeds,
                retry_interval: self.retry_interval,
                record,
                remembered: state.as_ref().map(Plan::remembered).unwrap_or_default(),
                state,
            },
        ))
    }

    fn open_state(&self) -> Result<Option<Opened>, StartError> {
        let open = |folder: &PathBuf| Opened::open(folder, self.name.as_deref(), &self.label);
        self.state.as_ref().map(open).transpose()
    }

    fn local(&self, bound: SocketAddr, state: Option<&Opened>) -> Result<Local, StartError> {
        let name = match self.name.as_deref().or(state.and_then(Opened::name)) {
            Some(name) => name.to_owned(),
            None => generated_name(u32::from_le_bytes(entropy()?)),
        };
        let last = state.and_then(Opened::incarnation);
        let first = || first_incarnation(self.config.rules, last);
        let address = advertise::choose(self.advertise, bound)?;
        Ok(Local {
            bind_port: bound.port(),
            meta: self.meta_bytes()?,
            versions: Versions::ours(self.delegate, self.mark),
            incarnation: self.incarnation.unwrap_or_else(first),
            ..Local::new(name, Address::from(address))
        })
    }

    /// The opaque meta, or the tags as Serf spells them. Bare memberlist nodes without tags have
    /// none.
    fn meta_bytes(&self) -> Result<Vec<u8>, StartError> {
        match &self.meta {
            Some(_) if !self.tags.is_empty() => Err(StartError::TagsAndMeta),
            Some(meta) if meta.len() > MAX_META => {
                Err(ConfigError::MetaTooLong { length: meta.len() }.into())
            }
            Some(meta) => Ok(meta.clone()),
            None if self.tags.is_empty() && self.delegate == Delegate::NONE => Ok(Vec::new()),
            None => memberlist::tags::encode(&self.tags).map_err(
                |TagsError::TooLong { length, limit }| StartError::TagsTooLong { length, limit },
            ),
        }
    }
}

impl Record {
    fn open(&self, name: &str) -> Result<recorder::Plan, StartError> {
        let Self { folder: path, bytes } = self;
        let folder = Folder::open(path, name, *bytes)
            .map_err(|error| StartError::Record { folder: path.clone(), kind: error.kind() })?;
        Ok(recorder::Plan { folder, bytes: *bytes })
    }
}

/// A restart begins above what the node had before: what it has kept of that, and under our rules also
/// what the wall clock says, as far as that is right.
fn first_incarnation(rules: Rules, last: Option<Incarnation>) -> Incarnation {
    let next = last.map_or(Incarnation::FIRST, Incarnation::next);
    if rules == Rules::MINGLE { next.max(seconds_since_2020()) } else { next }
}

fn seconds_since_2020() -> Incarnation {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs().saturating_sub(YEAR_2020).clamp(1, 1 << 31);
    u32::try_from(seconds).ok().and_then(Incarnation::new).unwrap_or(Incarnation::FIRST)
}

fn generated_name(suffix: u32) -> String {
    let host = host_name();
    let host: String = host.chars().filter(|c| !c.is_control()).take(64).collect();
    let host = if host.is_empty() { "node" } else { &host };
    format!("{host}-{suffix:08x}")
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_names() {
        assert_eq!(check_name(&generated_name(7)), Ok(()));
        assert_ne!(generated_name(7), generated_name(8));
    }

    #[test]
    fn first_incarnations_count_seconds_under_our_rules_only() {
        assert_eq!(first_incarnation(Rules::MEMBERLIST, None), Incarnation::FIRST);
        assert!(first_incarnation(Rules::MINGLE, None).get() > 100_000_000);
    }

    #[test]
    fn first_incarnations_are_above_the_last_one() {
        let first = |rules, last| first_incarnation(rules, Incarnation::new(last)).get();
        let high = (1 << 31) + 5;
        for rules in [Rules::MINGLE, Rules::MEMBERLIST] {
            assert_eq!(first(rules, high), high + 1);
            assert_eq!(first(rules, Incarnation::LAST.get()), Incarnation::LAST.get());
        }
        assert_eq!(first(Rules::MEMBERLIST, 7), 8);
        assert!(first(Rules::MINGLE, 7) > 100_000_000);
    }

    #[test]
    fn nodes_without_tags_spell_that_as_their_dialect_does() {
        let serf = Builder::new(None);
        assert_eq!(serf.meta_bytes().unwrap(), [0xff, 0x80]);
        let bare = Builder::new(None).delegate(Delegate::NONE);
        assert_eq!(bare.meta_bytes().unwrap(), []);
    }
}

//! Cluster membership, failure detection and messaging by gossip, compatible with memberlist and
//! Serf.
//!
//! A program that adds this crate knows which other programs are in its group, which of them are
//! alive, and can talk to them. A [`Cluster`] is the handle of one running node: start it with a
//! [`Builder`], name some members that are there already, and [`Cluster::watch`] what happens.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mingle::{Cluster, Update};
//!
//! let first = Cluster::builder("web-1").bind("127.0.0.1:0").tag("role", "web").start().await?;
//! let second = Cluster::builder("db-1").bind("127.0.0.1:0").tag("role", "db").start().await?;
//!
//! let mut watch = first.watch();
//! if let Some(Update::Snapshot(snapshot)) = watch.next().await {
//!     println!("{} member", snapshot.members.len());
//! }
//!
//! let report = second.join([first.local_addr()]).await;
//! assert!(report.succeeded(), "{report}");
//!
//! match watch.next().await.expect("the node runs") {
//!     Update::Diff(diff) => println!("{} {}", diff.member.name, diff.change.as_str()),
//!     Update::Snapshot(snapshot) => println!("{} members", snapshot.members.len()),
//!     Update::Gap { missed } => println!("{missed} changes went by; a snapshot follows"),
//! }
//! assert_eq!(first.member("db-1").expect("it has joined").tags["role"], "db");
//!
//! second.leave().await?;
//! second.stop().await;
//! first.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! * One task owns the node. Everything a handle does is a message to that task or a look at what it
//!   has published; no call waits for the network unless it is `async` and says so.
//! * Subscribers ([`Watch`], [`Messages`], ...) have bounded queues. A slow one never holds up the
//!   node: it is told that it missed something, and a watch then gets a fresh snapshot.
//! * [`Cluster::stop`], or dropping the last handle, ends every task and closes every socket.
//! * What the network can grow is bounded, and what a bound refuses is counted in
//!   [`Cluster::stats`].
//! * Futures of this crate must run inside a tokio runtime with time and I/O enabled.

mod address;
mod advertise;
mod bind;
mod builder;
mod clock;
mod cluster;
mod conflicts;
mod decision;
mod driver;
mod error;
mod events;
mod exchange;
mod files;
mod flag;
mod flight;
mod histogram;
mod inbox;
mod join;
mod lanes;
mod member;
mod nonces;
mod outlet;
mod queue;
mod recorder;
mod refusals;
mod sealer;
mod seeds;
mod state;
mod stats;
pub mod transport;
mod view;
mod why;

pub use address::{JoinAddress, ResolveError};
pub use advertise::{Advertise, AdvertiseParseError};
pub use bind::{BindAddress, BindParseError, DEFAULT_PORT};
pub use builder::Builder;
pub use cluster::{Cluster, LeaveReceipt, Message, Notice, PeerState, Recipient};
pub use decision::{Decided, Decision, DecisionKind, MemberChange};
pub use error::{LeaveError, MetaError, SendError, StartError};
pub use flight::Dropped;
pub use histogram::{Bucket, Histogram};
pub use join::{JoinAttempt, JoinError, JoinReport, JoinTarget};
pub use member::{DegradedLink, Member};
pub use mingle_proto::{
    Cause, Change, Cidr, CidrError, Config, ConfigError, Done, Evidence, ExchangeEnd, LinkKind,
    Missing, ProbeReport, RequestError, Rules, Sought, StreamPing, Via,
};
pub use mingle_wire::{
    Capabilities, Delegate, Incarnation, Key, KeyError, Keyring, Label, MAX_META, Mark, State,
    StreamError, Versions,
};
pub use queue::{Item, Subscription};
pub use state::StateFile;
pub use stats::{Kind, Stat, Stats};
pub use view::{Diff, Snapshot, Update, Watch};
pub use why::Why;

/// User messages as they come in.
pub type Messages = Subscription<Message>;
/// The application state of peers as it comes in with push/pulls.
pub type PeerStates = Subscription<PeerState>;
/// What the node decides, as it does.
pub type Decisions = Subscription<Decision>;
/// What happens besides changes of membership.
pub type Notices = Subscription<Notice>;

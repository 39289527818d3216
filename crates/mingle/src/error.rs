use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mingle_proto::{ConfigError, RequestError};

/// Why a node did not start. Nothing is bound and nothing runs when one of these comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration, the name or the meta is out of bounds.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The label does not fit its length byte.
    #[error("the label has {length} bytes; use at most {limit}")]
    LabelTooLong {
        /// Bytes given.
        length: usize,
        /// Bytes possible.
        limit: usize,
    },
    /// The tags do not fit into an alive message.
    #[error(
        "the tags take {length} bytes when encoded; at most {limit} fit, so shorten or drop some"
    )]
    TagsTooLong {
        /// Bytes they take.
        length: usize,
        /// Bytes possible.
        limit: usize,
    },
    /// Both tags and opaque meta were given, and a node has room for one of them.
    #[error(
        "both tags and opaque meta were given; tags are spelled in the meta, so give one of them"
    )]
    TagsAndMeta,
    /// The bind address is no address.
    #[error("{text:?} is no bind address; write an IP and a port, as 0.0.0.0:7946 or [::]:7946")]
    BindAddress {
        /// What was given.
        text: String,
    },
    /// Somebody else has the port.
    #[error(
        "{address} is taken: is another agent running? choose another port, or 0 for any free one"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not let us bind there.
    #[error(
        "can't bind {address}: {kind}; bind an address of this machine and a port that you may use"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// Bound to every address, and none of them is known to be the one for others to use.
    #[error(
        "no private address with a default route was found to advertise; give one with --advertise or Builder::advertise"
    )]
    NoAdvertiseAddress,
    /// The packet size leaves no room for a message, or is more than a datagram can have.
    #[error("a packet size of {size} bytes does not work here; set it between {low} and {high}")]
    PacketSize {
        /// What was given.
        size: usize,
        /// The least, with this label and encryption.
        low: usize,
        /// The most.
        high: usize,
    },
    /// Recordings can't be written there.
    #[error("can't record into {folder:?}: {kind}; give a folder in which this program may write")]
    Record {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The bound on recordings is too small to be of use.
    #[error("{bytes} bytes are too few for recordings; allow them at least {low}")]
    RecordSize {
        /// What was given.
        bytes: u64,
        /// The least.
        low: u64,
    },
    /// State can't be kept there.
    #[error(
        "can't keep state in {folder:?}: {kind}; give a folder in which this program may write, on a \
         disk that has room"
    )]
    State {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// Somebody else keeps state there.
    #[error(
        "the state folder {folder:?} is in use by another node; stop that one, or give this one a \
         folder of its own"
    )]
    StateInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A later program wrote the state. It is left as it is.
    #[error(
        "the state file {file:?} has version {version}, and this program reads up to {known}; start \
         the newer program, or move the file away to begin without it"
    )]
    StateVersion {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u8,
        /// The highest that is read.
        known: u8,
    },
    /// Another node keeps its state there. It is left as it is.
    #[error(
        "the state file {file:?} is of a node named {held:?}, and this one is {given:?}; start it \
         under that name, give it a folder of its own, or move the file away"
    )]
    StateOfOtherName {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        held: String,
        /// Our name.
        given: String,
    },
    /// The node was in another cluster. Its state is left as it is.
    #[error(
        "the state file {file:?} is of the cluster labelled {held:?}, and this node's label is \
         {given:?}; start it with that label, give it another folder, or move the file away"
    )]
    StateOfOtherLabel {
        /// The file.
        file: PathBuf,
        /// The label at that time.
        held: String,
        /// The label now.
        given: String,
    },
    /// The state is damaged, and so were as many before it as are kept.
    #[error(
        "the state file {file:?} is damaged, and {aside} damaged ones lie beside it already; check \
         the disk, and move them away"
    )]
    StateDamaged {
        /// The file.
        file: PathBuf,
        /// How many lie beside it.
        aside: u32,
    },
    /// The operating system gives no entropy.
    #[error("the operating system gives no random numbers, which seeds and encryption need")]
    Entropy,
}

impl StartError {
    /// Whether the same start may succeed later, with no setting changed: an address is in use or not
    /// there yet, a disk is full. A supervisor may try these again; all others wait for an operator.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::AddressInUse { .. }
            | Self::NoAdvertiseAddress
            | Self::StateInUse { .. }
            | Self::Entropy => true,
            Self::Bind { kind, .. } => !matches!(kind, io::ErrorKind::PermissionDenied),
            Self::Record { kind, .. } | Self::State { kind, .. } => {
                matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

/// Why a user message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The node could not do it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node does not run any more.
    #[error("the node has stopped")]
    Stopped,
}

/// Why new tags or meta did not become ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// They do not fit into an alive message.
    #[error(
        "the new tags or meta take {length} bytes; at most {limit} fit, so shorten or drop some"
    )]
    TooLong {
        /// Bytes they take.
        length: usize,
        /// Bytes possible.
        limit: usize,
    },
    /// The node could not do it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node does not run any more.
    #[error("the node has stopped")]
    Stopped,
}

/// Why a goodbye has no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The node could not do it; after [`RequestError::LeaveUnconfirmed`] and [`RequestError::NameHeld`] others may see
    /// this node as failed instead of left.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node does not run any more.
    #[error("the node has stopped")]
    Stopped,
}

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
    /// The operating system gives no entropy.
    #[error("the operating system gives no random numbers, which seeds and encryption need")]
    Entropy,
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
    /// The node could not do it; after [`RequestError::LeaveUnconfirmed`] others may see this node as
    /// failed instead of left.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node does not run any more.
    #[error("the node has stopped")]
    Stopped,
}

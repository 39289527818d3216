use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mingle_wire::{OpenError, StreamError};
use tracing::{debug, warn};

use crate::queue::lock;

/// Tells the operator why packets and streams are refused: one line for each remedy and source, at
/// most every ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    told: Mutex<BTreeMap<(&'static str, IpAddr), Instant>>,
}

const PAUSE: Duration = Duration::from_secs(10);
/// Sources can be forged: so many lines in ten seconds, and no more.
const MAX_TOLD: usize = 256;
/// The least that an encrypted message has (spec 4.1).
const LEAST_ENCRYPTED: usize = 29;

impl Refusals {
    pub(crate) fn tell_packet(&self, from: SocketAddr, reason: OpenError) {
        debug!(%from, reason = reason.as_str(), "packet refused");
        if let Some(remedy) = remedy(reason)
            && self.is_due(remedy, from.ip())
        {
            warn!(%from, reason = reason.as_str(), "packets are refused: {remedy}");
        }
    }

    pub(crate) fn tell_stream(&self, from: SocketAddr, error: StreamError) {
        debug!(%from, reason = error.as_str(), "stream refused");
        let remedy = match error {
            StreamError::Envelope(reason) => remedy(reason),
            StreamError::RemotePlaintext => remedy(OpenError::NotEncrypted),
            StreamError::RemoteEncrypted => Some(ENCRYPTED),
            StreamError::Truncated
            | StreamError::FrameTooLong
            | StreamError::MessageTooLong
            | StreamError::Message(_) => None,
        };
        if let Some(remedy) = remedy
            && self.is_due(remedy, from.ip())
        {
            warn!(%from, reason = error.as_str(), "streams are refused: {remedy}");
        }
    }

    /// We have no key, and what came makes no sense: perhaps it is encrypted.
    pub(crate) fn tell_garbled(&self, from: SocketAddr, datagram: &[u8]) {
        let versioned = matches!(datagram.first(), Some(0 | 1));
        if versioned && datagram.len() >= LEAST_ENCRYPTED && self.is_due(ENCRYPTED, from.ip()) {
            warn!(%from, reason = "encrypted", "packets make no sense here: {ENCRYPTED}");
        }
    }

    fn is_due(&self, remedy: &'static str, from: IpAddr) -> bool {
        let now = Instant::now();
        let mut told = lock(&self.told);
        let recent = |at: &Instant| now.duration_since(*at) < PAUSE;
        if told.get(&(remedy, from)).is_some_and(recent) {
            return false;
        }
        if told.len() >= MAX_TOLD {
            told.retain(|_, at| recent(at));
        }
        if told.len() >= MAX_TOLD {
            return false;
        }
        told.insert((remedy, from), now);
        true
    }
}

const ENCRYPTED: &str = "the peer seems to encrypt and this node has no key; \
                         give it the cluster's key, or keep the peer out of this cluster";

/// What to change; `None` where only the peer's authors could change anything.
fn remedy(reason: OpenError) -> Option<&'static str> {
    match reason {
        OpenError::LabelMismatch => {
            Some("the peer has another label; give the same one to all nodes of a cluster")
        }
        OpenError::LabelUnexpected => {
            Some("the peer's label should have been stripped on the way; check the proxy")
        }
        OpenError::NotEncrypted => Some(
            "the peer does not encrypt and this node requires it; give the peer the cluster's key, \
             or, in a program, switch Builder::verify_incoming off while encryption is rolled in",
        ),
        OpenError::Decrypt => Some(
            "no key here opens them; compare the keys and labels of both nodes, and install the \
             missing key",
        ),
        OpenError::Empty
        | OpenError::LabelMalformed
        | OpenError::VersionUnsupported
        | OpenError::TooShort
        | OpenError::Padding
        | OpenError::Checksum
        | OpenError::Compression
        | OpenError::Decompress
        | OpenError::DecompressedTooLong
        | OpenError::TooDeep
        | OpenError::Truncated => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_remedy_and_source() {
        let refusals = Refusals::default();
        let [a, b]: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        assert!(refusals.is_due("decrypt", a));
        assert!(!refusals.is_due("decrypt", a));
        assert!(refusals.is_due("decrypt", b));
        assert!(refusals.is_due("label_mismatch", a));
    }

    #[test]
    fn one_line_for_each_cause_whether_in_packets_or_on_streams() {
        let refusals = Refusals::default();
        let from: SocketAddr = "10.0.0.1:7946".parse().unwrap();
        let causes = [
            (OpenError::NotEncrypted, StreamError::RemotePlaintext),
            (OpenError::Decrypt, StreamError::Envelope(OpenError::Decrypt)),
        ];
        for (lines, (in_packet, on_stream)) in (1..).zip(causes) {
            refusals.tell_packet(from, in_packet);
            refusals.tell_stream(from, on_stream);
            assert_eq!(lock(&refusals.told).len(), lines);
        }
        refusals.tell_garbled(from, &[1; LEAST_ENCRYPTED]);
        refusals.tell_stream(from, StreamError::RemoteEncrypted);
        assert_eq!(lock(&refusals.told).len(), 3);
    }

    #[test]
    fn forged_sources_do_not_fill_the_log() {
        let refusals = Refusals::default();
        let due = |n: u32| refusals.is_due("decrypt", IpAddr::V4(n.into()));
        assert_eq!((0..10_000).filter(|&n| due(n)).count(), MAX_TOLD);
    }
}

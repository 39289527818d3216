/// What a mingle node says of its view to another one, behind the application's payload of an ack.
///
/// Only to nodes whose version bytes say mingle: others would hand the bytes to their application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewNote {
    /// The fingerprint of its view.
    pub fingerprint: u64,
    /// Whether that has not changed for so long that gossip is through.
    pub settled: bool,
}

/// What a note ends with; its last byte is the version of its spelling.
const MARK: [u8; 4] = *b"mgv\x01";

impl ViewNote {
    /// Bytes that it takes in an ack's payload.
    pub const LENGTH: usize = 8 + 1 + MARK.len();

    /// Adds it to the payload of an ack.
    pub fn append(self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(&self.fingerprint.to_be_bytes());
        payload.push(u8::from(self.settled));
        payload.extend_from_slice(&MARK);
    }

    /// Parts the payload of a mingle node's ack into what is its application's, and the note.
    #[must_use]
    pub fn split(payload: &[u8]) -> (&[u8], Option<Self>) {
        let parts = payload.strip_suffix(&MARK).and_then(|rest| rest.split_last());
        let Some((&settled, rest)) = parts else { return (payload, None) };
        match rest.split_last_chunk() {
            Some((rest, fingerprint)) => {
                let fingerprint = u64::from_be_bytes(*fingerprint);
                (rest, Some(Self { fingerprint, settled: settled != 0 }))
            }
            None => (payload, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_leaves_the_applications_bytes() {
        for settled in [false, true] {
            let note = ViewNote { fingerprint: 0x0102_0304_0506_0708, settled };
            let mut payload = b"application".to_vec();
            note.append(&mut payload);
            assert_eq!(payload.len(), 11 + ViewNote::LENGTH);
            assert_eq!(ViewNote::split(&payload), (&b"application"[..], Some(note)));
        }
    }

    #[test]
    fn what_is_no_note_is_the_applications() {
        for payload in [&b""[..], b"mgv\x01", b"1234567\x01mgv\x01", b"12345678\x01mgv\x02"] {
            assert_eq!(ViewNote::split(payload), (payload, None));
        }
    }
}

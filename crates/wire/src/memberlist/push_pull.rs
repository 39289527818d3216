use super::decode::node_state;
use super::encode::start;
use super::kind;
use crate::msgpack::{Reader, Writer};
use crate::{DecodeError, NodeState};

/// The records of a push/pull, decoded one by one. Their structure has been checked; a record that
/// no honest node sends is an error in its place.
pub(crate) fn records(
    records: &[u8],
    count: u32,
) -> impl Iterator<Item = Result<NodeState<'_>, DecodeError>> {
    let mut reader = Reader::new(records);
    (0..count).map(move |_| {
        let mut behind = reader;
        let record = node_state(&mut behind);
        match record {
            Ok(_) => reader = behind,
            Err(_) => reader.skip()?,
        }
        record
    })
}

/// Spells a push/pull record by record.
///
/// The length of the application's state is written as four bytes, which every node accepts, so that
/// [`append_user_state`] can fill it in afterwards. Otherwise the spelling is that of
/// [`crate::StreamMessage::encode`].
#[derive(Debug)]
pub struct PushPullWriter<'a> {
    writer: Writer<'a>,
    missing: u32,
}

impl<'a> PushPullWriter<'a> {
    /// Begins a message of so many records at the end of `out`.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, join: bool, nodes: u32) -> Self {
        let mut writer = start(out, kind::PUSH_PULL);
        writer.map(3).str("Join").bool(join).str("Nodes").u64(nodes.into());
        writer.str("UserStateLen").raw(&[FIXED_U32]).raw(&[0; 4]);
        Self { writer, missing: nodes }
    }

    /// Appends one record.
    ///
    /// # Panics
    ///
    /// With more records than were announced.
    pub fn record(&mut self, record: &NodeState<'_>) {
        self.missing = self.missing.checked_sub(1).expect("as many records as announced");
        record.encode(&mut self.writer);
    }

    /// Ends the message.
    ///
    /// # Panics
    ///
    /// With fewer records than were announced.
    pub fn finish(self) {
        assert_eq!(self.missing, 0, "as many records as announced");
    }
}

/// The marker of an integer of four bytes.
const FIXED_U32: u8 = 0xce;

/// Appends the application's state to a push/pull of a [`PushPullWriter`], which begins at the first
/// byte of `message`. What is appended twice is joined.
///
/// # Panics
///
/// When `message` is anything else.
pub fn append_user_state(message: &mut Vec<u8>, state: &[u8]) {
    let place = length_place(message).expect("a push/pull of a PushPullWriter");
    let length = message.get_mut(place..place + 4).expect("four bytes of length");
    let so_far = u32::from_be_bytes((&*length).try_into().expect("four bytes of length"));
    let more = u32::try_from(state.len()).expect("no state has 4 GiB");
    let total = so_far.checked_add(more).expect("no state has 4 GiB");
    length.copy_from_slice(&total.to_be_bytes());
    message.extend_from_slice(state);
}

fn length_place(message: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(message.strip_prefix(&[kind::PUSH_PULL])?);
    reader.map().ok()?;
    // Join and Nodes, each with its name, then the name of the length.
    reader.skip_many(5).ok()?;
    let (&marker, rest) = reader.rest().split_first()?;
    (marker == FIXED_U32).then_some(message.len() - rest.len())
}

use axum::body::Bytes;
use serde::Serialize;

use crate::output;

/// One server-sent event, spelled: what all watchers are given.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Where it stands among those that can be asked for again.
    pub(super) number: Option<u64>,
    pub(super) bytes: Bytes,
}

impl Event {
    /// Spells an event. JSON on one line needs no more than one `data` field.
    pub(super) fn new(kind: &str, id: Option<(u64, u64)>, data: &impl Serialize) -> Self {
        let id_line = id.map(|id| format!("id: {}\n", spell_id(id))).unwrap_or_default();
        let data = output::json_line(data);
        let bytes = format!("{id_line}event: {kind}\ndata: {data}\n").into();
        Self { number: id.map(|(_, number)| number), bytes }
    }
}

fn spell_id((epoch, number): (u64, u64)) -> String {
    format!("{epoch:x}-{number}")
}

/// The epoch and the number of an id that was spelled here.
pub(super) fn parse_id(id: &str) -> Option<(u64, u64)> {
    let (epoch, number) = id.split_once('-')?;
    Some((u64::from_str_radix(epoch, 16).ok()?, number.parse().ok()?))
}

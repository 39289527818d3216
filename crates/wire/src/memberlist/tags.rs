//! Tags in the meta of a node, as Serf spells them (spec 13.3).

use std::collections::BTreeMap;

use thiserror::Error;

use crate::MAX_META;
use crate::msgpack::{ReadError, Reader, Writer};

/// The first byte of meta that holds tags.
const MAGIC: u8 = 0xff;
/// The tag that meta without tags becomes.
const ROLE: &str = "role";

/// Why tags cannot be sent: the operator's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TagsError {
    /// They do not fit the meta of a node.
    #[error("the tags take {length} bytes of at most {limit}; use fewer or shorter ones")]
    TooLong {
        /// What they take.
        length: usize,
        /// What there is: [`MAX_META`].
        limit: usize,
    },
}

/// Spells tags as meta.
pub fn encode(tags: &BTreeMap<String, String>) -> Result<Vec<u8>, TagsError> {
    let mut meta = vec![MAGIC];
    let mut writer = Writer::new(&mut meta);
    writer.map(tags.len());
    for (name, value) in tags {
        writer.str(name).str(value);
    }
    let (length, limit) = (meta.len(), MAX_META);
    if length > limit { Err(TagsError::TooLong { length, limit }) } else { Ok(meta) }
}

/// Reads tags out of meta. Meta without tags, even empty meta, is the tag "role", as in Serf; tags
/// that are malformed end where they are; what is not UTF-8 is replaced.
#[must_use]
pub fn decode(meta: &[u8]) -> BTreeMap<String, String> {
    let Some(spelled) = meta.strip_prefix(&[MAGIC]) else {
        return BTreeMap::from([(ROLE.to_owned(), lossy(meta))]);
    };
    let mut tags = BTreeMap::new();
    let mut reader = Reader::new(spelled);
    let pairs = reader.map().unwrap_or(0);
    for _ in 0..pairs {
        let Ok((name, value)) = pair(&mut reader) else { break };
        tags.insert(name, value);
    }
    tags
}

fn pair(reader: &mut Reader<'_>) -> Result<(String, String), ReadError> {
    Ok((lossy(reader.bytes()?), lossy(reader.bytes()?)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

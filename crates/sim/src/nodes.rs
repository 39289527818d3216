//! Which nodes are meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Some of a world's nodes, as people write them: `all`, `3`, `0-4`, `0,2,5-9`, `50-`, `10%`.
///
/// A share is drawn anew wherever it is used, at least one node and never the first one, which is
/// the seed that others join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Nodes {
    /// Every one.
    All,
    /// These, each with its last; one that is open has [`u32::MAX`] there, and goes to the world's last.
    Ranges(Vec<(u32, u32)>),
    /// As many of a hundred, drawn at random.
    Percent(u32),
}

/// Text that names no nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no nodes; write all, 3, 0-4, 0,2,5-9, 50- or 10%")]
pub struct NodesError {
    text: String,
}

impl Nodes {
    /// One node.
    #[must_use]
    pub fn one(node: u32) -> Self {
        Self::Ranges(vec![(node, node)])
    }

    /// These nodes.
    #[must_use]
    pub fn list(nodes: &[u32]) -> Self {
        Self::Ranges(nodes.iter().map(|&node| (node, node)).collect())
    }

    /// Leaves those below `count`, and says whether any are left.
    pub(crate) fn cut(&mut self, count: u32) -> bool {
        let Self::Ranges(ranges) = self else { return true };
        ranges.retain(|&(first, _)| first < count);
        for (_, last) in ranges.iter_mut() {
            *last = (*last).min(count - 1);
        }
        !ranges.is_empty()
    }

    /// The highest number that is named.
    pub(crate) fn last(&self) -> Option<u32> {
        match self {
            Self::Ranges(ranges) => {
                let named = |&(first, last)| if last == u32::MAX { first } else { last };
                ranges.iter().map(named).max()
            }
            Self::All | Self::Percent(_) => None,
        }
    }

    /// Their numbers among `count`, in order.
    pub(crate) fn pick(&self, count: u32, rng: &mut Rng) -> Vec<u32> {
        match self {
            Self::All => (0..count).collect(),
            Self::Ranges(ranges) => in_order(ranges, count),
            Self::Percent(share) => {
                let wanted = (u64::from(count) * u64::from(*share)).div_ceil(100).max(1);
                let mut all: Vec<u32> = (1..count).collect();
                rng.shuffle(&mut all);
                all.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                all.sort_unstable();
                all
            }
        }
    }

    /// Their numbers among `count`, in order, unless they are drawn.
    pub(crate) fn named(&self, count: u32) -> Option<Vec<u32>> {
        match self {
            Self::All => Some((0..count).collect()),
            Self::Ranges(ranges) => Some(in_order(ranges, count)),
            Self::Percent(_) => None,
        }
    }
}

fn in_order(ranges: &[(u32, u32)], count: u32) -> Vec<u32> {
    let each = ranges.iter().flat_map(|&(first, last)| first..=last.min(count - 1));
    let mut picked: Vec<u32> = each.collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

impl FromStr for Nodes {
    type Err = NodesError;

    fn from_str(text: &str) -> Result<Self, NodesError> {
        let error = || NodesError { text: text.to_owned() };
        let trimmed = text.trim();
        if trimmed == "all" {
            return Ok(Self::All);
        }
        if let Some(share) = trimmed.strip_suffix('%') {
            let share = share.trim().parse().map_err(|_| error())?;
            return if (1..=100).contains(&share) {
                Ok(Self::Percent(share))
            } else {
                Err(error())
            };
        }
        let range = |part: &str| -> Option<(u32, u32)> {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let open = last.trim().is_empty();
            let last = if open { u32::MAX } else { last.trim().parse().ok()? };
            let range = (first.trim().parse().ok()?, last);
            (range.0 <= range.1).then_some(range)
        };
        let ranges: Option<Vec<_>> = trimmed.split(',').map(|part| range(part.trim())).collect();
        ranges.map(Self::Ranges).ok_or_else(error)
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Percent(share) => write!(f, "{share}%"),
            Self::Ranges(ranges) => {
                for (i, &(first, last)) in ranges.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    if last == u32::MAX {
                        write!(f, "{comma}{first}-")?;
                    } else if first == last {
                        write!(f, "{comma}{first}")?;
                    } else {
                        write!(f, "{comma}{first}-{last}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl TryFrom<String> for Nodes {
    type Error = NodesError;

    fn try_from(text: String) -> Result<Self, NodesError> {
        text.parse()
    }
}

impl From<Nodes> for String {
    fn from(nodes: Nodes) -> Self {
        nodes.to_string()
    }
}

/// A set of nodes that is quick to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeSet {
    all: bool,
    bits: Vec<u64>,
}

impl NodeSet {
    pub(crate) const ALL: Self = Self { all: true, bits: Vec::new() };

    pub(crate) fn of(nodes: &[u32]) -> Self {
        let mut bits = Vec::new();
        for &node in nodes {
            let word = (node / 64) as usize;
            bits.resize(bits.len().max(word + 1), 0);
            bits[word] |= 1 << (node % 64);
        }
        Self { all: false, bits }
    }

    pub(crate) fn holds(&self, node: u32) -> bool {
        let word = self.bits.get((node / 64) as usize);
        self.all || word.is_some_and(|word| word & (1 << (node % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_read_back_as_they_were_written() {
        for text in ["all", "3", "0-4", "0,2,5-9", "50-", "10%"] {
            assert_eq!(text.parse::<Nodes>().unwrap().to_string(), text);
        }
        for text in ["", "x", "4-2", "1,,2", "0%", "101%", "-1"] {
            assert!(text.parse::<Nodes>().is_err(), "{text}");
        }
    }

    #[test]
    fn picks_are_sorted_distinct_and_within_the_world() {
        let mut rng = Rng::new(1);
        let nodes: Nodes = "4-6,5,1".parse().unwrap();
        assert_eq!(nodes.pick(10, &mut rng), [1, 4, 5, 6]);
        let rest: Nodes = "7-".parse().unwrap();
        assert_eq!((rest.pick(10, &mut rng), rest.last()), (vec![7, 8, 9], Some(7)));
        let tenth = Nodes::Percent(10).pick(100, &mut rng);
        assert_eq!(tenth.len(), 10);
        assert!(!tenth.contains(&0));
        let set = NodeSet::of(&[1, 64, 200]);
        assert_eq!((0..300).filter(|&n| set.holds(n)).collect::<Vec<_>>(), [1, 64, 200]);
        assert!(NodeSet::ALL.holds(5));
    }
}

use std::collections::BTreeMap;

use mingle_proto::Node;
use mingle_wire::{Incarnation, State};
use serde::Serialize;

use super::{Direction, Line};

/// What a replay came by in all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The node that recorded.
    pub node: String,
    /// The first thing taken in: nanoseconds since 1970, UTC.
    pub first: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
    /// What was taken in, by kind.
    pub inputs: BTreeMap<&'static str, u64>,
    /// What was decided, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// What was sent, by kind.
    pub outputs: BTreeMap<&'static str, u64>,
    /// The members in the end, by name.
    pub members: BTreeMap<String, Standing>,
}

/// What is believed of a member in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// In a word.
    pub state: &'static str,
    /// At which incarnation.
    pub incarnation: u32,
}

impl Summary {
    /// Of the recording of this node, with nothing in it yet.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), ..Self::default() }
    }

    /// Counts one thing more, at this time.
    pub fn add(&mut self, unix_nanos: u64, line: &Line) {
        self.first.get_or_insert(unix_nanos);
        self.last = self.last.max(Some(unix_nanos));
        let counts = match line.direction {
            Direction::In => &mut self.inputs,
            Direction::Event => &mut self.events,
            Direction::Out => &mut self.outputs,
        };
        *counts.entry(line.kind).or_default() += 1;
    }

    /// What the node believes now is what it believed in the end, as far as is known.
    pub fn see(&mut self, node: &Node) {
        let standing = |state: State, incarnation: Incarnation| Standing {
            state: state.as_str(),
            incarnation: incarnation.get(),
        };
        self.members = node
            .members()
            .map(|member| (member.name().to_owned(), standing(member.state, member.incarnation)))
            .collect();
    }
}

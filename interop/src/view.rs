//! One member's view of the cluster, whatever program it runs, and waiting until views agree.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::poll::{Attempt, wait_until};

/// Somebody who can be asked whom they see.
pub trait View {
    /// The name of the node that looks.
    fn name(&self) -> &str;

    /// All members that the node sees, itself included, by name.
    ///
    /// # Errors
    ///
    /// When the program cannot be asked, for example because it has ended.
    fn view(&self) -> Result<BTreeMap<String, MemberSeen>>;

    /// Whether members that failed or left stay in the view for a while. memberlist itself hides them at once.
    fn remembers_departed(&self) -> bool {
        true
    }
}

/// A member as another node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSeen {
    /// Whether the member is believed to be up.
    pub state: MemberState,
    /// The address under which the member is believed to be reached.
    pub addr: SocketAddr,
    /// What the member says about itself.
    pub attributes: Attributes,
}

/// What a node believes about whether a member is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// Up. Serf says so of suspects too.
    Alive,
    /// Accused, and the suspicion is still running. Serf does not show this.
    Suspect,
    /// Has announced that it will leave. Only Serf shows this.
    Leaving,
    /// Has left.
    Left,
    /// Is dead without having left.
    Failed,
}

/// What a member says about itself, as far as the looking program understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attributes {
    /// Serf's tags.
    Tags(BTreeMap<String, String>),
    /// memberlist's opaque bytes.
    Meta(Vec<u8>),
    /// The looking program does not tell.
    NotShown,
}

/// What every view must say: exactly these members, with these fates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation(BTreeMap<String, Fate>);

impl Expectation {
    /// Expects these members to be alive, and no others.
    pub fn alive<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| (name.to_owned(), Fate::Alive)).collect())
    }

    /// Expects these members to be up, accused or not, and no others.
    pub fn up<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|name| (name.to_owned(), Fate::Up)).collect())
    }

    /// Expects `name` to be seen as failed.
    #[must_use]
    pub fn failed(self, name: &str) -> Self {
        self.with(name, Fate::Failed)
    }

    /// Expects `name` to be seen as having left.
    #[must_use]
    pub fn left(self, name: &str) -> Self {
        self.with(name, Fate::Left)
    }

    /// Expects `name` to have the given fate.
    #[must_use]
    pub fn with(mut self, name: &str, fate: Fate) -> Self {
        self.0.insert(name.to_owned(), fate);
        self
    }

    /// What in `seen` is not as expected, in words; `None` when all is.
    fn mismatch(
        &self,
        seen: &BTreeMap<String, MemberSeen>,
        remembers_departed: bool,
    ) -> Option<String> {
        let stranger = seen.iter().find(|(name, _)| !self.0.contains_key(*name));
        if let Some((name, member)) = stranger {
            return Some(format!("{name} as {:?}, who was not expected", member.state));
        }
        self.0.iter().find_map(|(name, fate)| {
            let state = seen.get(name).map(|member| member.state);
            let met = fate.is_met_by(state, remembers_departed);
            (!met).then(|| {
                format!(
                    "{name} as {} instead of {fate:?}",
                    state.map_or("unknown".into(), |s| format!("{s:?}"))
                )
            })
        })
    }
}

/// What has become of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is up, and nobody suspects it.
    Alive,
    /// It is up, though perhaps accused.
    Up,
    /// It is dead without having left.
    Failed,
    /// It has left.
    Left,
}

impl Fate {
    fn is_met_by(self, state: Option<MemberState>, remembers_departed: bool) -> bool {
        match (self, state) {
            (Self::Alive, Some(state)) => state == MemberState::Alive,
            (Self::Up, Some(state)) => matches!(state, MemberState::Alive | MemberState::Suspect),
            (Self::Failed, Some(state)) => state == MemberState::Failed,
            (Self::Left, Some(state)) => state == MemberState::Left,
            (Self::Alive | Self::Up, None) => false,
            (Self::Failed | Self::Left, None) => !remembers_departed,
        }
    }
}

/// Waits until every view shows what is expected, all in one round of looking, and tells how long that took.
///
/// A view that cannot be read counts as one that does not agree yet.
///
/// # Errors
///
/// When `timeout` has passed; the error says who saw what else.
pub fn wait_until_views_agree(
    views: &[&dyn View],
    expected: &Expectation,
    timeout: Duration,
) -> Result<Duration> {
    let start = Instant::now();
    wait_until("the views to agree", timeout, || {
        let complaints: Vec<_> =
            views.iter().filter_map(|view| complaint(*view, expected)).collect();
        Ok(if complaints.is_empty() {
            Attempt::Done(start.elapsed())
        } else {
            Attempt::NotYet(complaints.join("; "))
        })
    })
}

/// What in one view is not as expected, in words.
pub(crate) fn complaint(view: &dyn View, expected: &Expectation) -> Option<String> {
    let name = view.name();
    match view.view() {
        Ok(seen) => expected
            .mismatch(&seen, view.remembers_departed())
            .map(|what| format!("{name} sees {what}")),
        Err(error) => Some(format!("{name} cannot be asked: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(members: &[(&str, MemberState)]) -> BTreeMap<String, MemberSeen> {
        let addr = SocketAddr::from(([127, 0, 0, 1], 7946));
        let member = |state| MemberSeen { state, addr, attributes: Attributes::Meta(Vec::new()) };
        members.iter().map(|&(name, state)| (name.to_owned(), member(state))).collect()
    }

    #[test]
    fn a_view_as_expected_has_no_mismatch() {
        let expected = Expectation::alive(["a", "b"]).failed("c").left("d");
        let view = seen(&[
            ("a", MemberState::Alive),
            ("b", MemberState::Alive),
            ("c", MemberState::Failed),
            ("d", MemberState::Left),
        ]);
        assert_eq!(expected.mismatch(&view, true), None);
    }

    #[test]
    fn the_departed_may_be_missing_only_where_they_are_not_remembered() {
        let expected = Expectation::alive(["a"]).failed("b");
        let view = seen(&[("a", MemberState::Alive)]);
        assert_eq!(expected.mismatch(&view, false), None);
        assert_eq!(expected.mismatch(&view, true).unwrap(), "b as unknown instead of Failed");
    }

    #[test]
    fn who_is_accused_is_up_and_who_is_dead_is_not() {
        let expected = Expectation::up(["a"]);
        assert_eq!(expected.mismatch(&seen(&[("a", MemberState::Suspect)]), false), None);
        assert!(expected.mismatch(&seen(&[("a", MemberState::Failed)]), false).is_some());
        assert!(expected.mismatch(&seen(&[]), false).is_some());
    }

    #[test]
    fn strangers_suspects_and_missing_members_are_mismatches() {
        let expected = Expectation::alive(["a"]);
        assert!(expected.mismatch(&seen(&[]), false).is_some());
        assert!(expected.mismatch(&seen(&[("a", MemberState::Suspect)]), false).is_some());
        let with_stranger = seen(&[("a", MemberState::Alive), ("z", MemberState::Alive)]);
        assert_eq!(
            expected.mismatch(&with_stranger, false).unwrap(),
            "z as Alive, who was not expected"
        );
    }
}

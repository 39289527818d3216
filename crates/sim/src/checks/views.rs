use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use mingle_proto::{Change, Event, Evidence, Instant, Member, Node};
use mingle_wire::State;

use super::desk::{Checker, Desk};
use super::names::{NameId, Names};

/// What one observer must believe, from its first snapshot and what it told since.
#[derive(Debug)]
pub(super) struct View {
    me: NameId,
    members: Vec<Option<Member>>,
    count: usize,
    live: usize,
    suspected: usize,
    /// The sum of what live members say of themselves: equal for equal live views.
    digest: u128,
    version: u64,
    health: u32,
    /// Whom the events of this step were about, and what was believed of them before each.
    touched: Vec<(NameId, Option<Member>)>,
    /// The last event of this step about a member.
    last: Option<Told>,
    /// Steps until the whole view is compared again.
    rest: usize,
}

/// An event about a member, as far as the next one may refer to it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) about: NameId,
    pub(super) change: Change,
    pub(super) after: State,
    /// Whether what the member says of itself changed with it.
    pub(super) says_more: bool,
    pub(super) evidence: Evidence,
}

impl View {
    pub(super) fn of(node: &Node, names: &mut Names) -> Self {
        let mut view = Self {
            me: names.id(node.local().name()),
            members: Vec::new(),
            count: 0,
            live: 0,
            suspected: 0,
            digest: 0,
            version: node.view_version(),
            health: node.health(),
            touched: Vec::new(),
            last: None,
            rest: 0,
        };
        for member in node.members() {
            view.set(names.id(member.name()), Some(member));
        }
        view
    }

    pub(super) fn me(&self) -> NameId {
        self.me
    }

    /// How many members there are, in whatever state.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many others are alive or suspect.
    pub(super) fn live_others(&self) -> usize {
        let me = self.get(self.me).is_some_and(|me| me.state.is_live());
        self.live - usize::from(me)
    }

    /// All that are known but for the observer.
    pub(super) fn others(&self) -> impl Iterator<Item = (NameId, &Member)> {
        let ids = (0..self.members.len()).map(NameId::at);
        ids.filter(|&id| id != self.me).filter_map(|id| Some((id, self.get(id)?)))
    }

    pub(super) fn digest(&self) -> u128 {
        self.digest
    }

    pub(super) fn get(&self, id: NameId) -> Option<&Member> {
        self.members.get(id.index())?.as_ref()
    }

    /// What was believed before the node took in what it is at.
    pub(super) fn before(&self, id: NameId) -> Option<&Member> {
        match self.touched.iter().find(|(about, _)| *about == id) {
            Some((_, before)) => before.as_ref(),
            None => self.get(id),
        }
    }

    /// The numbers of all who may be known.
    pub(super) fn ids(&self) -> impl Iterator<Item = NameId> + use<> {
        (0..self.members.len()).map(NameId::at)
    }

    /// The last event about a member since the node took something in.
    pub(super) fn last(&self) -> Option<&Told> {
        self.last.as_ref()
    }

    /// Puts what is believed now in the place of what was, and gives that back.
    fn set(&mut self, id: NameId, member: Option<Member>) -> Option<Member> {
        if self.members.len() <= id.index() {
            self.members.resize(id.index() + 1, None);
        }
        if let Some(old) = &self.members[id.index()] {
            self.count -= 1;
            self.live -= usize::from(old.state.is_live());
            self.suspected -= usize::from(old.state == State::Suspect);
            self.digest = self.digest.wrapping_sub(digest(old));
        }
        if let Some(new) = &member {
            self.count += 1;
            self.live += usize::from(new.state.is_live());
            self.suspected += usize::from(new.state == State::Suspect);
            self.digest = self.digest.wrapping_add(digest(new));
        }
        std::mem::replace(&mut self.members[id.index()], member)
    }

    /// Takes in a change that was told.
    pub(super) fn change(
        &mut self,
        id: NameId,
        change: Change,
        member: &Member,
        evidence: &Evidence,
    ) {
        let gone = change == Change::Reaped;
        let before = self.set(id, (!gone).then(|| member.clone()));
        let says_more = before.as_ref().is_some_and(|before| before.profile != member.profile);
        self.version += 1;
        self.touched.push((id, before));
        let evidence = evidence.clone();
        self.last = Some(Told { about: id, change, after: member.state, says_more, evidence });
    }

    /// Looks at what else a node tells of members and of itself.
    pub(super) fn event(&mut self, desk: &mut Desk, names: &mut Names, event: &Event) {
        match event {
            Event::Health { score } => self.health = *score,
            Event::Conflict { member, .. } | Event::Pong { member, .. } => {
                let known = self.get(names.id(member.name()));
                desk.check(Checker::Views, known == Some(member), || {
                    format!("it tells of {member:?}, and has told before that it is {known:?}")
                });
            }
            Event::Refuted { incarnation, .. } => {
                let own = self.get(self.me).map(|me| me.incarnation);
                desk.check(Checker::Views, own == Some(*incarnation), || {
                    format!("it refutes at {incarnation}, and has told that it is at {own:?}")
                });
            }
            Event::Member { .. }
            | Event::UserMessage { .. }
            | Event::UserState { .. }
            | Event::Reconnect { .. }
            | Event::LinkDegraded { .. }
            | Event::LinkRestored { .. }
            | Event::Completed { .. } => {}
        }
    }

    /// Holds the shadow against the machine: what changed in this step, and now and then everything.
    pub(super) fn handled(&mut self, desk: &mut Desk, names: &mut Names, node: &Node) {
        let version = node.view_version();
        desk.check(Checker::Views, version == self.version, || {
            format!("version {version} of a view of which version {} was told", self.version)
        });
        let health = node.health();
        desk.check(Checker::Views, health == self.health, || {
            format!("a health score of {health}, and {} was told", self.health)
        });
        let counts = (node.member_count(), node.live_count(), node.suspected());
        let told = (self.count, self.live, self.suspected);
        desk.check(Checker::Views, counts == told, || {
            format!("(members, live, suspects) are {counts:?}, and were told to be {told:?}")
        });
        while let Some((id, _)) = self.touched.pop() {
            let (is, told) = (node.member(names.name(id)), self.get(id));
            desk.check(Checker::Views, is.as_ref() == told, || {
                format!("it believes {is:?}, and has told {told:?}")
            });
        }
        self.last = None;
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.compare(desk, names, node);
    }

    /// Compares everything, and walks over all indexes.
    pub(super) fn compare(&mut self, desk: &mut Desk, names: &mut Names, node: &Node) {
        // So that the whole costs about as much as a few members at each step.
        self.rest = self.count * STEPS_PER_MEMBER;
        let mut walked = (0, 0, 0);
        for member in node.members() {
            walked.0 += 1;
            walked.1 += usize::from(member.state.is_live());
            walked.2 += usize::from(member.state == State::Suspect);
            let told = self.get(names.id(member.name()));
            desk.check(Checker::Views, told == Some(&member), || {
                format!("it believes {member:?}, and has told {told:?}")
            });
            let found = node.member(member.name());
            desk.check(Checker::Indexes, found.as_ref() == Some(&member), || {
                format!("looking for {:?} it finds {found:?}", member.name())
            });
        }
        let counts = (node.member_count(), node.live_count(), node.suspected());
        desk.check(Checker::Indexes, counts == walked, || {
            format!("(members, live, suspects) are {walked:?}, and it counts {counts:?}")
        });
    }
}

/// A full comparison comes once in so many steps per member.
const STEPS_PER_MEMBER: usize = 8;

/// What a member adds to the digest of a view: everything that a live one says of itself. 128 bits, and
/// made in another way than the machine's fingerprint.
fn digest(member: &Member) -> u128 {
    if !member.state.is_live() {
        return 0;
    }
    let address = member.address();
    let half = |seed| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        hasher.write(member.name().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(address.ip.as_bytes());
        hasher.write_u16(address.port);
        hasher.write(&member.versions().0);
        hasher.write_u32(member.incarnation.get());
        hasher.write(member.meta());
        hasher.finish()
    };
    u128::from(half(1)) << 64 | u128::from(half(2))
}

/// When the node's clock showed what an event tells, to the tenth of a second that is kept.
pub(super) fn unchanged_since(before: &Member, after: &Member, shown: Instant) -> bool {
    let expected = if before.state == after.state { before.since } else { to_tenths(shown) };
    after.since == expected
}

fn to_tenths(time: Instant) -> Instant {
    const TENTH: u64 = 100_000_000;
    Instant::from_nanos(time.as_nanos() / TENTH * TENTH)
}

use mingle_proto::Member;
use mingle_wire::{Alive, Incarnation, Message, State};

use super::desk::{Checker, Desk};
use super::views::View;

/// What a node hears of itself and must refute: in the same step it goes above it (spec 7.4).
#[derive(Debug, Default)]
pub(super) struct Refutations {
    /// The highest incarnation of this step at which something was claimed that is not so.
    claimed: Option<Incarnation>,
}

/// What a node has believed of itself so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Myself<'a> {
    pub(super) name: &'a str,
    member: &'a Member,
}

impl<'a> Myself<'a> {
    pub(super) fn of(view: &'a View) -> Option<Self> {
        let member = view.get(view.me())?;
        Some(Self { name: member.name(), member })
    }
}

impl Refutations {
    /// A node hears something.
    pub(super) fn heard(&mut self, me: Myself<'_>, message: &Message<'_>) {
        let Myself { name, member: me } = me;
        // Who has said goodbye takes no news of itself any more.
        if me.state == State::Left {
            return;
        }
        let claimed = match message {
            Message::Alive(claim) if claim.node == name && is_untrue(me, claim) => {
                claim.incarnation
            }
            Message::Suspect(claim) if claim.node == name => claim.incarnation,
            Message::Dead(claim) if claim.node == name => claim.incarnation,
            _ => return,
        };
        self.claimed = self.claimed.max(Some(claimed));
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, own: Incarnation) {
        let Some(claimed) = self.claimed.take() else { return };
        let above = own > claimed || own == Incarnation::LAST;
        desk.check(Checker::Refutations, above, || {
            format!("something untrue was said of it at {claimed}, and it is at {own} after that")
        });
    }
}

/// Whether somebody says of us what we do not say ourselves. From another address it is not about us:
/// two nodes have one name.
fn is_untrue(me: &Member, alive: &Alive<'_>) -> bool {
    let same = alive.meta == me.meta() && alive.versions == me.versions();
    let here = me.address().same_endpoint(&alive.address);
    let (said, own) = (alive.incarnation, me.incarnation);
    here && (said > own || (said == own && !same))
}

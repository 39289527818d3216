use mingle_wire::{Alive, Dead, Delegate, Incarnation, Mark, Message, Suspect, Versions};

use super::command::{self, Hosts};
use super::words::Words;
use crate::nodes::Nodes;
use crate::run::NOWHERE;
use crate::scenario::{self as fault, Fault};
use crate::world::World;

/// A packet with a claim out of nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forgery {
    pub(super) to: Hosts,
    pub(super) about: u32,
    claim: Claim,
    /// Without it, the one that the subject is at.
    incarnation: Option<Incarnation>,
    /// Who is said to claim it.
    by: String,
    /// Whether the packet seems to come from the subject's address.
    is_own: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Alive,
    /// Alive where nobody is.
    Moved,
    Suspect,
    Dead,
    Left,
}

impl Forgery {
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let incarnation = words.incarnation_option()?;
        let by = words.option("by").unwrap_or("nobody").to_owned();
        let is_own = words.flag("own");
        let claim = match words.next()? {
            "alive" => Claim::Alive,
            "moved" => Claim::Moved,
            "suspect" => Claim::Suspect,
            "dead" => Claim::Dead,
            "left" => Claim::Left,
            other => return Err(words.misplaced(other)),
        };
        let about = command::host(words.next()?)?;
        words.expect("to")?;
        Ok(Self { to: command::hosts(words)?, about, claim, incarnation, by, is_own })
    }

    /// What it is in a scenario.
    pub(super) fn fault(&self, to: Nodes) -> Fault {
        let claim = match self.claim {
            Claim::Alive | Claim::Moved => fault::Claim::Moved,
            Claim::Suspect => fault::Claim::Suspect,
            Claim::Dead => fault::Claim::Dead,
            Claim::Left => fault::Claim::Left,
        };
        Fault::Forge { to, claim, about: self.about, ahead: 0 }
    }

    /// Sends it to one host.
    pub(super) fn send(&self, world: &mut World, to: u32) {
        let subject = world.host(self.about);
        let at = subject.node.as_ref().map_or(subject.saved, |node| node.local().incarnation);
        let incarnation = self.incarnation.unwrap_or(at);
        let (node, from) = (subject.name.as_str(), self.by.as_str());
        let address = if self.claim == Claim::Moved { NOWHERE } else { subject.address };
        let message = match self.claim {
            Claim::Alive | Claim::Moved => Message::Alive(Alive {
                incarnation,
                node,
                address: address.into(),
                meta: &subject.meta,
                versions: Versions::ours(Delegate::SERF, Mark::Mingle),
            }),
            Claim::Suspect => Message::Suspect(Suspect { incarnation, node, from }),
            Claim::Dead => Message::Dead(Dead { incarnation, node, from }),
            Claim::Left => Message::Dead(Dead { incarnation, node, from: node }),
        };
        let mut body = Vec::new();
        message.encode(&mut body);
        world.forge(to, if self.is_own { address } else { NOWHERE }, &body);
    }
}

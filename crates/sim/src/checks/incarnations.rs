use mingle_proto::{Node, Profile};
use mingle_wire::Incarnation;

use super::desk::{Checker, Desk};

/// What each process last stated of itself.
#[derive(Debug, Default)]
pub(super) struct Incarnations(Vec<Option<(Incarnation, Profile)>>);

impl Incarnations {
    /// A process begins anew, at whatever it remembers.
    pub(super) fn started(&mut self, host: u32, node: &Node) {
        let host = host as usize;
        if self.0.len() <= host {
            self.0.resize(host + 1, None);
        }
        self.0[host] = Some(stated(node));
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, host: u32, node: &Node) {
        let Some(Some(last)) = self.0.get_mut(host as usize) else { return };
        let (now, profile) = stated(node);
        let (before, old) = std::mem::replace(last, (now, profile.clone()));
        desk.check(Checker::Incarnation, now >= before, || {
            format!("its own incarnation fell from {before} to {now}")
        });
        desk.check(Checker::Incarnation, now > before || profile == old, || {
            format!("it says something else of itself, still at {now}")
        });
    }
}

fn stated(node: &Node) -> (Incarnation, Profile) {
    let local = node.local();
    (local.incarnation, local.profile)
}

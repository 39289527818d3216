use mingle_proto::Node;
use mingle_wire::Incarnation;

use super::desk::{Checker, Desk};

/// The last incarnation that each process stated of itself.
#[derive(Debug, Default)]
pub(super) struct Incarnations(Vec<Option<Incarnation>>);

impl Incarnations {
    /// A process begins anew, at whatever it remembers.
    pub(super) fn started(&mut self, host: u32, node: &Node) {
        let host = host as usize;
        if self.0.len() <= host {
            self.0.resize(host + 1, None);
        }
        self.0[host] = Some(node.local_incarnation());
    }

    pub(super) fn handled(&mut self, desk: &mut Desk, host: u32, now: Incarnation) {
        let Some(Some(last)) = self.0.get_mut(host as usize) else { return };
        let before = std::mem::replace(last, now);
        desk.check(Checker::Incarnation, now >= before, || {
            format!("its own incarnation fell from {before} to {now}")
        });
    }
}

use mingle_proto::{Instant, Node};

use super::desk::{Checker, Desk};

/// How often each host was woken at the same instant and still wanted more.
#[derive(Debug, Default)]
pub(super) struct Progress(Vec<u32>);

/// A machine fires ten thousand timers at a wake-up and leaves the others for the next, so a few in a
/// row are in order.
const MOST_IN_A_ROW: u32 = 16;

impl Progress {
    pub(super) fn started(&mut self, host: u32) {
        let host = host as usize;
        if self.0.len() <= host {
            self.0.resize(host + 1, 0);
        }
        self.0[host] = 0;
    }

    /// Whoever has something to tell gossips (spec 9.2).
    pub(super) fn handled(desk: &mut Desk, shown: Instant, node: &Node) {
        let queued = node.queued();
        if queued == 0 {
            return;
        }
        let due = node.poll_timeout();
        let latest = shown + node.config().gossip_interval;
        desk.check(Checker::Progress, due.is_some_and(|due| due <= latest), || {
            format!("{queued} claims wait at {shown:?}, and it wants to be woken at {due:?}")
        });
    }

    /// The node was woken.
    pub(super) fn woken(&mut self, desk: &mut Desk, host: u32, shown: Instant, node: &Node) {
        let Some(in_a_row) = self.0.get_mut(host as usize) else { return };
        let due = node.poll_timeout();
        let again = due.is_some_and(|due| due <= shown);
        *in_a_row = if again { *in_a_row + 1 } else { 0 };
        let in_a_row = *in_a_row;
        desk.check(Checker::Progress, in_a_row <= MOST_IN_A_ROW, || {
            format!("woken {in_a_row} times at {shown:?} it wants to be woken at {due:?}")
        });
        desk.check(Checker::Progress, due.is_some(), || {
            "it waits for nothing, and would sleep for ever".to_owned()
        });
    }
}

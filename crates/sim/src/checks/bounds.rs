use mingle_proto::Node;

use super::desk::{Checker, Desk};

/// Bounds that a look at the node shows, after every input.
pub(super) fn handled(desk: &mut Desk, node: &Node) {
    let config = node.config();
    let (members, live) = (node.member_count(), node.live_count());
    desk.check(Checker::Bounds, members <= config.max_members as usize, || {
        format!("{members} members, at most {} may be", config.max_members)
    });
    let has_left = !node.local().state.is_live();
    let (gone, most) = (members - live - usize::from(has_left), config.max_gone);
    desk.check(Checker::Bounds, gone <= most as usize, || {
        format!("{gone} members are gone and kept, at most {most} may be")
    });
    let (buried, most) = (node.buried(), config.max_tombstones);
    desk.check(Checker::Bounds, buried <= most as usize, || {
        format!("{buried} tombstones, at most {most} may be")
    });
    let queued = node.queued();
    desk.check(Checker::Bounds, queued <= members, || {
        format!("{queued} claims wait to be sent about {members} members")
    });
    let suspected = node.suspected();
    desk.check(Checker::Bounds, suspected <= live && live <= members, || {
        format!("{suspected} suspects among {live} live ones of {members} members")
    });
    let health = node.health();
    desk.check(Checker::Bounds, health < config.awareness_max_multiplier, || {
        format!("a health score of {health}, below {} it must be", config.awareness_max_multiplier)
    });
}

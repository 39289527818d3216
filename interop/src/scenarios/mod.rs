//! What is tested, one function each.

mod cluster;
mod control;
mod delegates;
mod goodbyes;
mod live;
mod mark;
mod patience;
mod record;
mod refusals;

use anyhow::Result;

use self::cluster::Setting;
use crate::context::Context;

/// One test against live peers.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name, by which it is selected.
    pub name: &'static str,
    /// What is shown when it passes.
    pub shows: &'static str,
    /// The test. It fails by an error.
    pub run: fn(&Context) -> Result<()>,
}

/// All scenarios, in the order in which they run. The control group comes first: when the real peers do not get along with each
/// other here, what follows says nothing about mingle.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "control-plain",
        shows: "serf 0.9.4, serf 0.10.1 and memberlist see each other, and that one is killed",
        run: control::plain,
    },
    Scenario {
        name: "control-key-32",
        shows: "the same in a cluster sealed with a 32-byte key",
        run: control::sealed,
    },
    Scenario {
        name: "control-wrong-key",
        shows: "a node with another key stays alone",
        run: control::wrong_key,
    },
    Scenario {
        name: "control-ipv6",
        shows: "the peers see each other on ::1, and messages pass under a label",
        run: control::ipv6_label,
    },
    Scenario {
        name: "control-leave",
        shows: "a serf agent that leaves is seen as left",
        run: control::leave,
    },
    Scenario {
        name: "control-bare-leave",
        shows: "a memberlist node that leaves without Serf's intent is seen by serf as failed",
        run: control::bare_leave,
    },
    Scenario {
        name: "control-pause",
        shows: "a frozen agent is seen as failed, and as alive when it goes on",
        run: control::pause,
    },
    Scenario {
        name: "control-tags",
        shows: "changed tags reach the others, as meta and as tags",
        run: control::tags,
    },
    Scenario {
        name: "control-memberlist",
        shows: "two memberlist nodes exchange messages, user state and ack payloads",
        run: control::memberlist_delegates,
    },
    Scenario {
        name: "everybody-plain",
        shows: "mingle lives with both serfs and memberlist",
        run: |context| live::with_everybody(context, Setting::PLAIN),
    },
    Scenario {
        name: "everybody-lzw",
        shows: "mingle lives with both serfs and memberlist, all compressing",
        run: |context| live::with_everybody(context, Setting::LZW),
    },
    Scenario {
        name: "everybody-key-16",
        shows: "mingle lives with both serfs and memberlist, sealed with AES-128",
        run: |context| live::with_everybody(context, Setting::KEY_16),
    },
    Scenario {
        name: "everybody-key-24",
        shows: "mingle lives with both serfs and memberlist, sealed with AES-192",
        run: |context| live::with_everybody(context, Setting::KEY_24),
    },
    Scenario {
        name: "everybody-key-32",
        shows: "mingle lives with both serfs and memberlist, sealed with AES-256",
        run: |context| live::with_everybody(context, Setting::KEY_32),
    },
    Scenario {
        name: "everybody-ipv6",
        shows: "mingle lives with both serfs and memberlist, on ::1",
        run: |context| live::with_everybody(context, Setting::IPV6),
    },
    Scenario {
        name: "memberlist-plain",
        shows: "mingle lives with memberlist alone",
        run: |context| live::with_memberlist(context, Setting::PLAIN),
    },
    Scenario {
        name: "memberlist-lzw",
        shows: "mingle lives with memberlist alone, all compressing",
        run: |context| live::with_memberlist(context, Setting::LZW),
    },
    Scenario {
        name: "memberlist-key-16",
        shows: "mingle lives with memberlist alone, sealed with AES-128",
        run: |context| live::with_memberlist(context, Setting::KEY_16),
    },
    Scenario {
        name: "memberlist-key-24",
        shows: "mingle lives with memberlist alone, sealed with AES-192",
        run: |context| live::with_memberlist(context, Setting::KEY_24),
    },
    Scenario {
        name: "memberlist-key-32",
        shows: "mingle lives with memberlist alone, sealed with AES-256",
        run: |context| live::with_memberlist(context, Setting::KEY_32),
    },
    Scenario {
        name: "memberlist-label",
        shows: "mingle lives with memberlist alone, labelled",
        run: |context| live::with_memberlist(context, Setting::LABEL),
    },
    Scenario {
        name: "memberlist-ipv6",
        shows: "mingle lives with memberlist alone, on ::1",
        run: |context| live::with_memberlist(context, Setting::IPV6),
    },
    Scenario {
        name: "mark-relayed",
        shows: "the mark of mingle in the version bytes is passed on by both serfs and memberlist",
        run: mark::relayed,
    },
    Scenario {
        name: "delegates",
        shows: "user states and ack payloads go both ways between mingle and memberlist, and a broadcast comes",
        run: delegates::states_and_acks,
    },
    Scenario {
        name: "goodbye-beside-the-dead",
        shows: "a goodbye of mingle reaches the living soon after others have died",
        run: goodbyes::beside_the_dead,
    },
    Scenario {
        name: "refuse-wrong-key",
        shows: "mingle with another key stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::WRONG_KEY),
    },
    Scenario {
        name: "refuse-no-key",
        shows: "mingle with no key, among those who encrypt, stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::NO_KEY),
    },
    Scenario {
        name: "refuse-key-against-plaintext",
        shows: "mingle with a key, among those who do not encrypt, stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::KEY_AGAINST_PLAINTEXT),
    },
    Scenario {
        name: "refuse-wrong-label",
        shows: "mingle with another label stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::WRONG_LABEL),
    },
    Scenario {
        name: "refuse-no-label",
        shows: "mingle with no label, among those who have one, stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::NO_LABEL),
    },
    Scenario {
        name: "refuse-label-against-none",
        shows: "mingle with a label, among those who have none, stays apart, counts it and says so once",
        run: |context| refusals::refuse(context, refusals::LABEL_AGAINST_NONE),
    },
];

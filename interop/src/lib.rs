//! Live tests of mingle against the programs it must live with: two releases of Serf, and a small Go program of ours on hashicorp
//! memberlist.
//!
//! Nothing is simulated here: the peers are processes on loopback addresses, each with its log in a file. A *scenario* starts some,
//! disturbs them, and waits until the views of the survivors say what they should. Nothing sleeps for a fixed time and then judges;
//! everything polls with a deadline. What a scenario needs comes from its [`Context`].
//!
//! A *chaos case* does the same with a network between the processes: each has a network namespace, and packets between them are
//! dropped. [`run_chaos`] runs them.
//!
//! The peers are fetched from Debian's archive and unpacked beside the system by [`install`]; nothing is installed.

mod chaos;
mod context;
mod hex;
mod interrupt;
mod peers;
mod poll;
mod runner;
mod scenarios;
mod view;

pub use chaos::{ChaosOptions, Length, Results, run_chaos, unmet_needs};
pub use context::Context;
pub use peers::{
    Ack, Compression, Crowd, CrowdProgram, DelegateVersions, GoEvent, GoMember, GoPeer,
    GoPeerOptions, Key, Metrics, MingleAgent, MingleMember, MingleNode, MingleOptions, NodeMessage,
    NodeOptions, Peers, Process, Profile, SerfAgent, SerfMember, SerfOptions, SerfProtocol,
    SerfVersion, UserState, Way, crowds, free_address, install, loopback_v4, loopback_v6,
};
pub use poll::{Attempt, wait_until};
pub use runner::{LogKeeping, RunOptions, Tally, run};
pub use scenarios::{SCENARIOS, Scenario};
pub use view::{
    Attributes, Expectation, Fate, MemberSeen, MemberState, View, wait_until_views_agree,
};

//! `cargo xtask bench`: what the project costs, beside its peers.

mod crowd;
mod gauge;
pub(crate) mod guard;
mod peers;
mod table;
mod trial;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Many nodes of each system in one process, on loopback, in a network namespace of their own; needs root, `ip` and `nft`.
    Peers(peers::Options),
    /// Count instructions, allocations and bytes of fixed pieces of work, and compare them with the figures in the tree.
    Guard(guard::Options),
}

/// # Errors
///
/// When nothing could be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Peers(options) => peers::run(options),
        What::Guard(options) => guard::run(options),
    }
}

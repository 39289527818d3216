//! `cargo xtask bench`: what the project costs, beside its peers.

mod crowd;
mod gauge;
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
}

/// # Errors
///
/// When nothing could be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Peers(options) => peers::run(options),
    }
}

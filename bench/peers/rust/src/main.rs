//! `crowd --system NAME`: many nodes of one system in one process, driven over standard input and output in the words
//! of `bench/peers/README.md`.

mod board;
mod broadcast;
mod crowd;
mod percentile;
mod place;
mod pour;
mod protocol;
mod systems;
mod versions;

use std::io;

use clap::{Parser, ValueEnum};
use systems::chitchat::Chitchat;
use systems::foca::Foca;
use systems::memberlist::Memberlist;
use systems::mingle::Mingle;
use systems::raw::Raw;
use tokio::runtime::{Builder, Runtime};

/// Runs many nodes of one system, driven over standard input and output.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose nodes.
    #[arg(long)]
    system: Name,
    /// The second byte of all addresses, so that crowds of tests can run beside each other.
    #[arg(long, default_value_t = 77)]
    network: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Mingle,
    Foca,
    Memberlist,
    Chitchat,
    /// Two sockets and nothing else: what the machine can do.
    Raw,
}

fn main() -> anyhow::Result<()> {
    let Arguments { system, network } = Arguments::parse();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match system {
        Name::Mingle => serve::<Mingle>(&runtime, network),
        Name::Foca => serve::<Foca>(&runtime, network),
        Name::Memberlist => serve::<Memberlist>(&runtime, network),
        Name::Chitchat => serve::<Chitchat>(&runtime, network),
        Name::Raw => serve::<Raw>(&runtime, network),
    }
}

fn serve<S: systems::System>(runtime: &Runtime, network: u8) -> anyhow::Result<()> {
    protocol::serve::<S>(runtime, network, io::stdin().lock(), io::stdout().lock())
}

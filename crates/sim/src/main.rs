//! `mingle-sim`: clusters of the same nodes that run on sockets, in virtual time.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}

use std::path::PathBuf;

use mingle_sim::script::{self, ScriptError};

use super::Failure;

/// Carry out a script, and show where it goes otherwise than recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mingle-sim script crates/sim/tests/scripts/leave.txt")]
pub(super) struct Options {
    /// The script; see `crates/sim/tests/scripts` for some.
    file: PathBuf,
    /// Write into the file how it goes now.
    #[arg(long)]
    record: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let file = &options.file;
    let name = file.display().to_string();
    let recorded = std::fs::read_to_string(file)
        .map_err(|error| Failure::Input(format!("{name}: {error}; name a script")))?;
    let replayed = match script::replay(&name, &recorded) {
        Ok(replayed) => replayed,
        Err(error @ ScriptError::Wrong { .. }) => return Err(Failure::Input(error.to_string())),
        Err(error @ ScriptError::Unmet { .. }) => {
            eprintln!("{error}");
            return Err(Failure::Unmet);
        }
    };
    if options.record {
        return std::fs::write(file, replayed)
            .map_err(|error| Failure::Input(format!("{name}: {error}; make it writable")));
    }
    let Some(difference) = script::difference(&recorded, &replayed) else { return Ok(()) };
    print!("{difference}");
    eprintln!("{name} goes otherwise now; where that is meant, run this again with --record");
    Err(Failure::Unmet)
}

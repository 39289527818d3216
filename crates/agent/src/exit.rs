use std::io::Write;
use std::process::ExitCode;

use crate::output;

/// Why a command did not do what it was asked; each kind has an exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was tried, and the answer is no. Another time it may be yes, with nothing changed in what was given.
    No(String),
    /// What was given can't work. Nothing was started.
    Input(String),
    /// No agent answers.
    Unreachable(String),
}

impl Failure {
    /// Says it on stderr, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (Self::No(sentence) | Self::Input(sentence) | Self::Unreachable(sentence)) = self;
        // Whoever has closed stderr does not want to know.
        let _ = writeln!(std::io::stderr(), "error: {sentence}");
        ExitCode::from(self.code())
    }

    const fn code(&self) -> u8 {
        match self {
            Self::No(_) => 1,
            Self::Input(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }
}

/// What clap has to say: help and version on stdout with 0, wrong usage on stderr with 2.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let written = error.print();
    if error.use_stderr() {
        return ExitCode::from(2);
    }
    match written {
        Err(error) if !output::is_closed(&error) => ExitCode::from(1),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

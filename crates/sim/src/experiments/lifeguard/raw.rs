//! Experiments as lines of JSON: first what was run, then what came of each world.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{Experiment, System, Trial};

#[derive(Serialize)]
struct Written<'a> {
    system: String,
    #[serde(flatten)]
    trial: &'a Trial,
}

#[derive(Deserialize)]
struct Read {
    system: String,
    #[serde(flatten)]
    trial: Trial,
}

/// Writes what was run, or with a system what came of it.
///
/// # Errors
///
/// When they can't be written.
pub fn write(
    to: &mut dyn Write,
    experiment: &Experiment,
    system: Option<(System, &[Trial])>,
) -> io::Result<()> {
    let Some((system, trials)) = system else {
        serde_json::to_writer(&mut *to, experiment)?;
        return writeln!(to);
    };
    for trial in trials {
        serde_json::to_writer(&mut *to, &Written { system: system.to_string(), trial })?;
        writeln!(to)?;
    }
    to.flush()
}

/// Why lines are no experiment.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// They can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// A line makes no sense.
    #[error("line {line}: {error}; give what --raw has written")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// It has a system that there is not.
    #[error("line {line}: there is no system {name:?}; give what --raw has written")]
    System {
        /// From 1.
        line: usize,
        /// The system's.
        name: String,
    },
    /// There is nothing in it.
    #[error("it is empty; give what --raw has written")]
    Empty,
}

/// What was run, and what came of it, by system.
pub type Results = (Experiment, Vec<(System, Vec<Trial>)>);

/// Reads what was written.
///
/// # Errors
///
/// The first line that makes no sense.
pub fn read(from: &mut dyn BufRead) -> Result<Results, RawError> {
    let mut lines = (1..).zip(from.lines());
    let (line, first) = lines.next().ok_or(RawError::Empty)?;
    let experiment: Experiment =
        serde_json::from_str(&first?).map_err(|error| RawError::Line { line, error })?;
    let mut all: Vec<(System, Vec<Trial>)> = Vec::new();
    for (line, text) in lines {
        let read: Read =
            serde_json::from_str(&text?).map_err(|error| RawError::Line { line, error })?;
        let Ok(system) = read.system.parse() else {
            return Err(RawError::System { line, name: read.system });
        };
        match all.last_mut().filter(|(last, _)| *last == system) {
            Some((_, trials)) => trials.push(read.trial),
            None => all.push((system, vec![read.trial])),
        }
    }
    Ok((experiment, all))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, tables};
    use super::*;
    use crate::repeat::Progress;

    #[test]
    fn what_was_written_gives_the_same_tables() {
        let experiment = Experiment {
            nodes: 16,
            concurrent: vec![2],
            repetitions: 1,
            ..Experiment::of_the_paper(Kind::Threshold)
        };
        let mut all = Vec::new();
        let mut lines = Vec::new();
        write(&mut lines, &experiment, None).unwrap();
        for system in [System::Swim, System::Lifeguard { alpha: 4, beta: 2 }] {
            let trials = experiment.run(system, &Progress::default()).unwrap();
            write(&mut lines, &experiment, Some((system, &trials))).unwrap();
            all.push((system, trials));
        }
        let (again, read) = read(&mut lines.as_slice()).unwrap();
        assert_eq!(tables(&again, &read), tables(&experiment, &all));
    }

    #[test]
    fn lines_that_make_no_sense_are_told_by_number() {
        assert!(matches!(read(&mut "".as_bytes()), Err(RawError::Empty)));
        assert!(matches!(read(&mut "{}\n".as_bytes()), Err(RawError::Line { line: 1, .. })));
    }
}

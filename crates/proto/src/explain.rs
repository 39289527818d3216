//! Evidence in words, for logs and people. What peers chose is quoted and escaped.

use std::fmt;
use std::sync::Arc;

use crate::{Cause, ProbeReport, StreamPing, Via};

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced => f.write_str("it said so itself"),
            Self::ProbeFailed(report) => report.fmt(f),
            Self::Accused { by } => write!(f, "accused by {by:?}"),
            Self::HeardDown { state } => write!(f, "a peer's view has it {state}"),
            Self::SuspicionExpired { accusers, ran } => {
                write!(f, "not heard of for {ran:.1?} after being accused by ")?;
                list(f, accusers)
            }
            Self::Declared { by } => write!(f, "declared dead by {by:?}"),
            Self::Superseded { at } => {
                write!(f, "it does not answer there any more, and claims to be at {at}")
            }
            Self::Goodbye => f.write_str("it said goodbye"),
            Self::Expired => f.write_str("it has been gone for long"),
            Self::Forced => f.write_str("said here by an operator, as it does not come back"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, names: &[Arc<str>]) -> fmt::Result {
    for (i, name) in names.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{name:?}")?;
    }
    Ok(())
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waited, helpers, nacks_expected, nacks, stream, health: _ } = self;
        write!(f, "no answer within {waited:.1?}")?;
        match helpers {
            0 => f.write_str(", and nobody to ask for help")?,
            1 => f.write_str(", neither to us nor to 1 helper")?,
            _ => write!(f, ", neither to us nor to {helpers} helpers")?,
        }
        if *nacks_expected > 0 {
            write!(f, " ({nacks} of {nacks_expected} said so)")?;
        }
        write!(f, "; by stream: {stream}")
    }
}

impl fmt::Display for StreamPing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTried => "not tried",
            Self::Silent => "silent",
            Self::Failed => "no connection",
            Self::Answered => "answered",
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("here"),
            Self::Packet(from) => write!(f, "packet from {from}"),
            Self::Stream(with) => write!(f, "stream with {with}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_death_reads_as_a_sentence_and_names_are_escaped() {
        let accusers = vec!["a".into(), "b\u{1b}[0m".into()];
        let cause = Cause::SuspicionExpired { accusers, ran: Duration::from_millis(3001) };
        let expected = r#"not heard of for 3.0s after being accused by "a", "b\u{1b}[0m""#;
        assert_eq!(cause.to_string(), expected);
    }

    #[test]
    fn a_failed_probe_says_what_was_tried() {
        let report = ProbeReport {
            waited: Duration::from_millis(1000),
            helpers: 3,
            nacks_expected: 3,
            nacks: 2,
            stream: StreamPing::Failed,
            health: 0,
        };
        let expected = "no answer within 1.0s, neither to us nor to 3 helpers \
                        (2 of 3 said so); by stream: no connection";
        assert_eq!(Cause::ProbeFailed(report).to_string(), expected);
        let alone = ProbeReport { helpers: 0, nacks_expected: 0, nacks: 0, ..report };
        let expected =
            "no answer within 1.0s, and nobody to ask for help; by stream: no connection";
        assert_eq!(Cause::ProbeFailed(alone).to_string(), expected);
    }
}

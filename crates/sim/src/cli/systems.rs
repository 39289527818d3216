use clap::ValueEnum;
use mingle_sim::experiments::lifeguard::System;

/// Who can take part in an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// The paper's baseline: none of Lifeguard's parts
    Swim,
    /// Local health for probes alone
    LhaProbe,
    /// Suspicions that shrink with their accusers alone
    LhaSuspicion,
    /// Suspects are told with each ping, alone
    Buddy,
    /// All three, at alpha 5 and beta 6
    Lifeguard,
    /// Go memberlist's behaviour and settings
    Memberlist,
    /// Ours
    Mingle,
}

impl From<Name> for System {
    fn from(name: Name) -> Self {
        match name {
            Name::Swim => Self::Swim,
            Name::LhaProbe => Self::LhaProbe,
            Name::LhaSuspicion => Self::LhaSuspicion,
            Name::Buddy => Self::Buddy,
            Name::Lifeguard => Self::LIFEGUARD,
            Name::Memberlist => Self::Memberlist,
            Name::Mingle => Self::Mingle,
        }
    }
}

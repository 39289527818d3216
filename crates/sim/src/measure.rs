//! How fast, how accurate, how dear.

use crate::scenario::Scenario;
use crate::watch::Onlooker;

/// What is measured of one world.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    datagrams_refused: u64,
}

impl Measures {
    pub(crate) fn new(_scenario: &Scenario) -> Self {
        Self::default()
    }

    /// An envelope has refused a hostile datagram.
    pub(crate) fn datagram_refused(&mut self) {
        self.datagrams_refused += 1;
    }
}

impl Onlooker for Measures {}

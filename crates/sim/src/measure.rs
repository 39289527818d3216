//! How fast, how accurate, how dear.

use crate::scenario::Scenario;
use crate::watch::Onlooker;

/// What is measured of one world.
#[derive(Debug, Default)]
pub(crate) struct Measures {}

impl Measures {
    pub(crate) fn new(_scenario: &Scenario) -> Self {
        Self::default()
    }
}

impl Onlooker for Measures {}

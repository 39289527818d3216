//! What happened, line by line, for transcripts.

use crate::watch::Onlooker;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Tape {}

impl Onlooker for Tape {}

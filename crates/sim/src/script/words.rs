use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use mingle_wire::Incarnation;

use crate::units::parse_duration;

/// The words of a command, taken one by one.
#[derive(Debug)]
pub(super) struct Words<'a> {
    words: VecDeque<&'a str>,
    usage: &'static str,
}

impl<'a> Words<'a> {
    /// What stands between spaces, and between quotation marks as one. `usage` says how the command
    /// is written.
    pub(super) fn new(text: &'a str, usage: &'static str) -> Self {
        let mut words = VecDeque::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (word, behind) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"'))
            {
                Some(quoted) => quoted,
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            words.push_back(word);
            rest = behind.trim_start();
        }
        Self { words, usage }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<&'a str, String> {
        self.words.pop_front().ok_or_else(|| format!("something is missing; write: {}", self.usage))
    }

    /// All that are left.
    pub(super) fn rest(&mut self) -> Vec<&'a str> {
        self.words.drain(..).collect()
    }

    /// The next one must be this.
    pub(super) fn expect(&mut self, expected: &str) -> Result<(), String> {
        let word = self.next()?;
        if word == expected { Ok(()) } else { Err(self.misplaced(word)) }
    }

    pub(super) fn duration(&mut self) -> Result<Duration, String> {
        parse_duration(self.next()?)
    }

    /// Whether this word is among them, wherever.
    pub(super) fn flag(&mut self, flag: &str) -> bool {
        let place = self.words.iter().position(|&word| word == flag);
        place.is_some_and(|place| self.words.remove(place).is_some())
    }

    /// What is behind `name=`, wherever that is.
    pub(super) fn option(&mut self, name: &str) -> Option<&'a str> {
        let value =
            |word: &&'a str| word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        let place = self.words.iter().position(|word| value(word).is_some())?;
        self.words.remove(place).as_ref().and_then(value)
    }

    pub(super) fn duration_option(&mut self, name: &str) -> Result<Option<Duration>, String> {
        self.option(name).map(parse_duration).transpose()
    }

    pub(super) fn number_option<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        self.option(name).map(number).transpose()
    }

    pub(super) fn incarnation_option(&mut self) -> Result<Option<Incarnation>, String> {
        let Some(value) = self.number_option("incarnation")? else { return Ok(None) };
        let incarnation = Incarnation::new(value);
        incarnation.map(Some).ok_or_else(|| format!("{value} is no incarnation; write 1 or more"))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), String> {
        self.words.front().map_or(Ok(()), |word| Err(self.misplaced(word)))
    }

    pub(super) fn misplaced(&self, word: &str) -> String {
        format!("{word:?} does not belong here; write: {}", self.usage)
    }
}

/// A number from text.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no such number; write digits"))
}

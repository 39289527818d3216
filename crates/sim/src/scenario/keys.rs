//! Which keys a scenario may have, and where in its text they stand.
//!
//! Faults and disturbances are flattened into tables that have other keys too, where serde can't
//! refuse what it does not know. So what is known is read from a scenario that has every key once,
//! and the text is held against it before anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::ScenarioError;
use crate::nodes::Nodes;
use crate::units::parse_duration;

/// A scenario that has every key.
pub(super) const EVERY_KEY: &str = include_str!("every-key.toml");

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Duration,
    Nodes,
    Text,
    Count,
    Integer,
    Number,
    Truth,
    Table,
    List,
}

impl Kind {
    /// What the sample's value is an example of.
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            // A bare number could be either, and is no duration that anybody writes.
            DeValue::String(text) if text.parse::<Nodes>().is_ok() => Self::Nodes,
            DeValue::String(text) if parse_duration(text).is_ok() => Self::Duration,
            DeValue::String(_) | DeValue::Datetime(_) => Self::Text,
            DeValue::Integer(number) if number.as_str().starts_with('-') => Self::Integer,
            DeValue::Integer(_) => Self::Count,
            DeValue::Float(_) => Self::Number,
            DeValue::Boolean(_) => Self::Truth,
            DeValue::Array(_) => Self::List,
            DeValue::Table(_) => Self::Table,
        }
    }

    /// What is wrong with a value where this is wanted.
    fn refuse(self, value: &DeValue<'_>) -> Option<String> {
        let is = describe(value);
        match (self, value) {
            (Self::Duration, DeValue::String(text)) => parse_duration(text).err(),
            (Self::Nodes, DeValue::String(text)) => {
                text.parse::<Nodes>().err().map(|error| error.to_string())
            }
            (Self::Count, DeValue::Integer(number)) if number.as_str().starts_with('-') => {
                Some(format!("{is} is below 0; set it to 0 or more"))
            }
            (Self::Text, DeValue::String(_))
            | (Self::Count | Self::Integer | Self::Number, DeValue::Integer(_))
            | (Self::Number, DeValue::Float(_))
            | (Self::Truth, DeValue::Boolean(_))
            | (Self::List, DeValue::Array(_))
            | (Self::Table, DeValue::Table(_)) => None,
            (Self::Duration, _) => {
                Some(format!("{is} is no duration; write it as \"250ms\", \"10s\" or \"1m 30s\""))
            }
            (Self::Nodes, _) => {
                Some(format!("{is} names no nodes; write \"all\", \"3\", \"0-4\" or \"10%\""))
            }
            (Self::Text, _) => Some(format!("{is} is no text; put it in quotes")),
            (Self::Count | Self::Integer, _) => {
                Some(format!("{is} is no whole number; write one, without quotes"))
            }
            (Self::Number, _) => Some(format!("{is} is no number; write one, without quotes")),
            (Self::Truth, _) => Some(format!("{is} is neither; write true or false")),
            (Self::List, DeValue::Table(_)) => {
                Some(format!("{is} is no list; put its name in double square brackets"))
            }
            (Self::List, _) => Some(format!("{is} is no list; put it in square brackets")),
            (Self::Table, _) => Some(format!("{is} is no table; write it as {{ key = value }}")),
        }
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The keys of every kind of table.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, BTreeMap<String, Kind>>);

/// Keys whose value decides which other ones a table has.
const TAGS: [&str; 3] = ["do", "effect", "shape"];

/// What a table is: its path, or where it has tags, what those say.
fn contexts(path: &str, table: &DeTable<'_>) -> Vec<String> {
    let tag = |tag: &&str| {
        let value = table.get(*tag)?.get_ref().as_str()?;
        Some(format!("{tag} = {value:?}"))
    };
    let tagged: Vec<String> = TAGS.iter().filter_map(tag).collect();
    if tagged.is_empty() { vec![path.to_owned()] } else { tagged }
}

impl Known {
    fn all() -> Self {
        let mut known = Self::default();
        let sample = DeTable::parse(EVERY_KEY).expect("the sample is TOML");
        known.learn("", sample.get_ref());
        let config = serde_json::to_value(mingle_proto::Config::lan()).expect("it is plain data");
        known.learn_config("config", &config);
        known
    }

    fn learn(&mut self, path: &str, table: &DeTable<'_>) {
        // The sample's links have an effect without keys of its own.
        let context = contexts(path, table).swap_remove(0);
        for (key, value) in table {
            let kind = Kind::of(value.get_ref());
            let known = self.0.entry(context.clone()).or_default();
            known.insert(key.get_ref().to_string(), kind);
            each_table(&join(path, key.get_ref()), value.get_ref(), &mut |path, table| {
                self.learn(path, table);
                Ok(())
            })
            .expect("learning refuses nothing");
        }
    }

    fn learn_config(&mut self, path: &str, fields: &serde_json::Value) {
        for (name, value) in fields.as_object().into_iter().flatten() {
            let kind = match value {
                serde_json::Value::Object(object) if object.contains_key("secs") => Kind::Duration,
                serde_json::Value::Object(_) => {
                    self.learn_config(&join(path, name), value);
                    Kind::Table
                }
                serde_json::Value::Array(_) => Kind::List,
                serde_json::Value::Bool(_) => Kind::Truth,
                serde_json::Value::Number(_) => Kind::Count,
                serde_json::Value::String(_) | serde_json::Value::Null => Kind::Text,
            };
            self.0.entry(path.to_owned()).or_default().insert(name.clone(), kind);
        }
    }

    /// Whether what says of which kind the table is is known.
    fn check_tags(&self, text: &str, table: &DeTable<'_>) -> Result<(), ScenarioError> {
        for tag in TAGS {
            let Some(value) = table.get(tag) else { continue };
            let Some(name) = value.get_ref().as_str() else { continue };
            let start = format!("{tag} = ");
            if self.0.contains_key(&format!("{start}{name:?}")) {
                continue;
            }
            let known = self.0.keys().filter_map(|context| context.strip_prefix(&start));
            let what = unknown(&format!("{name:?}"), tag, known);
            return Err(ScenarioError::At { line: line_of(text, value.span()), what });
        }
        Ok(())
    }

    /// The first thing in the table that is not known or not of its kind.
    fn check(&self, text: &str, path: &str, table: &DeTable<'_>) -> Result<(), ScenarioError> {
        self.check_tags(text, table)?;
        let contexts = contexts(path, table);
        let known: BTreeMap<&String, Kind> = contexts
            .iter()
            .filter_map(|context| self.0.get(context))
            .flat_map(|keys| keys.iter().map(|(key, kind)| (key, *kind)))
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        // In the order of the text, so that what is reported first is what is read first.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let line = line_of(text, key.span());
            let Some(kind) = known.get(&name.to_owned()) else {
                let place = match contexts[0].as_str() {
                    "" => "key of a scenario".to_owned(),
                    context if context.contains('=') => format!("key of a table with {context}"),
                    context => format!("key of [{context}]"),
                };
                let others = known.keys().map(|key| key.as_str());
                let what = unknown(name, &place, others.filter(|&key| !table.contains_key(key)));
                return Err(ScenarioError::At { line, what });
            };
            if let Some(what) = kind.refuse(value.get_ref()) {
                return Err(ScenarioError::At { line, what: format!("{name}: {what}") });
            }
            each_table(&join(path, name), value.get_ref(), &mut |path, table| {
                self.check(text, path, table)
            })?;
        }
        Ok(())
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

type Visit<'v> = dyn FnMut(&str, &DeTable<'_>) -> Result<(), ScenarioError> + 'v;

/// Visits the table that the value is, or those in the list that it is.
fn each_table(path: &str, value: &DeValue<'_>, visit: &mut Visit<'_>) -> Result<(), ScenarioError> {
    match value {
        DeValue::Table(table) => visit(path, table),
        DeValue::Array(items) => {
            items.iter().try_for_each(|item| each_table(path, item.get_ref(), visit))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => Ok(()),
    }
}

/// That a word is not known, and which one is meant.
fn unknown<'k>(name: &str, what: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let nearest = known.clone().min_by_key(|key| distance(name, key)).unwrap_or_default();
    if distance(name, nearest) <= 1 + nearest.len() / 4 {
        return format!("{name} is no {what}; {nearest} is, write that or take it out");
    }
    let all = known.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
    format!("{name} is no {what}; take it out, or write one of {all}")
}

/// How many letters have to be put in, taken out or replaced to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

/// Refuses what no scenario has.
///
/// # Errors
///
/// The first key that is not known, or value that is not of its key's kind, with its line.
pub(super) fn check_keys(text: &str) -> Result<(), ScenarioError> {
    let table = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    Known::all().check(text, "", table.get_ref())
}

/// What the TOML reader says, with the line.
pub(super) fn syntax(text: &str, error: &toml::de::Error) -> ScenarioError {
    let mut what = error.message().replace('\n', " ");
    if let Some(field) = what.strip_prefix("missing field ") {
        what = format!("{} is missing; write it", field.replace('`', ""));
    }
    match error.span() {
        Some(span) => ScenarioError::At { line: line_of(text, span), what },
        None => ScenarioError::Syntax { what },
    }
}

/// The line where the field is, such as `fault[2].nodes`; that of what it would be in when it is
/// not written.
pub(super) fn line_of_field(text: &str, field: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut span = None;
    for part in field.split('.') {
        let (key, index) = part.split_once('[').unwrap_or((part, ""));
        let Some((name, value)) = table.get_key_value(key) else { break };
        let index: Option<usize> = index.trim_end_matches(']').parse().ok();
        let value: &Spanned<DeValue<'_>> = match (value.get_ref(), index) {
            (DeValue::Array(items), Some(index)) => {
                let item = items.get(index)?;
                span = Some(item.span());
                item
            }
            _ => {
                span = Some(name.span());
                value
            }
        };
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    span.map(|span| line_of(text, span))
}

fn line_of(text: &str, span: Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::*;

    #[test]
    fn the_sample_has_every_kind_of_fault_effect_and_shape() {
        for (text, tag) in
            [("do = 'x'", "do"), ("effect = 'x'", "effect"), ("shape = 'x'", "shape")]
        {
            let error = match tag {
                "do" => toml::from_str::<super::super::Fault>(text).unwrap_err(),
                "effect" => toml::from_str::<super::super::Disturbance>(text).unwrap_err(),
                _ => toml::from_str::<crate::network::Latency>(text).unwrap_err(),
            };
            let (_, names) = error.message().split_once("expected").unwrap();
            for name in names.split('`').skip(1).step_by(2) {
                assert!(EVERY_KEY.contains(&format!("{tag} = \"{name}\"")), "{tag} = {name}");
            }
        }
    }

    /// So nothing in the sample is unknown, and nothing that can be written is missing in it.
    #[test]
    fn the_sample_written_back_has_the_same_keys() {
        let scenario: Scenario = toml::from_str(EVERY_KEY).unwrap();
        let mut written = Known::default();
        let text = scenario.to_toml();
        written.learn("", DeTable::parse(&text).unwrap().get_ref());
        let mut sample = Known::default();
        sample.learn("", DeTable::parse(EVERY_KEY).unwrap().get_ref());
        let keys = |known: &Known| -> Vec<String> {
            let each = known.0.iter();
            each.flat_map(|(context, keys)| keys.keys().map(move |key| format!("{context}: {key}")))
                .collect()
        };
        assert_eq!(keys(&written), keys(&sample));
    }

    #[test]
    fn lines_and_remedies_are_named() {
        for (text, line, expected) in [
            ("nodes = 3\nduraton = \"1s\"", 2, "duration is"),
            ("nodes = 3\nduration = \"-1s\"", 2, "no duration"),
            ("nodes = -3\nduration = \"1s\"", 1, "set it to 0 or more"),
            ("nodes = 3\nduration = 5", 2, "write it as"),
            ("[[fault]]\nat = \"1s\"\ndo = \"crash\"\nnode = \"1\"", 4, "nodes is"),
            ("[[fault]]\nat = \"1s\"\ndo = \"crash\"\nnodes = 1", 4, "names no nodes"),
            ("[[fault]]\ndo = \"link\"\neffect = \"loss\"\nshares = 0.5", 4, "share is"),
            ("[[fault]]\ndo = \"link\"\neffect = \"cut\"\nshare = 0.5", 4, "no key of"),
            ("[config]\nprobe_intervall = \"1s\"", 2, "probe_interval is"),
            ("[network]\nlatency = { shape = \"fixed\", tme = \"1s\" }", 2, "time is"),
            ("[expect]\nfrobnicate = 3", 2, "one of"),
            ("nodes = 3\n[[fault]]\nat = \"1s\"\ndo = \"crush\"", 4, "\"crash\" is"),
            ("[network]\nlatency = { shape = \"log\" }", 2, "one of"),
            ("nodes = \"6\"", 1, "without quotes"),
            ("[fault]\nat = \"1s\"", 1, "double square brackets"),
            ("[[fault]]\ndo = \"crash\"\nnodes = \"1\"\nsides = \"2\"", 4, "one of"),
            ("nodes = = 3", 1, ""),
        ] {
            let Err(ScenarioError::At { line: found, what }) = check_keys(text) else {
                panic!("{text}")
            };
            assert_eq!(found, line, "{what}");
            assert!(what.contains(expected), "{what}");
        }
    }

    #[test]
    fn fields_are_found_in_the_text() {
        let text = "nodes = 3\n\n[[fault]]\nat = \"1s\"\n[[fault]]\nat = \"2s\"\nnodes = \"9\"\n";
        assert_eq!(line_of_field(text, "nodes"), Some(1));
        assert_eq!(line_of_field(text, "fault[1].nodes"), Some(7));
        assert_eq!(line_of_field(text, "fault[0].nodes"), Some(3));
        assert_eq!(line_of_field(text, "repetitions"), None);
    }
}

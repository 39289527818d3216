use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction};
use toml::{Table, Value};

use super::settings;
use crate::exit::Failure;
use crate::output;

/// What files say, by setting.
#[derive(Debug, Default)]
pub(super) struct Values {
    values: Vec<Setting>,
    /// Sentences about keys that are no settings, and values of a wrong kind.
    unknown: Vec<String>,
}

/// One setting as a file has it.
#[derive(Debug)]
pub(super) struct Setting {
    /// Of the flag.
    pub(super) id: String,
    /// In the file.
    pub(super) key: String,
    /// As they would stand on a command line.
    pub(super) texts: Vec<String>,
    pub(super) file: PathBuf,
}

impl Setting {
    /// The flag without its dashes.
    pub(super) fn flag(&self) -> String {
        self.id.replace('_', "-")
    }
}

/// A table of these stands for `--tag`.
const TAGS: &str = "tags";

impl Values {
    /// Reads files; of those that say something about one setting, the last one counts.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut values = Self::default();
        let known = settings();
        for path in files {
            for (key, value) in table(path)? {
                values.add(path, &known, &key, &value);
            }
        }
        Ok(values)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.values.iter()
    }

    pub(super) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The file that a setting is from.
    pub(super) fn file_of(&self, id: &str) -> Option<&Path> {
        self.values.iter().find(|value| value.id == id).map(|value| value.file.as_path())
    }

    fn add(&mut self, path: &Path, known: &[Arg], key: &str, value: &Value) {
        let id = if key == TAGS { "tag" } else { key };
        let arg = known.iter().find(|arg| arg.get_id() == id && key != "tag");
        let texts = match arg {
            None => Err(nearest(key, known)),
            Some(arg) => texts(arg, key, value),
        };
        match texts {
            Ok(texts) => {
                self.values.retain(|value| value.id != id);
                let (id, key) = (id.to_owned(), key.to_owned());
                self.values.push(Setting { id, key, texts, file: path.to_owned() });
            }
            Err(reason) => {
                let path = output::escape(&path.display().to_string());
                self.unknown.push(format!("{path}: {}: {reason}", output::escape(key)));
            }
        }
    }
}

fn table(path: &Path) -> Result<Table, Failure> {
    let name = output::escape(&path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| {
        let reason = output::reason(&error);
        Failure::Input(format!("{name} can't be read: {reason}; check its path"))
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        Failure::Input(format!("{name}, line {line}: {}", output::printable(error.message())))
    })
}

/// A value as it would stand on a command line.
fn texts(arg: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    match value {
        Value::Table(tags) if key == TAGS => tags.iter().map(tag).collect(),
        _ if key == TAGS => Err("a table of texts is wanted, as role = \"web\"".to_owned()),
        Value::Array(values) if is_list => values.iter().map(text).collect(),
        Value::Array(_) => Err("a list of texts is wanted nowhere here; give one value".to_owned()),
        _ if is_list => Err("a list of texts is wanted, as [\"10.0.0.1\"]".to_owned()),
        value => Ok(vec![text(value)?]),
    }
}

fn tag((key, value): (&String, &Value)) -> Result<String, String> {
    let value = value.as_str().ok_or("a table of texts is wanted, as role = \"web\"")?;
    Ok(format!("{key}={value}"))
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Table(_) => Err("a table is not wanted here; give one value".to_owned()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) => {
            Err("it is neither text, nor a whole number, nor true or false".to_owned())
        }
    }
}

/// What was probably meant.
fn nearest(key: &str, known: &[Arg]) -> String {
    let names = known.iter().map(|arg| arg.get_id().as_str()).filter(|id| *id != "tag");
    let names: Vec<_> = names.chain([TAGS]).collect();
    let similar = |name: &&&str| strsim::jaro_winkler(name, key);
    let best = names.iter().max_by(|one, other| similar(one).total_cmp(&similar(other)));
    match best.filter(|best| similar(best) > 0.8) {
        Some(best) => format!("there is no such setting; {best} is the nearest"),
        None => format!("there is no such setting; there are {}", names.join(", ")),
    }
}

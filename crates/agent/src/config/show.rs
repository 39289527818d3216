use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use serde::Serialize;

use super::file::Values;
use super::settings;
use crate::client;
use crate::output::{self, escape};
use crate::plan;

/// Every setting with its value, and where that is from.
pub(super) fn in_force(matches: &ArgMatches, values: &Values) -> String {
    let header = ["SETTING", "VALUE", "FROM"].map(str::to_owned);
    let rows = all_in_force(matches, values)
        .into_iter()
        .map(|InForce { setting, value, from }| vec![setting, value, from]);
    output::table(&header, &rows.collect::<Vec<_>>())
}

/// A setting as an agent would have it.
#[derive(Serialize)]
pub(super) struct InForce {
    setting: String,
    value: String,
    from: String,
}

/// Every setting, in the order of the help.
pub(super) fn all_in_force(matches: &ArgMatches, values: &Values) -> Vec<InForce> {
    settings().iter().map(|arg| row(arg, matches, values)).collect()
}

/// What a setting was given, as it would be written.
pub(super) fn texts(arg: &Arg, matches: &ArgMatches) -> Vec<String> {
    let raw = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
    raw.map(|text| text.to_string_lossy().into_owned()).collect()
}

/// The same for people, who should not see keys.
pub(crate) fn value(id: &str, texts: &[String]) -> String {
    match texts {
        [] => "-".to_owned(),
        [text] if text.is_empty() => "-".to_owned(),
        _ if id == "encrypt" => "(a key)".to_owned(),
        [url] if id == "otlp_endpoint" => escape(client::without_secrets(url)),
        texts => escape(&texts.join(" ")),
    }
}

fn row(arg: &Arg, matches: &ArgMatches, values: &Values) -> InForce {
    let id = arg.get_id().as_str();
    let mut texts = texts(arg, matches);
    if texts.is_empty() {
        texts.extend(plan::default_of(id));
    }
    let value = value(id, &texts);
    let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
    let from = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => "command line".to_owned(),
        Some(ValueSource::EnvVariable) => variable.unwrap_or_default(),
        Some(_) | None => match values.file_of(id) {
            Some(file) => escape(&file.display().to_string()),
            None => "default".to_owned(),
        },
    };
    InForce { setting: id.to_owned(), value, from }
}

/// A file with every setting, explained and commented out.
pub(super) fn template() -> String {
    let mut text = "\
# Settings of \"mingle agent --config FILE\". Flags and variables count before this file; \"mingle\n\
# config check FILE\" says what is wrong in it, \"mingle config print --config FILE\" what is in force.\n"
        .to_owned();
    for arg in settings() {
        text.push('\n');
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines() {
            let _ = writeln!(text, "# {}", line.trim());
        }
        let id = arg.get_id().as_str();
        let _ = match id {
            "tag" => writeln!(text, "#tags = {{ role = \"web\" }}"),
            _ => writeln!(text, "#{id} = {}", example(&arg, id)),
        };
    }
    text
}

/// What a setting may look like: what it is by itself, if it is anything.
fn example(arg: &Arg, id: &str) -> String {
    let default = arg.get_default_values().first().map(|value| value.to_string_lossy());
    match (id, default) {
        (_, Some(value)) if value == "true" || value == "false" => value.into_owned(),
        (_, Some(value)) if !value.is_empty() => format!("{value:?}"),
        ("name", _) => "\"web-1\"".to_owned(),
        ("label", _) => "\"blue\"".to_owned(),
        ("bind" | "advertise", _) => "\"10.0.0.7:7946\"".to_owned(),
        ("http", _) => "\"127.0.0.1:7374\"".to_owned(),
        ("encrypt", _) => "\"a key of mingle keygen\"".to_owned(),
        ("keyring_file", _) => "\"/etc/mingle/keys.json\"".to_owned(),
        ("http_token_file", _) => "\"/etc/mingle/token\"".to_owned(),
        ("http_tls_cert", _) => "\"/etc/mingle/cert.pem\"".to_owned(),
        ("http_tls_key", _) => "\"/etc/mingle/key.pem\"".to_owned(),
        ("http_allowed_host", _) => "[\"web-1.example.org\"]".to_owned(),
        ("otlp_endpoint", _) => "\"http://127.0.0.1:4318\"".to_owned(),
        ("probe_interval", _) => "\"1s\"".to_owned(),
        ("probe_timeout", _) => "\"500ms\"".to_owned(),
        ("gossip_interval", _) => "\"200ms\"".to_owned(),
        ("suspicion_mult", _) => "4".to_owned(),
        ("meta", _) => "\"00ff\"".to_owned(),
        ("state" | "record", _) => format!("\"/var/lib/mingle/{id}\""),
        _ if matches!(arg.get_action(), ArgAction::Append) => "[\"10.0.0.1\"]".to_owned(),
        _ => "\"\"".to_owned(),
    }
}

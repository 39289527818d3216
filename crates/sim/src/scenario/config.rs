use std::collections::BTreeMap;

use mingle_proto::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::ScenarioError;
use crate::units::parse_duration;

/// A preset of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// For one data centre.
    #[default]
    Lan,
    /// For nodes far apart.
    Wan,
    /// For one machine.
    Local,
}

/// By whose rules nodes play where those differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rules {
    /// Ours.
    #[default]
    Mingle,
    /// Those of Go memberlist.
    Memberlist,
}

/// Fields of [`Config`] by name: durations as text, everything else as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides(pub BTreeMap<String, Value>);

impl Overrides {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The preset with these fields in place of its own.
    pub(crate) fn apply(&self, profile: Profile, rules: Rules) -> Result<Config, ScenarioError> {
        let preset = match profile {
            Profile::Lan => Config::lan(),
            Profile::Wan => Config::wan(),
            Profile::Local => Config::local(),
        };
        let preset = match rules {
            Rules::Mingle => preset,
            Rules::Memberlist => preset.with_memberlist_rules(),
        };
        let mut fields = serde_json::to_value(&preset).expect("a config is plain data");
        for (name, value) in &self.0 {
            let Some(field) = fields.get_mut(name) else {
                return Err(unknown(name, &fields));
            };
            *field = spelled(name, field, value)?;
        }
        let config: Config = serde_json::from_value(fields)
            .map_err(|error| ScenarioError::Config { what: error.to_string() })?;
        config.check().map_err(|error| ScenarioError::Config { what: error.to_string() })?;
        Ok(config)
    }
}

fn unknown(name: &str, fields: &Value) -> ScenarioError {
    let names = fields.as_object().into_iter().flat_map(serde_json::Map::keys).cloned();
    let known = names.collect::<Vec<_>>().join(", ");
    ScenarioError::Config { what: format!("there is no field {name}; there are {known}") }
}

/// The value as the field spells it: durations are text in a scenario, and two numbers inside.
fn spelled(name: &str, field: &Value, value: &Value) -> Result<Value, ScenarioError> {
    if field.get("secs").is_none() {
        return Ok(value.clone());
    }
    let text = value.as_str().ok_or_else(|| ScenarioError::Config {
        what: format!("{name} is a duration; write it as \"250ms\" or \"10s\""),
    })?;
    let time = parse_duration(text)
        .map_err(|what| ScenarioError::Config { what: format!("{name}: {what}") })?;
    Ok(serde_json::to_value(time).expect("a duration is two numbers"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with(name: &str, value: Value) -> Result<Config, ScenarioError> {
        Overrides(BTreeMap::from([(name.to_owned(), value)])).apply(Profile::Lan, Rules::Mingle)
    }

    #[test]
    fn any_field_can_differ_from_the_preset() {
        let config = with("probe_interval", "2s".into()).unwrap();
        assert_eq!(config, Config { probe_interval: Duration::from_secs(2), ..Config::lan() });
        let config = with("indirect_checks", 5.into()).unwrap();
        assert_eq!(config, Config { indirect_checks: 5, ..Config::lan() });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value, expected) in [
            ("probe_intervall", Value::from("2s"), "there is no field probe_intervall"),
            ("probe_interval", Value::from(2), "probe_interval is a duration"),
            ("probe_interval", Value::from("-2s"), "no duration"),
            ("probe_interval", Value::from("0s"), "set it between"),
        ] {
            let text = with(name, value).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }
}

//! Whether what the pages show is what comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What differs from run to run, and what stands for it.
static CHANCE: LazyLock<[(Regex, &str); 11]> = LazyLock::new(|| {
    [
        // A round trip is there from the first ping on.
        (r" (-|\d+(\.\d+)? ms)$", " RTT"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"\d\d:\d\d:\d\d(\.\d+)?", "TIME"),
        (r"\b\d+(\.\d+)? ?(ns|us|µs|ms|s|m|h)\b( \d+s\b)?", "DURATION"),
        // So is an answer.
        (r" last_ack=DURATION\b", ""),
        (r"\b(incarnation[ =])\d+", "${1}N"),
        (r"\bas [^ ,]+(, [^ ,]+)* confirmed\b", "as NAMES confirmed"),
        (r"\b127\.0\.0\.1:[3-6]\d{4}\b", "127.0.0.1:PORT"),
        (r"\b[0-9a-f]{16}\b|\b[0-9a-f]{8}\b", "HEXADECIMAL"),
        (r"\b[A-Za-z0-9+/]{43}=", "KEY"),
        (r" +", " "),
    ]
    .map(|(pattern, by)| (Regex::new(pattern).unwrap(), by))
});

fn plain(line: &str) -> String {
    let blank =
        |text: String, (pattern, by): &(Regex, &str)| pattern.replace_all(&text, *by).into_owned();
    CHANCE.iter().fold(line.trim_end().to_owned(), blank)
}

/// Whether the lines are those that the page shows, apart from times, durations, ports that the system
/// chooses, and other chance. A line of `...` stands for any number of lines.
///
/// # Errors
///
/// The first line of the page that does not come, or the first one too many.
pub(crate) fn same_output(shown: &[String], real: &str) -> Result<(), String> {
    let real: Vec<_> = real.lines().map(plain).collect();
    let mut rest = &real[..];
    let mut skipping = false;
    for line in shown {
        if line == "..." {
            skipping = true;
            continue;
        }
        let expected = plain(line);
        let at = if skipping { rest.iter().position(|line| *line == expected) } else { Some(0) };
        match at.and_then(|at| rest.split_at_checked(at + 1)) {
            Some((passed, after)) if passed.last() == Some(&expected) => rest = after,
            _ => return Err(format!("this line of the page does not come: {line}")),
        }
        skipping = false;
    }
    match rest.first() {
        Some(line) if !skipping && !shown.is_empty() => {
            Err(format!("the page does not have this line: {line}"))
        }
        _ => Ok(()),
    }
}

/// What a JSON value looks like.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// Nothing is known: `null`, or values of several kinds.
    Any,
    Plain(&'static str),
    /// By key, and whether all objects that went into this shape have it.
    Object(BTreeMap<String, (bool, Self)>),
    Array(Option<Box<Self>>),
}

impl Shape {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Any,
            Value::Bool(_) => Self::Plain("a boolean"),
            Value::Number(_) => Self::Plain("a number"),
            Value::String(_) => Self::Plain("a string"),
            Value::Array(values) => {
                let shapes = values.iter().map(Self::of).reduce(Self::or);
                Self::Array(shapes.map(Box::new))
            }
            Value::Object(entries) => {
                let entry =
                    |(key, value): (&String, &Value)| (key.clone(), (true, Self::of(value)));
                Self::Object(entries.iter().map(entry).collect())
            }
        }
    }

    /// The shape of what has either.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Object(mut one), Self::Object(other)) => {
                one.iter_mut().for_each(|(key, (always, _))| *always &= other.contains_key(key));
                for (key, (always, shape)) in other {
                    let merged = match one.remove(&key) {
                        Some((both, held)) => (both && always, held.or(shape)),
                        None => (false, shape),
                    };
                    one.insert(key, merged);
                }
                Self::Object(one)
            }
            (Self::Array(one), Self::Array(other)) => Self::Array(match (one, other) {
                (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
                (one, other) => one.or(other),
            }),
            (one, other) if one == other => one,
            _ => Self::Any,
        }
    }
}

/// The JSON of a page, where `...` may stand for further elements. They are objects of which nothing is
/// known, so that no key has to be in all of them.
///
/// # Errors
///
/// When it is no JSON.
pub(crate) fn parse_shown(text: &str) -> Result<Value, String> {
    let lines = text.lines().map(|line| if line.trim() == "..." { "{}" } else { line });
    serde_json::from_str(&lines.collect::<Vec<_>>().join("\n"))
        .map_err(|error| format!("the page shows no JSON: {error}"))
}

/// Whether an answer has the keys that the page shows, and none that the page does not mention.
///
/// Of several objects in one array, keys that only some of them have may be missing. What is an element
/// in the page must have one in the answer. `null` goes with everything.
///
/// # Errors
///
/// The first difference, with the way to it.
pub(crate) fn same_keys(
    shown: &Value,
    real: &Value,
    mentioned: &BTreeSet<&str>,
) -> Result<(), String> {
    fits(&Shape::of(shown), real, "the answer", mentioned)
}

fn fits(shown: &Shape, real: &Value, at: &str, mentioned: &BTreeSet<&str>) -> Result<(), String> {
    match (shown, real) {
        (Shape::Any, _) | (_, Value::Null) => Ok(()),
        // The keys of tags are their owner's.
        (Shape::Object(_), Value::Object(_)) if at.ends_with(".tags") => Ok(()),
        (Shape::Object(keys), Value::Object(entries)) => {
            let missing =
                keys.iter().find(|(key, (always, _))| *always && !entries.contains_key(*key));
            if let Some((key, _)) = missing {
                return Err(format!("{at} has no {key:?}"));
            }
            for (key, value) in entries {
                match keys.get(key) {
                    Some((_, shape)) => fits(shape, value, &format!("{at}.{key}"), mentioned)?,
                    None if mentioned.contains(key.as_str()) => {}
                    None => return Err(format!("the page does not mention {at}.{key}")),
                }
            }
            Ok(())
        }
        (Shape::Array(None), Value::Array(_)) => Ok(()),
        (Shape::Array(Some(_)), Value::Array(values)) if values.is_empty() => {
            Err(format!("{at} is empty"))
        }
        (Shape::Array(Some(element)), Value::Array(values)) => {
            values.iter().try_for_each(|value| fits(element, value, &format!("{at}[]"), mentioned))
        }
        (shape, value) if *shape == Shape::of(value) => Ok(()),
        (shape, value) => Err(format!("{at} is {value}, and the page has {shape:?}")),
    }
}

#[test]
fn output_may_differ_by_chance_only() {
    let shown = ["NAME  SINCE                 RTT", "a     2026-11-21T06:15:35Z  0.198 ms", "..."];
    let shown = shown.map(str::to_owned);
    let good = "NAME SINCE RTT\na 2027-01-02T03:04:05Z 12.5 ms\nmore\n";
    assert_eq!(same_output(&shown, good), Ok(()));
    let unpinged = good.replace("12.5 ms", "-");
    assert_eq!(same_output(&shown, &unpinged), Ok(()));
    for bad in ["NAME SINCE RTT\nb 2027-01-02T03:04:05Z 12.5 ms", "NAME SINCE RTT\na - 1 ms", ""] {
        assert!(same_output(&shown, bad).is_err(), "{bad}");
    }
    assert!(same_output(&shown[..2], good).unwrap_err().contains("more"));
    assert_eq!(same_output(&[], good), Ok(()));
}

#[test]
fn keys_that_are_missing_or_not_mentioned_are_found() {
    let shown =
        parse_shown("{\"a\": 1, \"list\": [{\"x\": 1, \"y\": 2}, {\"x\": 1}], \"z\": null}");
    let shown = shown.unwrap();
    let mentioned = BTreeSet::from(["known"]);
    let check = |real: &str| same_keys(&shown, &serde_json::from_str(real).unwrap(), &mentioned);
    assert_eq!(check(r#"{"a": 2, "list": [{"x": 3}], "z": {"w": 1}, "known": 1}"#), Ok(()));
    for bad in [
        r#"{"list": [{"x": 3}], "z": 1}"#,
        r#"{"a": 2, "list": [], "z": 1}"#,
        r#"{"a": 2, "list": [{"y": 3}], "z": 1}"#,
        r#"{"a": 2, "list": [{"x": 3, "new": 1}], "z": 1}"#,
        r#"{"a": "2", "list": [{"x": 3}], "z": 1}"#,
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}

#[test]
fn of_elements_that_are_left_out_no_key_is_expected() {
    let shown = parse_shown("[{\"x\": 1},\n  ...\n]").unwrap();
    let check = |real: &str| {
        same_keys(&shown, &serde_json::from_str(real).unwrap(), &BTreeSet::from(["known"]))
    };
    assert_eq!(check(r#"[{"x": 2}, {"known": 1}]"#), Ok(()));
    assert!(check(r#"[{"x": 2}, {"new": 1}]"#).is_err());
    assert!(parse_shown("{ x }").is_err());
}

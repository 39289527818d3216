use regex::{Regex, RegexBuilder};

use crate::api::MemberView;

/// Which members somebody wants to see; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Any of these; all where there is none.
    states: Vec<String>,
    name: Option<Regex>,
    tags: Vec<(String, Regex)>,
}

/// The states that members can be in.
pub(crate) const STATES: [&str; 4] = ["alive", "suspect", "dead", "left"];
/// Most bytes that a compiled expression may take: whoever asks over HTTP chooses it.
const MAX_COMPILED: usize = 1 << 20;

impl Selection {
    /// Reads what was given as pairs of `state`, `name` or `tag`, and a value; or says in a sentence
    /// what is wrong.
    pub(crate) fn new<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, String>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut selection = Self::default();
        for (key, value) in pairs {
            selection.add(key.as_ref(), value.as_ref())?;
        }
        Ok(selection)
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "state" if STATES.contains(&value) => self.states.push(value.to_owned()),
            "state" => {
                return Err(format!("{value:?} is no state; choose of {}", STATES.join(", ")));
            }
            "name" if self.name.is_some() => {
                return Err("two names are asked for; join them as one|other".to_owned());
            }
            "name" => self.name = Some(whole(value)?),
            "tag" => {
                let (tag, pattern) = value.split_once('=').ok_or_else(|| {
                    format!("{value:?} is no condition on a tag; write it as role=web")
                })?;
                self.tags.push((tag.to_owned(), whole(pattern)?));
            }
            _ => return Err(format!("{key:?} selects nothing; there are state, name and tag")),
        }
        Ok(())
    }

    pub(crate) fn has(&self, member: &MemberView) -> bool {
        let has_tag = |(tag, pattern): &(String, Regex)| {
            member.tags.get(tag).is_some_and(|value| pattern.is_match(value))
        };
        (self.states.is_empty() || self.states.contains(&member.state))
            && self.name.as_ref().is_none_or(|pattern| pattern.is_match(&member.name))
            && self.tags.iter().all(has_tag)
    }
}

/// An expression that the whole text has to match, as with Serf.
fn whole(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(MAX_COMPILED).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("the expression {pattern:?} is too large"),
        _ => format!("{pattern:?} is no regular expression; quote what has a meaning with \\"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, state: &str, tags: &[(&str, &str)]) -> MemberView {
        MemberView {
            name: name.to_owned(),
            address: "127.0.0.1:1".parse().unwrap(),
            state: state.to_owned(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            incarnation: 1,
            since: String::new(),
            rtt_ms: None,
            degraded: None,
        }
    }

    #[test]
    fn what_is_selected_matches_in_whole() {
        let members = [
            member("web-1", "alive", &[("role", "web"), ("dc", "eu-1")]),
            member("web-10", "dead", &[("role", "web")]),
            member("db", "suspect", &[("role", "database")]),
        ];
        type Pairs = &'static [(&'static str, &'static str)];
        let table: [(Pairs, &[&str]); 9] = [
            (&[], &["web-1", "web-10", "db"]),
            (&[("state", "alive"), ("state", "suspect")], &["web-1", "db"]),
            (&[("name", "web-1")], &["web-1"]),
            (&[("name", "web-.*|db")], &["web-1", "web-10", "db"]),
            (&[("tag", "role=web")], &["web-1", "web-10"]),
            (&[("tag", "role=.*b.*")], &["web-1", "web-10", "db"]),
            (&[("tag", "role=web"), ("tag", "dc=eu-.")], &["web-1"]),
            (&[("tag", "rack=.*")], &[]),
            (&[("tag", "dc=")], &[]),
        ];
        for (pairs, expected) in table {
            let selection = Selection::new(pairs.iter().copied()).unwrap();
            let names = members.iter().filter(|member| selection.has(member));
            assert_eq!(names.map(|m| m.name.as_str()).collect::<Vec<_>>(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let table = [
            ("state", "ill", "\"ill\" is no state; choose of alive, suspect, dead, left"),
            ("tag", "role", "\"role\" is no condition on a tag; write it as role=web"),
            ("name", "(", "\"(\" is no regular expression; quote what has a meaning with \\"),
            ("name", "a{999}{999}", "the expression \"a{999}{999}\" is too large"),
            ("size", "1", "\"size\" selects nothing; there are state, name and tag"),
        ];
        for (key, value, expected) in table {
            assert_eq!(Selection::new([(key, value)]).unwrap_err(), expected);
        }
        assert!(Selection::new([("name", "a"), ("name", "b")]).is_err());
    }
}

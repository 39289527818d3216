use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use mingle::{Advertise, BindAddress, Builder, Cluster, Config, Delegate, Keyring};

use crate::access::Access;
use crate::cli::{AgentArgs, Application, Profile};
use crate::endpoint::{self, Place};
use crate::exit::Failure;
use crate::otel::Collector;
use crate::timing::Timing;
use crate::{joining, keys};

/// What an agent was asked to be: everything is read and checked that can be before it starts.
pub(crate) struct Plan {
    pub(crate) name: String,
    /// `None` when nobody chose one.
    pub(crate) bind: Option<BindAddress>,
    pub(crate) advertise: Option<Advertise>,
    /// Where it answers HTTP; `None` when nobody chose.
    pub(crate) http: Option<Place>,
    /// Who may ask there.
    pub(crate) access: Arc<Access>,
    pub(crate) join: Vec<String>,
    pub(crate) retry_join: Vec<String>,
    pub(crate) statement: Statement,
    pub(crate) keyring: Option<Keyring>,
    /// Where it is from, if not from the settings themselves.
    pub(crate) keyring_file: Option<PathBuf>,
    pub(crate) label: String,
    pub(crate) profile: Profile,
    pub(crate) timing: Timing,
    pub(crate) compress: bool,
    pub(crate) recording: Option<Recording>,
    /// Where the agent keeps its state.
    pub(crate) state: Option<PathBuf>,
    /// Who is told metrics and spans.
    pub(crate) collector: Option<Collector>,
    /// Whether a signal makes it say goodbye.
    pub(crate) goodbyes: Goodbyes,
}

/// Which signals make an agent say goodbye before it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goodbyes {
    pub(crate) on_interrupt: bool,
    pub(crate) on_terminate: bool,
}

/// Where the agent records, and the most that it may take.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) folder: PathBuf,
    pub(crate) bytes: u64,
}

/// What the agent states about itself, in the spelling of its application.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// Serf's versions and tags.
    Serf(BTreeMap<String, String>),
    /// No versions, and opaque meta.
    Bare(Vec<u8>),
}

/// Where gossip is when nobody chose: this machine only.
const DEFAULT_BIND: &str = "127.0.0.1:7946";

impl Plan {
    pub(crate) fn new(args: &AgentArgs) -> Result<Self, Failure> {
        for address in args.join.iter().chain(&args.retry_join) {
            joining::check(address)?;
        }
        let http = args.http.http.as_deref().map(str::parse).transpose()?;
        Ok(Self {
            access: Arc::new(Access::new(&args.http, http.as_ref().unwrap_or(&default_http()))?),
            http,
            name: args.name.clone().map_or_else(host_name, Ok)?,
            bind: args.bind.as_deref().map(|text| text.parse().map_err(input)).transpose()?,
            advertise: args
                .advertise
                .as_deref()
                .map(|text| text.parse().map_err(input))
                .transpose()?,
            join: args.join.clone(),
            retry_join: args.retry_join.clone(),
            statement: statement(args)?,
            keyring: keyring(args)?,
            keyring_file: args.keyring_file.clone(),
            label: args.label.clone(),
            profile: args.profile,
            timing: args.timing,
            compress: args.compress,
            recording: args
                .record
                .clone()
                .map(|folder| Recording { folder, bytes: args.record_size }),
            state: args.state.clone(),
            collector: args.otlp_endpoint.as_deref().map(Collector::new).transpose()?,
            goodbyes: Goodbyes {
                on_interrupt: args.leave_on_interrupt,
                on_terminate: args.leave_on_terminate,
            },
        })
    }

    /// Whether it was told of somebody to look for.
    pub(crate) fn has_seeds(&self) -> bool {
        !self.join.is_empty() || !self.retry_join.is_empty()
    }

    pub(crate) fn bind(&self) -> BindAddress {
        self.bind.unwrap_or_else(|| DEFAULT_BIND.parse().expect("it is an address"))
    }

    pub(crate) fn http(&self) -> Place {
        self.http.clone().unwrap_or_else(default_http)
    }

    /// The node that it describes.
    pub(crate) fn builder(&self) -> Builder {
        let builder = Cluster::builder(&self.name)
            .bind(self.bind())
            .config(self.timing.of(match self.profile {
                Profile::Lan => Config::lan(),
                Profile::Wan => Config::wan(),
                Profile::Local => Config::local(),
            }))
            .label(&self.label)
            .join(self.join.iter().chain(&self.retry_join))
            .compress(self.compress);
        let builder = match &self.statement {
            Statement::Serf(tags) => builder.delegate(Delegate::SERF).tags(tags),
            Statement::Bare(meta) => builder.delegate(Delegate::NONE).meta(meta.as_slice()),
        };
        let builder = match self.advertise {
            Some(advertise) => builder.advertise(advertise),
            None => builder,
        };
        let builder = match &self.recording {
            Some(Recording { folder, bytes }) => builder.record(folder, *bytes),
            None => builder,
        };
        let builder = match &self.state {
            Some(folder) => builder.state(folder),
            None => builder,
        };
        match &self.keyring {
            Some(keyring) => builder.keyring(keyring.clone()),
            None => builder,
        }
    }
}

/// What a setting is when nobody gave it, where that is not for the command line to know.
pub(crate) fn default_of(setting: &str) -> Option<String> {
    match setting {
        "name" => Some(system_name()),
        "bind" => Some(DEFAULT_BIND.to_owned()),
        "http" => Some(endpoint::DEFAULT.to_owned()),
        _ => None,
    }
}

fn default_http() -> Place {
    endpoint::DEFAULT.parse().expect("it is an address")
}

fn input(error: impl std::error::Error) -> Failure {
    Failure::Input(error.to_string())
}

fn keyring(args: &AgentArgs) -> Result<Option<Keyring>, Failure> {
    match (&args.encrypt, &args.keyring_file) {
        (Some(_), Some(_)) => Err(Failure::Input(
            "both a key and a keyring file are given; keep --encrypt or --keyring-file".to_owned(),
        )),
        (Some(key), None) => keys::parse(key).map(Some),
        (None, Some(path)) => keys::read(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn statement(args: &AgentArgs) -> Result<Statement, Failure> {
    match (args.delegate, &args.meta) {
        (Application::Serf, None) => Ok(Statement::Serf(tags("--tag", &args.tag)?)),
        (Application::Serf, Some(_)) => Err(Failure::Input(
            "--meta takes the place that Serf's tags have; add --delegate none, or use --tag"
                .to_owned(),
        )),
        (Application::None, _) if !args.tag.is_empty() => Err(Failure::Input(
            "--tag is spelled for Serf agents, which --delegate none is not; use --meta".to_owned(),
        )),
        (Application::None, meta) => Ok(Statement::Bare(hex(meta.as_deref().unwrap_or_default())?)),
    }
}

/// Tags as they are given on a command line.
pub(crate) fn tags(flag: &str, given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for text in given {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or_else(|| {
            Failure::Input(format!("{text:?} is no tag; write it as {flag} role=web"))
        })?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::Input(format!(
                "the tag {key:?} is given twice; drop one of them"
            )));
        }
    }
    Ok(tags)
}

fn hex(text: &str) -> Result<Vec<u8>, Failure> {
    let digits: Option<Vec<u8>> = text.chars().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2)).ok_or_else(|| {
        Failure::Input("--meta is not hexadecimal; write two digits for each byte".to_owned())
    })?;
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

fn digit(character: char) -> Option<u8> {
    character.to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn host_name() -> Result<String, Failure> {
    let name = system_name();
    if name.is_empty() {
        return Err(Failure::Input("this machine has no name; give one with --name".to_owned()));
    }
    Ok(name)
}

#[cfg(unix)]
fn system_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn system_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_a_key_once() {
        let tags = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(|text| (*text).to_owned()).collect();
            tags("--tag", &given).ok().map(|tags| format!("{tags:?}"))
        };
        assert_eq!(tags(&["a=b=c", "d="]).as_deref(), Some(r#"{"a": "b=c", "d": ""}"#));
        assert_eq!(tags(&["a"]), None);
        assert_eq!(tags(&["=a"]), None);
        assert_eq!(tags(&["a=1", "a=2"]), None);
    }

    #[test]
    fn meta_is_pairs_of_digits() {
        assert_eq!(hex("00fF10"), Ok(vec![0, 255, 16]));
        assert_eq!(hex(""), Ok(vec![]));
        for text in ["0", "0g", "0x00", " 00", "é"] {
            assert!(hex(text).is_err(), "{text:?}");
        }
    }
}

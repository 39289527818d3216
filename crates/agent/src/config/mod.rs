//! What configures an agent: flags, then variables, then files, then what it does by itself.
//!
//! Files become defaults of the command line, so that one parser checks all values and knows where each
//! is from.

mod file;
mod show;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::{OsStr, Resettable};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};

use self::file::Values;
pub(crate) use self::show::value;
use crate::cli::{AgentArgs, Cli, ConfigCommand};
use crate::exit::Failure;
use crate::output;
use crate::plan::Plan;

/// A command line that was read, with the variables and the files that it names.
pub(crate) struct Parsed {
    pub(crate) cli: Cli,
    /// Of an agent, for `agent` and `config print`.
    pub(crate) settings: Option<Settings>,
}

/// What configures an agent, each with where it is from.
#[derive(Debug)]
pub(crate) struct Settings {
    matches: ArgMatches,
    values: Values,
}

impl Settings {
    /// Each setting by its name, as it would be written.
    pub(crate) fn texts(&self) -> BTreeMap<String, Vec<String>> {
        let text = |arg: &Arg| (arg.get_id().to_string(), show::texts(arg, &self.matches));
        settings().iter().map(text).collect()
    }
}

/// Reads the command line, and the files that it names.
pub(crate) fn parse(line: &[OsString]) -> Result<Parsed, Stop> {
    let mut matches = Cli::command().try_get_matches_from(line).map_err(Stop::Usage)?;
    let files = files(&matches);
    let mut values = Values::default();
    if !files.is_empty() {
        (matches, values) = with_files(Cli::command(), line, &files)?;
    }
    let cli = Cli::from_arg_matches(&matches).map_err(Stop::Usage)?;
    let settings = agent(&matches).cloned().map(|matches| Settings { matches, values });
    Ok(Parsed { cli, settings })
}

/// Why a command line can't be taken.
pub(crate) enum Stop {
    /// What clap has to say.
    Usage(clap::Error),
    /// What is wrong in a file.
    Files(Failure),
}

impl From<Stop> for Failure {
    /// For whom no command line is printed.
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Usage(error) => Self::Input(reason_of(&error)),
            Stop::Files(failure) => failure,
        }
    }
}

/// A sentence for each variable that is spelled nearly as one that configures an agent: whoever set it may
/// have meant that one. It may belong to something else, as those do that Kubernetes sets for a service of
/// this name, so that nothing is refused.
pub(crate) fn strange_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<String> {
    let known = settings();
    let known: Vec<_> = known.iter().filter_map(|arg| arg.get_env()?.to_str()).collect();
    let names = variables.filter_map(|(name, _)| name.into_string().ok());
    let strange = names.filter(|name| name.starts_with(PREFIX) && !known.contains(&name.as_str()));
    let sentence = |name: String| {
        let distance = |other: &&&str| strsim::damerau_levenshtein(&name, other);
        let nearest =
            known.iter().min_by_key(distance).filter(|known| distance(known) <= MISSPELLED)?;
        Some(format!("the variable {name} configures nothing; {nearest} is the nearest that does"))
    };
    strange.filter_map(sentence).collect()
}

/// What variables begin with.
const PREFIX: &str = "MINGLE_";
/// How many letters may be wrong, missing, too many or swapped in what was meant as a known name.
const MISSPELLED: usize = 2;

/// The files that a command line names for an agent.
fn files(matches: &ArgMatches) -> Vec<PathBuf> {
    let given = agent(matches).and_then(|agent| agent.try_get_many("config").ok().flatten());
    given.map(|files| files.cloned().collect()).unwrap_or_default()
}

/// What was given for an agent, to `agent` or to `config print`.
fn agent(matches: &ArgMatches) -> Option<&ArgMatches> {
    match matches.subcommand()? {
        ("agent", agent) => Some(agent),
        ("config", config) => config.subcommand_matches("print"),
        _ => None,
    }
}

/// Reads a command line with what these files say as defaults.
fn with_files(
    program: clap::Command,
    line: &[OsString],
    files: &[PathBuf],
) -> Result<(ArgMatches, Values), Stop> {
    let values = Values::read(files).map_err(Stop::Files)?;
    let problems = problems(&values);
    if !problems.is_empty() {
        return Err(Stop::Files(Failure::Input(problems.join("\n       "))));
    }
    let defaults = |command: clap::Command| {
        values.iter().fold(command, |command, value| {
            command.mut_arg(&value.id, |arg| with_default(arg, &value.texts))
        })
    };
    let command = program
        .mut_subcommand("agent", defaults)
        .mut_subcommand("config", |config| config.mut_subcommand("print", defaults));
    let matches = command.try_get_matches_from(line).map_err(Stop::Usage)?;
    Ok((matches, values))
}

fn with_default(arg: Arg, texts: &[String]) -> Arg {
    arg.default_values(texts.iter().map(|text| OsStr::from(text.clone())))
}

/// What is wrong with values, each taken for itself.
fn problems(values: &Values) -> Vec<String> {
    let wrong = values.iter().filter_map(|value| {
        let flags = value.texts.iter().map(|text| format!("--{}={text}", value.flag()));
        let line = ["mingle", "agent"].map(str::to_owned).into_iter().chain(flags);
        let reason = match without_variables().try_get_matches_from(line) {
            Ok(matches) if ALONE.contains(&value.id.as_str()) => plan(&matches).err()?,
            Ok(_) => return None,
            Err(error) => {
                let is_choice = error.kind() == ErrorKind::InvalidValue;
                let choices = is_choice.then(|| choices(&error)).flatten();
                choices.unwrap_or_else(|| reason_of(&error))
            }
        };
        let (key, file) = (&value.key, value.file.display().to_string());
        Some(format!("{}: {key}: {reason}", output::escape(&file)))
    });
    values.unknown().iter().cloned().chain(wrong).collect()
}

/// Settings that mean the same whatever the others are.
const ALONE: [&str; 6] = ["name", "label", "bind", "advertise", "join", "retry_join"];

/// What an agent would do with these, or why it would not start. Nothing is started.
fn plan(matches: &ArgMatches) -> Result<(), String> {
    let args = agent(matches).map(AgentArgs::from_arg_matches);
    let args = args.expect("it is the agent that is asked for");
    let plan = Plan::new(&args.map_err(|error| reason_of(&error))?);
    let plan = plan.map_err(|failure| match failure {
        Failure::No(sentence) | Failure::Input(sentence) | Failure::Unreachable(sentence) => {
            sentence
        }
    })?;
    plan.builder().validate().map_err(|error| error.to_string())
}

/// The command line alone: what is wrong in a variable is no fault of a file.
fn without_variables() -> clap::Command {
    Cli::command().mut_subcommand("agent", |agent| agent.mut_args(|arg| arg.env(Resettable::Reset)))
}

/// What a value may be, if it must be one of few.
fn choices(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let given = error.get(ContextKind::InvalidValue)?.to_string();
    let ContextValue::Strings(valid) = error.get(ContextKind::ValidValue)? else { return None };
    (!valid.is_empty()).then(|| format!("{given:?} is none of {}", valid.join(", ")))
}

/// The first line of what clap says, without what is about command lines.
fn reason_of(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    output::printable(line.split_once(": ").map_or(line, |(_, reason)| reason))
}

/// `mingle config`
pub(crate) fn run(command: &ConfigCommand, given: Option<&Settings>) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { files } => check(files),
        ConfigCommand::Print(_) => print(given.expect("they were read with the command line")),
        ConfigCommand::Init { file } => init(file.as_deref()),
    }
}

fn check(files: &[PathBuf]) -> Result<(), Failure> {
    let config = files.iter().flat_map(|file| ["--config".into(), file.into()]);
    let line: Vec<OsString> =
        ["mingle", "agent"].map(OsString::from).into_iter().chain(config).collect();
    let (matches, _) = with_files(without_variables(), &line, files)?;
    plan(&matches).map_err(Failure::Input)?;
    output::print("an agent can start with this, where no variable says otherwise\n")
}

fn print(Settings { matches, values }: &Settings) -> Result<(), Failure> {
    for sentence in strange_variables(std::env::vars_os()) {
        let _ = writeln!(std::io::stderr(), "warning: {sentence}");
    }
    if matches.get_flag("json") {
        return output::print(&output::json(&show::all_in_force(matches, values)));
    }
    output::print(&show::in_force(matches, values))
}

fn init(file: Option<&Path>) -> Result<(), Failure> {
    let text = show::template();
    let Some(path) = file else { return output::print(&text) };
    let name = output::escape(&path.display().to_string());
    let made = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    made.map_err(|error| output::not_made(&name, &error))
}

/// The flags of an agent that files may have too.
fn settings() -> Vec<Arg> {
    let mut program = Cli::command();
    let agent = program.find_subcommand_mut("agent").expect("it is one of the commands");
    let is_setting = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        arg.get_long().is_some() && !["config", "json", "help"].contains(&id)
    };
    agent.get_arguments().filter(is_setting).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;

    fn agent_of(line: &str) -> Result<Box<AgentArgs>, String> {
        let line: Vec<_> = line.split(' ').map(OsString::from).collect();
        match parse(&line).map(|parsed| parsed.cli) {
            Ok(Cli { command: Command::Agent(args) }) => Ok(args),
            Ok(_) => panic!("it asks for an agent"),
            Err(Stop::Usage(error)) => Err(error.to_string()),
            Err(Stop::Files(Failure::Input(sentence))) => Err(sentence),
            Err(Stop::Files(other)) => panic!("{other:?}"),
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn flags_count_before_files_and_later_files_before_earlier_ones() {
        let one = file("name = \"one\"\njoin = [\"10.0.0.1\", \"10.0.0.2\"]\ncompress = true\n");
        let two = file("name = \"two\"\n[tags]\nrole = \"web\"\n");
        let (one, two) = (one.path().display(), two.path().display());
        let both = format!("mingle agent --config {one} --config {two}");
        let args = agent_of(&both).unwrap();
        assert_eq!(args.name.as_deref(), Some("two"));
        assert_eq!(
            (args.join.as_slice(), args.compress),
            (&["10.0.0.1", "10.0.0.2"].map(str::to_owned)[..], true)
        );
        assert_eq!(args.tag, ["role=web"]);
        let args =
            agent_of(&format!("{both} --name flag --join 10.0.0.3 --compress=false")).unwrap();
        assert_eq!((args.name.as_deref(), args.compress), (Some("flag"), false));
        assert_eq!(args.join, ["10.0.0.3"]);
    }

    #[test]
    fn all_that_is_wrong_in_a_file_is_told() {
        let wrong = file("nam = \"a\"\nprofile = \"moon\"\nrecord_size = \"much\"\n");
        let sentence = agent_of(&format!("mingle agent --config {}", wrong.path().display()));
        let sentence = sentence.map(|_| ()).unwrap_err();
        for expected in [
            "nam: there is no such setting; name is the nearest",
            "profile: \"moon\" is none of lan, wan, local",
            "record_size: ",
        ] {
            assert!(sentence.contains(expected), "{expected:?}: {sentence}");
        }
    }

    #[test]
    fn variables_that_are_misspelled_are_told_and_others_are_nothing_to_us() {
        let told = |names: &[&str]| {
            strange_variables(names.iter().map(|name| ((*name).into(), "1".into())))
        };
        let fine = [
            "MINGLE_PROFILE",
            "MINGLE_PORT",
            "MINGLE_PORT_7946_TCP_ADDR",
            "MINGLE_SERVICE_HOST",
            "MINGLE_SERVICE_PORT_HTTP",
            "MINGLE_HTTP_PORT",
            "MINGLE_HTTP_SERVICE_HOST",
            "MINGLE_HTTP_CA",
            "HOME",
        ];
        assert!(told(&fine).is_empty());
        let expected = [
            "the variable MINGLE_PROFLE configures nothing; MINGLE_PROFILE is the nearest that does",
            "the variable MINGLE_TAGS configures nothing; MINGLE_TAG is the nearest that does",
        ];
        assert_eq!(told(&["MINGLE_PROFLE", "MINGLE_TAGS"]), expected);
    }

    #[test]
    fn what_is_no_value_is_told_with_its_place() {
        for (text, expected) in [
            ("name = ", "line 1"),
            ("name = [1]", "name: a list of texts is wanted"),
            ("[name]\na = 1", "name: a table is not"),
            ("tags = 7", "tags: a table of texts"),
            ("join = \"10.0.0.1\"", "join: a list of texts is wanted"),
        ] {
            let wrong = file(text);
            let sentence = agent_of(&format!("mingle agent --config {}", wrong.path().display()));
            let sentence = sentence.map(|_| ()).unwrap_err();
            assert!(sentence.contains(expected), "{text:?}: {sentence}");
        }
        let sentence = agent_of("mingle agent --config /nowhere/at.toml").map(|_| ()).unwrap_err();
        assert!(sentence.contains("/nowhere/at.toml can't be read"), "{sentence}");
    }

    #[test]
    fn what_init_writes_can_be_read_with_every_line_in_force() {
        let template = show::template();
        let empty = file(&template);
        assert!(agent_of(&format!("mingle agent --config {}", empty.path().display())).is_ok());
        let is_setting = |line: &&str| line.starts_with("#") && line.contains(" = ");
        let in_force: String = template
            .lines()
            .filter(is_setting)
            .map(|line| format!("{}\n", line.trim_start_matches('#')))
            .collect();
        assert_eq!(in_force.lines().count(), settings().len(), "{in_force}");
        let full = file(&in_force);
        let args = agent_of(&format!("mingle agent --config {}", full.path().display())).unwrap();
        assert_eq!(args.name.as_deref(), Some("web-1"));
    }
}

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use utoipa::ToSchema;

use crate::selection::STATES;
use crate::timing::Timing;
use crate::{endpoint, size};

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0  done
  1  the answer is no: nobody could be joined, an address is taken, or the agent refused or failed
  2  the command line or an input is wrong; nothing was started, and trying again is of no use
  3  no agent answers
An agent that a second signal stops ends with 130 (SIGINT) or 143 (SIGTERM)."
    };
}

/// Cluster membership by gossip, compatible with memberlist and Serf.
///
/// An agent makes this machine a member of a cluster; the other commands ask the agent that runs
/// here.
#[derive(Parser)]
#[command(
    name = "mingle",
    version,
    arg_required_else_help = true,
    after_help = exit_codes!(),
    after_long_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = concat!(
    "\
Two agents on one machine:
  mingle agent --name a
  mingle agent --name b --bind 127.0.0.1:7947 --http 127.0.0.1:7375 --join 127.0.0.1:7946
  mingle members

A cluster of machines, encrypted; on each of them:
  mingle agent --bind 0.0.0.0:7946 --keyring-file keys.json --retry-join 10.0.0.1

",
    exit_codes!()
);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run an agent until it is told to leave
    ///
    /// It listens for gossip (UDP and TCP on one port) and answers the other commands over HTTP.
    /// SIGINT, SIGTERM and `mingle leave` make it say goodbye and end; a second signal ends it at
    /// once.
    Agent(Box<AgentArgs>),
    /// Check, show or write what configures an agent
    ///
    /// What a flag says counts before what a variable says, that before what files say, and that before
    /// what an agent does by itself.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Watch five real agents on this machine while one dies, one comes back, a link is cut and one leaves
    ///
    /// They run in this process, on loopback ports of their own, and take nobody's place. On a terminal
    /// it draws who believes what of whom; otherwise it prints a line for whatever happens. It takes
    /// about twenty seconds, and says in the end what it cost.
    Demo(DemoArgs),
    /// List the members that the agent knows
    ///
    /// All of them, or those that match everything that is given. What is not printable in what peers
    /// call themselves is shown escaped.
    Members(MembersArgs),
    /// Draw what the agent knows and does, live
    ///
    /// Members, round trips, agreement, health, rates, lateness and decisions, until q or the agent's end.
    Top(TopArgs),
    /// Follow what the agent decides: who comes and goes, and why
    ///
    /// A line for each decision, as the agent makes it: changes of members, refutations, conflicts of
    /// names, links on which packets get lost, attempts to reach who is missing, its own health. Ends
    /// with the agent.
    Monitor(MonitorArgs),
    /// Make the agent join others
    ///
    /// Exits with 0 when at least one of them answered, which is enough to be in the cluster.
    Join(JoinArgs),
    /// Make the agent leave the cluster and end
    ///
    /// The others then know that it has left, and do not take it for dead.
    Leave(LeaveArgs),
    /// Say of a dead member that it has left, since it does not come back
    ///
    /// Nobody looks for it any more, and it counts as no failure. Should it live after all, it is back as
    /// soon as it hears of this. Members that run memberlist or Serf take it for failed until they forget it.
    ForceLeave(ForceLeaveArgs),
    /// Show or change the tags that the agent states about itself
    ///
    /// Until it ends: an agent that starts again states what its command line says.
    Tags(TagsArgs),
    /// Show the agent itself: addresses, health, warnings
    Info(InfoArgs),
    /// Say why a member is in its state: what happened, who said so, and on what ground
    ///
    /// First what is so now, then what this agent decided and heard of the member, the oldest first,
    /// with the evidence: who accused it, what was tried to reach it, when it last answered, and how
    /// late this agent's own timers were. Hints come last. Without a name it is about the agent itself.
    ///
    /// An agent keeps its last 256 decisions, and of each member the reason for its state. It is one
    /// agent's evidence: the one that accused a member first knows most.
    Why(WhyArgs),
    /// Show or change the keys that the agent encrypts and decrypts with
    ///
    /// Keys are shown by their fingerprints: agents whose fingerprints are equal have equal keys. To change
    /// the key of a cluster, install the new one on every agent, then use it on every agent, then remove the
    /// old one from every agent. The agent writes its keyring file before it takes a change over; without
    /// such a file the change lasts until it ends.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make a key for --encrypt or a keyring file
    Keygen(KeygenArgs),
    /// Make the agent read its settings again, and take over what may change
    ///
    /// That are log level, tags, seeds (join, retry_join), keys, and HTTP's token and certificate; the rest needs a restart, and it says so.
    /// SIGHUP does the same. When anything is wrong in the settings, nothing changes.
    Reload(ReloadArgs),
    /// Print what makes a shell complete these commands
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Print the version, and which dialects are spoken
    Version(VersionArgs),
}

/// Arguments of `mingle agent`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle agent
  mingle agent --name b --bind 127.0.0.1:7947 --http 127.0.0.1:7375 --join 127.0.0.1:7946
  mingle agent --bind 0.0.0.0:7946 --encrypt \"$KEY\" --tag role=web --retry-join seeds.example.org
  mingle agent --bind 0.0.0.0:7946 --state /var/lib/mingle --retry-join seeds.example.org")]
pub(crate) struct AgentArgs {
    /// Take what no flag and no variable says from this TOML file (repeatable; the last one that says
    /// something counts); `mingle config init` writes one
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// This member's name, unique in the cluster [default: the host's name]
    #[arg(long, env = "MINGLE_NAME")]
    pub(crate) name: Option<String>,
    /// Where to listen for gossip: IP:PORT, IP for port 7946, :PORT for every address, port 0 for a
    /// free one [default: 127.0.0.1:7946, this machine only]
    #[arg(long, value_name = "ADDR", env = "MINGLE_BIND")]
    pub(crate) bind: Option<String>,
    /// The address that others use to reach this agent [default: the bound one]
    #[arg(long, value_name = "ADDR", env = "MINGLE_ADVERTISE")]
    pub(crate) advertise: Option<String>,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    /// Join this member at the start, or fail: IP, host, host:port, [v6]:port, or srv+NAME for the SRV
    /// records of NAME (repeatable; one that answers is enough)
    #[arg(long, value_name = "ADDR", env = "MINGLE_JOIN", value_delimiter = ',')]
    pub(crate) join: Vec<String>,
    /// Join this member as soon as it answers, and again whenever nobody is there (repeatable)
    #[arg(long, value_name = "ADDR", env = "MINGLE_RETRY_JOIN", value_delimiter = ',')]
    pub(crate) retry_join: Vec<String>,
    /// A tag for all members to see (repeatable; 512 bytes in all)
    #[arg(long, value_name = "KEY=VALUE", env = "MINGLE_TAG")]
    pub(crate) tag: Vec<String>,
    /// Encrypt gossip with this base64 key; better in a file or the variable than on a command line
    /// that others can list
    #[arg(long, value_name = "KEY", env = "MINGLE_ENCRYPT", hide_env_values = true)]
    pub(crate) encrypt: Option<String>,
    /// Encrypt with the keys of this file: a JSON array of base64 keys, the first of which encrypts
    #[arg(long, value_name = "FILE", env = "MINGLE_KEYRING_FILE")]
    pub(crate) keyring_file: Option<PathBuf>,
    /// Hear only members with the same label (at most 255 bytes)
    #[arg(long, default_value = "", hide_default_value = true, env = "MINGLE_LABEL")]
    pub(crate) label: String,
    /// Timing for this kind of network; the same on all members
    #[arg(long, value_enum, default_value_t = Profile::Lan, env = "MINGLE_PROFILE")]
    pub(crate) profile: Profile,
    #[command(flatten)]
    pub(crate) timing: Timing,
    /// Compress what is sent
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set,
        env = "MINGLE_COMPRESS"
    )]
    pub(crate) compress: bool,
    /// Whose application versions to state: Serf's, or none for bare memberlist applications
    #[arg(long, value_enum, default_value_t = Application::Serf, env = "MINGLE_DELEGATE")]
    pub(crate) delegate: Application,
    /// Opaque bytes for all members to see, with --delegate none (at most 512)
    #[arg(long, value_name = "HEX", env = "MINGLE_META")]
    pub(crate) meta: Option<String>,
    /// Keep who this agent is over restarts, in a file in this folder: its incarnation, which then
    /// only rises, and the members that it knows, which it calls again
    #[arg(long, value_name = "DIR", env = "MINGLE_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Record what this agent takes in into files in this folder, for `mingle-sim replay`; they hold
    /// what peers said in plain text, and no keys
    #[arg(long, value_name = "DIR", env = "MINGLE_RECORD")]
    pub(crate) record: Option<PathBuf>,
    /// The most that all recordings in that folder may take; the oldest file goes
    #[arg(
        long,
        value_name = "SIZE",
        env = "MINGLE_RECORD_SIZE",
        default_value = "64MiB",
        value_parser = size::parse
    )]
    pub(crate) record_size: u64,
    /// Export metrics and traces to the OpenTelemetry collector at this URL, by OTLP over HTTP, as
    /// http://127.0.0.1:4318; only in a build with the feature otel
    #[arg(long, value_name = "URL", env = "MINGLE_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// What to log on stderr
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = LogLevel::Info,
        env = "MINGLE_LOG_LEVEL"
    )]
    pub(crate) log_level: LogLevel,
    /// How to spell log lines
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = LogFormat::Text,
        env = "MINGLE_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    /// Say goodbye when SIGINT comes, instead of ending at once
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = ArgAction::Set,
        env = "MINGLE_LEAVE_ON_INTERRUPT"
    )]
    pub(crate) leave_on_interrupt: bool,
    /// Say goodbye when SIGTERM comes, instead of ending at once
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = ArgAction::Set,
        env = "MINGLE_LEAVE_ON_TERMINATE"
    )]
    pub(crate) leave_on_terminate: bool,
    /// Say on stdout that it is ready as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How an agent answers HTTP.
#[derive(Args)]
pub(crate) struct HttpArgs {
    /// Where to answer HTTP: IP:PORT, :PORT for every address, or unix:PATH for a socket that only this
    /// user may open; beyond the loopback it needs a token and TLS [default: 127.0.0.1:7374]
    #[arg(long, value_name = "ADDR", env = endpoint::VARIABLE)]
    pub(crate) http: Option<String>,
    /// Answer only those who have the token in this file: one line of 16 to 256 characters, which
    /// not everybody may read
    #[arg(long, value_name = "FILE", env = "MINGLE_HTTP_TOKEN_FILE")]
    pub(crate) http_token_file: Option<PathBuf>,
    /// Answer by TLS, with the certificates of this PEM file
    #[arg(long, value_name = "FILE", env = "MINGLE_HTTP_TLS_CERT")]
    pub(crate) http_tls_cert: Option<PathBuf>,
    /// The private key of the first certificate, in a PEM file which not everybody may read
    #[arg(long, value_name = "FILE", env = "MINGLE_HTTP_TLS_KEY")]
    pub(crate) http_tls_key: Option<PathBuf>,
    /// A name by which the agent may be asked, beside addresses and localhost (repeatable); pages that
    /// were opened under other names are refused
    #[arg(long, value_name = "HOST", env = "MINGLE_HTTP_ALLOWED_HOST", value_delimiter = ',')]
    pub(crate) http_allowed_host: Vec<String>,
    /// Answer other machines without TLS, in a network that is trusted
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set,
        env = "MINGLE_HTTP_INSECURE"
    )]
    pub(crate) http_insecure: bool,
}

/// What to do with a configuration.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  mingle config init /etc/mingle.toml
  mingle config check /etc/mingle.toml
  mingle config print --config /etc/mingle.toml --profile wan")]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong in these files
    #[command(after_help = "Example:\n  mingle config check /etc/mingle.toml")]
    Check {
        /// TOML files; the last one that says something counts
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show every setting with its value, and where that is from; takes the flags of `mingle agent`
    #[command(after_help = "Example:\n  mingle config print --config /etc/mingle.toml")]
    Print(Box<AgentArgs>),
    /// Write a file with every setting, explained and commented out
    #[command(after_help = "Example:\n  mingle config init /etc/mingle.toml")]
    Init {
        /// Where to write it, if nothing is there yet [default: stdout]
        file: Option<PathBuf>,
    },
}

/// Presets of timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// One data centre
    Lan,
    /// Between data centres
    Wan,
    /// One machine
    Local,
}

impl Profile {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
            Self::Local => "local",
        }
    }
}

/// What stands above membership in this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Application {
    /// No protocol of its own
    None,
    /// Serf agents
    Serf,
}

/// The least important events to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// What makes the agent give up
    Error,
    /// What an operator can act upon
    Warn,
    /// Changes of membership
    Info,
    /// Decisions
    Debug,
    /// Packets
    Trace,
}

/// How log lines are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object per line
    Json,
}

/// How a command finds the agent.
#[derive(Args)]
pub(crate) struct AgentAddress {
    /// Where the agent answers HTTP: IP:PORT, https://HOST:PORT or unix:PATH
    #[arg(
        long,
        value_name = "ADDR",
        env = endpoint::VARIABLE,
        default_value = endpoint::DEFAULT
    )]
    pub(crate) http: String,
    /// Show the agent the token in this file
    #[arg(long, value_name = "FILE", env = "MINGLE_HTTP_TOKEN_FILE")]
    pub(crate) http_token_file: Option<PathBuf>,
    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE", env = "MINGLE_HTTP_CA")]
    pub(crate) http_ca: Option<PathBuf>,
    /// Ask agents on other machines without TLS, in a network that is trusted
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set,
        env = "MINGLE_HTTP_INSECURE"
    )]
    pub(crate) http_insecure: bool,
}

/// Arguments of `mingle demo`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle demo
  mingle demo --nodes 9 --keep
  mingle demo | cat")]
pub(crate) struct DemoArgs {
    /// How many agents
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=64))]
    pub(crate) nodes: u8,
    /// Let the agents run on in the end, until Ctrl-C, and say how to ask them
    #[arg(long)]
    pub(crate) keep: bool,
    /// Open the page of the first agent in a browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Print a line of JSON for whatever happens
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle members`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle members
  mingle members --state suspect --state dead --wide
  mingle members --tag role=web --tag 'dc=eu-.*' --json
  mingle members --watch
  mingle members --http 127.0.0.1:7375")]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Only members in this state (repeatable; any of them)
    #[arg(long, value_parser = STATES)]
    pub(crate) state: Vec<String>,
    /// Only members whose tag KEY matches the regular expression in whole (repeatable; all of them)
    #[arg(long, value_name = "KEY=REGEX")]
    pub(crate) tag: Vec<String>,
    /// Only members whose name matches in whole
    #[arg(long, value_name = "REGEX")]
    pub(crate) name: Option<String>,
    /// What to sort by
    #[arg(long, value_enum, default_value_t = SortBy::Name)]
    pub(crate) sort: SortBy,
    /// Show the incarnation, and since when packets get lost, too
    #[arg(long)]
    pub(crate) wide: bool,
    /// Go on with a line for each change, and why, until the agent ends
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print the array that the API gives; with --watch a line for each event
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing; the exit code is 0 when some member is asked for, and 1 when none is
    #[arg(long, conflicts_with_all = ["watch", "json"])]
    pub(crate) quiet: bool,
}

/// What members are sorted by; among equals it is the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// Name
    Name,
    /// Suspects first, then the dead, the living and who has left
    State,
    /// Address
    Address,
    /// The latest change of state first
    Since,
    /// The longest round trip first
    Rtt,
}

/// Arguments of `mingle top`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle top
  mingle top --sort rtt --http 127.0.0.1:7375")]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// What to sort by at first
    #[arg(long, value_enum, default_value_t = SortBy::State)]
    pub(crate) sort: SortBy,
}

/// Arguments of `mingle monitor`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle monitor
  mingle monitor --log-level debug
  mingle monitor --json | jq -r .text")]
pub(crate) struct MonitorArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Show what the agent logs, up to this level and whatever it writes itself, in place of its decisions
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// Print each decision, or line, as the API gives it, one line each
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle join`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle join 10.0.0.1
  mingle join 10.0.0.1:7946 seeds.example.org --json")]
pub(crate) struct JoinArgs {
    /// Members: IP, host, host:port, [v6]:port or srv+name, at most 64
    #[arg(required = true, value_name = "ADDR", num_args = 1..=crate::api::MAX_JOIN)]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the report that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle tags`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle tags
  mingle tags --set role=web --set dc=eu-1 --delete canary")]
pub(crate) struct TagsArgs {
    /// State this tag (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// State this tag no more (repeatable)
    #[arg(long, value_name = "KEY")]
    pub(crate) delete: Vec<String>,
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the tags as an object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle completions`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle completions bash > /etc/bash_completion.d/mingle")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `mingle man`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle man > /usr/local/share/man/man1/mingle.1")]
pub(crate) struct ManArgs {
    /// The page of this command instead of the one of the program
    pub(crate) command: Vec<String>,
}

/// Arguments of `mingle version`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle version --json")]
pub(crate) struct VersionArgs {
    /// Print an object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle leave`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle leave")]
pub(crate) struct LeaveArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the answer that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle force-leave`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle force-leave db-3")]
pub(crate) struct ForceLeaveArgs {
    /// The member
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the answer that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with an agent's keys.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  mingle keys list
  mingle keygen | mingle keys install -
  mingle keys use 5b1f0a2c
  mingle keys remove 90de41aa")]
pub(crate) enum KeysCommand {
    /// List them, the one that encrypts first
    #[command(after_help = "Example:\n  mingle keys list --json")]
    List(KeysArgs),
    /// Decrypt with this key too
    #[command(after_help = "Example:\n  mingle keygen | mingle keys install -")]
    Install(KeyArgs),
    /// Encrypt with this key, which is installed
    #[command(after_help = "Example:\n  mingle keys use 5b1f0a2c")]
    Use(KeyArgs),
    /// Forget this key, which does not encrypt
    #[command(after_help = "Example:\n  mingle keys remove 90de41aa")]
    Remove(KeyArgs),
}

/// Arguments of `mingle keys list`.
#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the object that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of what changes an agent's keys.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The key in base64, or - for a line of stdin, which others can't list; of one that is installed
    /// its fingerprint does
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) keys: KeysArgs,
}

/// Arguments of `mingle reload`.
#[derive(Args)]
#[command(after_help = "\
Example:
  mingle reload")]
pub(crate) struct ReloadArgs {
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the answer that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle info`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle info
  mingle info --json
  mingle info --ready")]
pub(crate) struct InfoArgs {
    /// Only say whether it is in the cluster: with 1 while none of those that it should join has
    /// answered, and while it leaves
    #[arg(long, conflicts_with = "json")]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the object that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle why`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle why db-3
  mingle why db-3 --http 127.0.0.1:7375
  mingle why db-3 --json
  mingle why")]
pub(crate) struct WhyArgs {
    /// The member [default: the agent itself]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) agent: AgentAddress,
    /// Print the object that the API gives
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `mingle keygen`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  mingle keygen
  mingle keygen --keyring-file keys.json")]
pub(crate) struct KeygenArgs {
    /// Bytes of the key: AES-128, AES-192 or AES-256
    #[arg(long, default_value_t = 32, value_parser = key_length)]
    pub(crate) bytes: u8,
    /// Print an object with the key
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing of the key, and make a keyring file with it that only this user may read
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(crate) keyring_file: Option<PathBuf>,
}

fn key_length(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(length @ (16 | 24 | 32)) => Ok(length),
        Ok(_) | Err(_) => Err("keys have 16, 24 or 32 bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("  mingle {}", command.get_name());
            assert!(help.contains("Example"), "{}", command.get_name());
            assert!(help.contains(example.trim_start()), "{}", command.get_name());
        }
    }
}

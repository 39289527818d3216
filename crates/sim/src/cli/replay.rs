use std::io::{self, BufWriter, StdoutLock, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use mingle_proto::{End, Ending, Output, Step};
use mingle_sim::replay::{Direction, Line, Link, Moment, RecordedFile, Recordings, Summary};
use serde::Serialize;

use super::Failure;

/// Show what a recorded agent took in, what it decided and why.
///
/// `mingle agent --record DIR` writes recordings. Each decision is shown after what brought it about;
/// a decision after `timer` was brought about by time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: the time (UTC); in, event or out; what it is; the other end; the rest.

Examples:
  mingle-sim replay /var/lib/mingle/recordings
  mingle-sim replay a-00000003.mgl --about web-7 --all
  mingle-sim replay recordings --from '2026-01-31 03:10:00' --until '2026-01-31 03:12:00'")]
pub(super) struct Options {
    /// Recordings, or folders with recordings.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Only what was decided, without what brought it about.
    #[arg(long, conflicts_with = "all")]
    node_events_only: bool,
    /// Everything that was taken in, decided and sent.
    #[arg(long)]
    all: bool,
    /// Only what names this node.
    #[arg(long, value_name = "NAME")]
    about: Option<String>,
    /// Only from this time on: '2026-01-31 03:10:00' (UTC), or '90s' after the recording's beginning.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<When>,
    /// Only until this time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<When>,
    /// Say it as JSON, one object per line.
    #[arg(long)]
    json: bool,
}

/// A time as people give it.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Nanoseconds since 1970, UTC.
    At(u64),
    /// After the beginning.
    After(Duration),
}

fn moment(text: &str) -> Result<When, String> {
    if let Ok(duration) = humantime::parse_duration(text) {
        return Ok(When::After(duration));
    }
    let since = humantime::parse_rfc3339_weak(text)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .ok_or("write a time in UTC as '2026-01-31 03:10:00', or a duration as '1m 30s'")?;
    Ok(When::At(nanos(since)))
}

impl When {
    fn since(self, beginning: u64) -> u64 {
        match self {
            Self::At(unix_nanos) => unix_nanos,
            Self::After(duration) => beginning.saturating_add(nanos(duration)),
        }
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let recordings =
        Recordings::open(&options.paths).map_err(|error| Failure::Input(error.to_string()))?;
    let mut show = Show::new(options, &recordings);
    for path in recordings.empty() {
        show.note(&format!("{}: nothing was recorded in it", path.display()));
    }
    let replayed = recordings.replay(|moment| show.moment(moment));
    show.end();
    let written = show.out.flush().and(show.written);
    match (replayed, written) {
        (Err(error), _) => Err(Failure::Input(error.to_string())),
        // Whoever reads has seen enough.
        (Ok(()), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Ok(()), Err(error)) => Err(Failure::Input(format!("can't write: {error}"))),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// What goes to stdout.
struct Show<'a> {
    options: &'a Options,
    /// The first instant to show, and the last one.
    window: (u64, u64),
    out: BufWriter<StdoutLock<'static>>,
    written: io::Result<()>,
    summary: Option<Summary>,
}

/// One line as JSON.
#[derive(Serialize)]
struct Entry<'a> {
    time: String,
    node: &'a str,
    #[serde(flatten)]
    line: &'a Line,
}

impl<'a> Show<'a> {
    fn new(options: &'a Options, recordings: &Recordings) -> Self {
        let beginning = recordings.files().iter().map(|file| file.origin.unix_nanos).min();
        let time = |when: Option<When>| when.map(|when| when.since(beginning.unwrap_or_default()));
        Self {
            options,
            window: (time(options.from).unwrap_or(0), time(options.until).unwrap_or(u64::MAX)),
            out: BufWriter::new(io::stdout().lock()),
            written: Ok(()),
            summary: None,
        }
    }

    fn moment(&mut self, moment: Moment<'_>) -> ControlFlow<()> {
        match moment {
            Moment::Begin { file, link } => self.begin(file, link),
            Moment::Step { unix_nanos, step } => self.step(unix_nanos, &step),
            Moment::End { file, ending, node } => {
                if let Some(summary) = &mut self.summary {
                    summary.see(node);
                }
                self.file_end(file, ending);
            }
        }
        if self.written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn begin(&mut self, file: &RecordedFile, link: Link) {
        let origin = &file.origin;
        match link {
            Link::New => {
                self.end();
                self.summary = Some(Summary::new(&origin.name));
                self.note(&format!(
                    "{:?}, recorded by {} from {} on ({})",
                    origin.name,
                    origin.program,
                    spell(origin.unix_nanos),
                    file.path.display()
                ));
            }
            Link::Continued => {}
            Link::Gap => self.note(&format!(
                "something is missing before {}; from here on it is whole again ({})",
                spell(origin.unix_nanos),
                file.path.display()
            )),
        }
    }

    fn file_end(&mut self, file: &RecordedFile, ending: Ending) {
        match ending {
            Ending::Whole(End::Continued) => {}
            Ending::Whole(End::Stopped) => self.note("the node was stopped here"),
            Ending::Cut { at } => self.note(&format!(
                "{}: cut at byte {at}: the agent died or still runs, or the copy is not whole",
                file.path.display()
            )),
        }
    }

    fn step(&mut self, unix_nanos: u64, step: &Step<'_>) {
        let (from, until) = self.window;
        if unix_nanos < from || unix_nanos > until {
            return;
        }
        let input = Line::of_input(&step.input);
        self.count(unix_nanos, &input);
        let mut outputs = Vec::new();
        for (output, body) in &step.outputs {
            let line = Line::of_output(output, body);
            self.count(unix_nanos, &line);
            if self.wants(output, &line) {
                outputs.push(line);
            }
        }
        let Options { all, node_events_only, .. } = *self.options;
        if (!outputs.is_empty() && !node_events_only) || (all && self.is_about(&input)) {
            self.line(unix_nanos, &input);
        }
        for line in outputs {
            self.line(unix_nanos, &line);
        }
    }

    fn count(&mut self, unix_nanos: u64, line: &Line) {
        if let Some(summary) = &mut self.summary {
            summary.add(unix_nanos, line);
        }
    }

    /// Acks come all the time, and what is sent is not a decision: both are for who wants all.
    fn wants(&self, output: &Output, line: &Line) -> bool {
        let decided = match output {
            Output::Event(mingle_proto::Event::Pong { .. }) => false,
            Output::Event(_) => true,
            Output::Packet { .. }
            | Output::Dial { .. }
            | Output::Reply { .. }
            | Output::Close { .. } => false,
        };
        (decided || self.options.all) && self.is_about(line)
    }

    fn is_about(&self, line: &Line) -> bool {
        self.options.about.as_ref().is_none_or(|name| line.names.contains(name))
    }

    fn line(&mut self, unix_nanos: u64, line: &Line) {
        let time = spell(unix_nanos);
        if self.options.json {
            let node = self.summary.as_ref().map_or("", |summary| &summary.node).to_owned();
            return self.json(&Entry { time, node: &node, line });
        }
        let Line { direction, kind, peer, text, names: _ } = line;
        let indent = if *direction == Direction::In { "" } else { "  " };
        let peer = peer.map_or_else(String::new, |peer| peer.to_string());
        let direction = format!("{indent}{}", direction.as_str());
        let line = format!("{time}  {direction:<7}  {kind:<9}  {peer:<21}  {text}");
        self.print(line.trim_end());
    }

    /// What is said of the recording itself.
    fn note(&mut self, text: &str) {
        if self.options.json {
            self.json(&serde_json::json!({ "note": text }));
        } else {
            self.print(&format!("# {text}"));
        }
    }

    /// Sums up one start of a node.
    fn end(&mut self) {
        let Some(summary) = self.summary.take() else { return };
        if self.options.json {
            return self.json(&serde_json::json!({ "summary": summary }));
        }
        let span = match (summary.first, summary.last) {
            (Some(first), Some(last)) => {
                let took = Duration::from_millis((last - first) / 1_000_000);
                let took = humantime::format_duration(took);
                format!("{} to {} ({took})", spell(first), spell(last))
            }
            (Some(_) | None, _) => "nothing happened".to_owned(),
        };
        self.print(&format!("\n{:?}: {span}", summary.node));
        for (what, counts) in [
            ("taken in", &summary.inputs),
            ("decided", &summary.events),
            ("sent", &summary.outputs),
        ] {
            let all: u64 = counts.values().sum();
            let each = list(counts.iter().map(|(kind, count)| format!("{kind} {count}")));
            self.print(&format!("  {what:<9} {all:>8}  {each}"));
        }
        let members = &summary.members;
        if members.is_empty() {
            return;
        }
        let each = members.iter().take(MOST_MEMBERS);
        let each = list(each.map(|(name, standing)| format!("{name:?} {}", standing.state)));
        let more = if members.len() > MOST_MEMBERS { ", ..." } else { "" };
        self.print(&format!("  {:<9} {:>8}  {each}{more}", "members", members.len()));
    }

    fn json(&mut self, value: &impl Serialize) {
        self.print(&serde_json::to_string(value).expect("it is plain data"));
    }

    fn print(&mut self, line: &str) {
        if self.written.is_ok() {
            self.written = writeln!(self.out, "{line}");
        }
    }
}

/// Members that the summary names.
const MOST_MEMBERS: usize = 20;

fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn spell(unix_nanos: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(unix_nanos)).to_string()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

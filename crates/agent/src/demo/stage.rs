use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mingle::State;
use tokio::sync::Notify;

use super::crew::Crew;
use crate::exit::Failure;
use crate::output::{self, printable};

/// How what happens is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// On a terminal, drawn again and again.
    Screen,
    /// Line by line.
    Lines,
    /// Line by line, for programs.
    Json,
}

/// What the audience sees.
pub(super) struct Stage {
    show: Show,
    start: Instant,
    scene: Mutex<Scene>,
    quit: Arc<Notify>,
}

/// What there is to draw.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    /// What was said, with acts as headings.
    pub(super) lines: Vec<Line>,
    /// Names of all members, in their order.
    pub(super) names: Vec<String>,
    /// What each of them believes of each; `None` for who does not run.
    pub(super) beliefs: Vec<Option<Vec<Option<State>>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Act,
    Fact,
}

impl Stage {
    pub(super) fn new(show: Show) -> Self {
        let (start, scene) = (Instant::now(), Mutex::default());
        Self { show, start, scene, quit: Arc::new(Notify::new()) }
    }

    /// Notified when the audience has seen enough.
    pub(super) fn quit(&self) -> Arc<Notify> {
        Arc::clone(&self.quit)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Begins an act.
    pub(super) fn act(&self, text: &str) -> Result<(), Failure> {
        self.add(text, Kind::Act)
    }

    /// Says what has happened. Names of members in it are quoted and escaped, or ours.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        self.add(text, Kind::Fact)
    }

    fn add(&self, text: &str, kind: Kind) -> Result<(), Failure> {
        let line = Line { at: self.elapsed(), text: printable(text), kind };
        let spelled = self.spell(&line);
        self.scene().lines.push(line);
        match self.show {
            Show::Screen => Ok(()),
            Show::Lines | Show::Json => output::print(&spelled),
        }
    }

    /// Prints all that was said.
    pub(super) fn print_all(&self) -> Result<(), Failure> {
        let lines = self.scene().lines.clone();
        output::print(&lines.iter().map(|line| self.spell(line)).collect::<String>())
    }

    fn spell(&self, line: &Line) -> String {
        let Line { at, text, kind } = line;
        let seconds = at.as_secs_f64();
        match (self.show, kind) {
            (Show::Json, kind) => {
                let kind = if *kind == Kind::Act { "act" } else { "fact" };
                let at = (seconds * 1000.0).round();
                output::json_line(&serde_json::json!({ "at_ms": at, "kind": kind, "text": text }))
            }
            (Show::Lines | Show::Screen, Kind::Act) => format!("\n{seconds:7.2} s  {text}\n"),
            (Show::Lines | Show::Screen, Kind::Fact) => format!("{:11}- {text}\n", ""),
        }
    }

    /// Takes down who believes what.
    pub(super) fn show(&self, crew: &Crew) {
        let names: Vec<_> = crew.agents.iter().map(|agent| agent.name.clone()).collect();
        let beliefs = crew.agents.iter().map(|agent| {
            let cluster = &agent.live.as_ref()?.cluster;
            let believed = |name| cluster.member(name).map(|member| member.state);
            Some(names.iter().map(|name| believed(name)).collect())
        });
        let beliefs = beliefs.collect();
        let mut scene = self.scene();
        (scene.names, scene.beliefs) = (names, beliefs);
    }

    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

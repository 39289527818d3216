//! The agent's log lines for those who follow them over HTTP. While nobody does, none is spelled.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{filter, reload};

use crate::api::{GapEvent, LogLine};
use crate::output;

/// Where lines come together.
pub(crate) struct Logs {
    lines: Sender<Told>,
    /// What each of those who follow wants to see.
    wanted: Mutex<Vec<LevelFilter>>,
    /// Makes everything up to a level come here.
    open: OnceLock<Box<dyn Fn(LevelFilter) + Send + Sync>>,
}

#[derive(Clone, Debug)]
enum Told {
    Line(Level, Bytes),
    End,
}

/// Most who follow at a time: it is for people.
pub(crate) const MAX_FOLLOWERS: usize = 16;
/// Lines that wait for whoever reads slowly.
const MAX_LINES: usize = 1024;
/// How often something is written when there is nothing to say, so that it is noticed who has gone.
const STILL: Duration = Duration::from_secs(1);

impl Default for Logs {
    fn default() -> Self {
        let (lines, _) = channel(MAX_LINES);
        Self { lines, wanted: Mutex::default(), open: OnceLock::new() }
    }
}

impl Logs {
    /// What takes the lines in.
    pub(crate) fn layer<S>(self: &Arc<Self>) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (filter, handle) = reload::Layer::new(own_lines(LevelFilter::OFF));
        let open = move |level| drop(handle.reload(own_lines(level)));
        // The first layer stays; there is one in a process.
        let _ = self.open.set(Box::new(open));
        Lines(Arc::clone(self)).with_filter(filter)
    }

    /// All lines from now on up to this level. `None` when [`MAX_FOLLOWERS`] follow already.
    pub(crate) fn follow(self: &Arc<Self>, level: LevelFilter) -> Option<Follower> {
        let lines = self.lines.subscribe();
        self.change(|wanted| {
            let has_room = wanted.len() < MAX_FOLLOWERS;
            if has_room {
                wanted.push(level);
            }
            has_room
        })
        .then(|| Follower { logs: Arc::clone(self), level, lines: Some(lines) })
    }

    /// Ends what all followers are given.
    pub(crate) fn end(&self) {
        // Nobody may follow.
        let _ = self.lines.send(Told::End);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<LevelFilter>) -> T) -> T {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = wanted.iter().max().copied();
        let result = change(&mut wanted);
        let now = wanted.iter().max().copied();
        if before != now
            && let Some(open) = self.open.get()
        {
            open(now.unwrap_or(LevelFilter::OFF));
        }
        result
    }
}

/// Lines of mingle's own: those of the parts that write HTTP would be about the lines themselves.
fn own_lines(level: LevelFilter) -> filter::FilterFn<impl Fn(&tracing::Metadata<'_>) -> bool> {
    let is_ours = move |it: &tracing::Metadata<'_>| {
        it.is_event() && *it.level() <= level && it.target().starts_with("mingle")
    };
    filter::filter_fn(is_ours).with_max_level_hint(level)
}

struct Lines(Arc<Logs>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = LogLine {
            at: output::timestamp_millis(SystemTime::now()),
            level: metadata.level().as_str().to_lowercase(),
            target: metadata.target().to_owned(),
            message: fields.message,
            fields: fields.others,
        };
        // Whoever was the last to follow may have gone.
        let _ = self.0.lines.send(Told::Line(*metadata.level(), spell("log", &line)));
    }
}

fn spell(kind: &str, data: &impl serde::Serialize) -> Bytes {
    format!("event: {kind}\ndata: {}\n", output::json_line(data)).into()
}

/// The fields of a line, by name.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.put(field, text) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

/// One who follows.
pub(crate) struct Follower {
    logs: Arc<Logs>,
    level: LevelFilter,
    /// Nothing after the end.
    lines: Option<Receiver<Told>>,
}

impl Follower {
    /// The next event; waits for it. `None` after the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let told = tokio::select! {
                told = self.lines.as_mut()?.recv() => told,
                () = sleep(STILL) => return Some(Bytes::from_static(b"event: still\ndata: {}\n\n")),
            };
            match told {
                Ok(Told::Line(level, bytes)) if level <= self.level => return Some(bytes),
                Ok(Told::Line(..)) => {}
                Ok(Told::End) | Err(RecvError::Closed) => {
                    self.lines = None;
                    return Some(Bytes::from_static(b"event: end\ndata: {}\n\n"));
                }
                Err(RecvError::Lagged(missed)) => return Some(spell("gap", &GapEvent { missed })),
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.logs.change(|wanted| {
            if let Some(place) = wanted.iter().position(|level| *level == self.level) {
                wanted.swap_remove(place);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    async fn text(follower: &mut Follower) -> String {
        let bytes = follower.next().await.expect("the agent has not ended");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn lines_come_at_the_level_that_each_wants_and_only_while_somebody_follows() {
        let logs = Arc::<Logs>::default();
        let subscriber = tracing_subscriber::registry().with(logs.layer());
        let _here = tracing::subscriber::set_default(subscriber);
        let mut spy = logs.lines.subscribe();
        let mut is_spelled = |log: fn()| {
            log();
            spy.try_recv().is_ok()
        };
        let one: fn() = || tracing::debug!(target: "mingle", count = 7, "one");
        let two: fn() = || tracing::warn!(target: "mingle", name = "a\n", "two");
        assert!(!is_spelled(one) && !is_spelled(two));
        let mut warnings = logs.follow(LevelFilter::WARN).unwrap();
        assert!(!is_spelled(one));
        let mut all = logs.follow(LevelFilter::DEBUG).unwrap();
        assert!(!is_spelled(|| tracing::debug!(target: "hyper", "of the bytes of a line")));
        assert!(is_spelled(one) && is_spelled(two));
        let first = text(&mut all).await;
        assert!(
            first.contains(
                r#""level":"debug","target":"mingle","message":"one","fields":{"count":7}"#
            ),
            "{first}"
        );
        let second = text(&mut all).await;
        assert!(second.contains(r#""fields":{"name":"a\n"}"#), "{second}");
        assert_eq!(text(&mut warnings).await, second);
        drop(all);
        assert!(!is_spelled(one));
        logs.end();
        assert_eq!(text(&mut warnings).await, "event: end\ndata: {}\n\n");
        assert!(warnings.next().await.is_none());
    }

    #[tokio::test]
    async fn who_is_too_slow_has_a_gap_and_not_too_many_follow() {
        let logs = Arc::<Logs>::default();
        let mut followers: Vec<_> =
            (0..MAX_FOLLOWERS).filter_map(|_| logs.follow(LevelFilter::INFO)).collect();
        assert!(followers.len() == MAX_FOLLOWERS && logs.follow(LevelFilter::INFO).is_none());
        for _ in 0..MAX_LINES + 3 {
            let _ = logs.lines.send(Told::Line(Level::INFO, Bytes::from_static(b"line")));
        }
        let mut slow = followers.pop().unwrap();
        assert_eq!(text(&mut slow).await, "event: gap\ndata: {\"missed\":3}\n\n");
        assert_eq!(text(&mut slow).await, "line");
    }
}

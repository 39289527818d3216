//! How long scenarios wait before they give up. Nothing waits this long when all is well.

use std::time::Duration;

/// Longer than joining and spreading the news ever takes. With local timing and less than ten nodes, each node passes a piece of news
/// on twice; whom that misses hears of it in one of the push/pulls, which come every 15 s.
pub(super) const JOIN: Duration = Duration::from_secs(90);

/// Longer than a probe round, the longest suspicion and the spreading of the verdict take with local timing.
pub(super) const DETECTION: Duration = Duration::from_secs(90);

/// Longer than one message takes.
pub(super) const MESSAGE: Duration = Duration::from_secs(15);

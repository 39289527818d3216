//! What a supervisor is told that has started the agent: systemd, or whoever sets `NOTIFY_SOCKET`.

use mingle::Cluster;

/// The agent is ready.
#[cfg(unix)]
pub(crate) fn ready() {
    tell(sd_notify::NotifyState::Ready);
}

/// The agent has begun to end.
#[cfg(unix)]
pub(crate) fn stopping() {
    tell(sd_notify::NotifyState::Stopping);
}

/// Says again and again that the agent lives, as often as the supervisor wants to hear it, each time after
/// its node has answered. Returns when the node has stopped, or at once where nobody wants to hear.
#[cfg(unix)]
pub(crate) async fn keep_telling(cluster: Cluster) {
    let mut longest = 0;
    if !sd_notify::watchdog_enabled(false, &mut longest) {
        return;
    }
    // Twice as often as needed, as is the custom.
    let pause = std::time::Duration::from_micros(longest / 2).max(SHORTEST);
    let mut due = tokio::time::interval(pause);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            () = cluster.stopped() => return,
        }
        cluster.stats().await;
        tell(sd_notify::NotifyState::Watchdog);
    }
}

/// A watchdog that wants to hear more often is no help to anybody.
#[cfg(unix)]
const SHORTEST: std::time::Duration = std::time::Duration::from_millis(10);

#[cfg(unix)]
fn tell(what: sd_notify::NotifyState<'_>) {
    // Without a supervisor there is nobody to tell; one that does not listen finds out by itself.
    let _ = sd_notify::notify(false, &[what]);
}

#[cfg(not(unix))]
pub(crate) fn ready() {}

#[cfg(not(unix))]
pub(crate) fn stopping() {}

#[cfg(not(unix))]
pub(crate) async fn keep_telling(_cluster: Cluster) {}

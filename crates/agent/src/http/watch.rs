use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream;

use super::openapi::Refusals;
use super::problem::Refusal;
use super::{Agent, events};
use crate::feed::MAX_WATCHERS;

/// What a client of server-sent events has seen last.
const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /v1/watch`: all members, and then each change, as server-sent events.
#[utoipa::path(
    get,
    path = "/v1/watch",
    params(("last-event-id" = Option<String>, Header, description = "Where to go on")),
    responses(
        (
            status = 200,
            description = "All members, and then each change, until the agent ends or has another token",
            body = String,
            content_type = "text/event-stream"
        ),
        Refusals
    )
)]
pub(super) async fn watch(running: Agent, headers: HeaderMap) -> Result<Response, Refusal> {
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let watcher = running.feed.watch(last).ok_or_else(|| {
        let detail = format!("{MAX_WATCHERS} watch already; end one of them, or ask another agent");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let events =
        stream::unfold(watcher, async |mut watcher| Some((watcher.next().await?, watcher)));
    Ok(events::answer(running, &headers, events))
}

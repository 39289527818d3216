use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::Agent;
use super::openapi::Refusals;
use super::problem::Refusal;
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
pub(super) async fn watch(State(running): Agent, headers: HeaderMap) -> Result<Response, Refusal> {
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let watcher = running.feed.watch(last).ok_or_else(|| {
        let detail = format!("{MAX_WATCHERS} watch already; end one of them, or ask another agent");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let watching = (watcher, running, given.map(str::to_owned));
    let events = stream::unfold(watching, async |(mut watcher, running, given)| {
        let event = watcher.next().await?;
        // A stream does not outlive its token: when that is another by now, it has to be asked for anew.
        let event = running.access.admits(given.as_deref()).then_some(event)?;
        Some((Ok::<_, Infallible>(event), (watcher, running, given)))
    });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(([kind], Body::from_stream(events)).into_response())
}

use std::convert::Infallible;
use std::future::ready;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};

use super::Agent;

/// Server-sent events. A stream does not outlive its token: when that is another by now, it has to be asked
/// for anew.
pub(super) fn answer(
    State(running): Agent,
    headers: &HeaderMap,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.map(str::to_owned);
    let events = events.take_while(move |_| ready(running.access.admits(given.as_deref())));
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    ([kind], Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

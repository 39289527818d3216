use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use futures_util::stream;

use super::members::bad_request;
use super::openapi::Refusals;
use super::problem::Refusal;
use super::{Agent, Pairs};
use crate::agent::filter;
use crate::cli::LogLevel;
use crate::logs::MAX_FOLLOWERS;

/// `GET /v1/logs`: the agent's log lines as it writes them, as server-sent events.
#[utoipa::path(
    get,
    path = "/v1/logs",
    params(("level" = Option<LogLevel>, Query, description = "The least important lines; info otherwise")),
    responses(
        (
            status = 200,
            description = "Each line, until the agent ends or has another token",
            body = String,
            content_type = "text/event-stream"
        ),
        Refusals
    )
)]
pub(super) async fn follow(
    State(running): Agent,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Refusal> {
    let level = level(query)?;
    let follower = running.logs.follow(filter(level)).ok_or_else(|| {
        let detail = format!("{MAX_FOLLOWERS} follow the log already; end one of them");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let following = (follower, running, given.map(str::to_owned));
    let events = stream::unfold(following, async |(mut follower, running, given)| {
        let event = follower.next().await?;
        // As of GET /v1/watch.
        let event = running.access.admits(given.as_deref()).then_some(event)?;
        Some((Ok::<_, Infallible>(event), (follower, running, given)))
    });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(([kind], Body::from_stream(events)).into_response())
}

fn level(query: Pairs) -> Result<LogLevel, Refusal> {
    let Query(pairs) =
        query.map_err(|_| bad_request("the query is no list of names and values"))?;
    match &pairs[..] {
        [] => Ok(LogLevel::Info),
        [(name, text)] if name == "level" => LogLevel::from_str(text, false).map_err(|_| {
            bad_request(format!("{text:?} is no level; use error, warn, info, debug or trace"))
        }),
        [..] => Err(bad_request("there is nothing but level here, once".to_owned())),
    }
}

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use clap::ValueEnum;
use futures_util::stream;

use super::members::bad_request;
use super::openapi::Refusals;
use super::problem::Refusal;
use super::{Agent, Pairs, events};
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
    running: Agent,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Refusal> {
    let level = level(query)?;
    let follower = running.logs.follow(filter(level)).ok_or_else(|| {
        let detail = format!("{MAX_FOLLOWERS} follow the log already; end one of them");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let events =
        stream::unfold(follower, async |mut follower| Some((follower.next().await?, follower)));
    Ok(events::answer(running, &headers, events))
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

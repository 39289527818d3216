//! What may change of an agent while it runs, beside its tags.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Agent;
use super::body::Body;
use super::members::json;
use super::openapi::Refusals;
use super::problem::Refusal;
use crate::api::{KeysRequest, KeysView, Nothing, ReloadAnswer};
use crate::exit::Failure;
use crate::{keys, reload};

/// `GET /v1/keys`: the keys of the agent, by their fingerprints.
#[utoipa::path(
    get,
    path = "/v1/keys",
    responses((status = 200, description = "What is asked for", body = KeysView), Refusals)
)]
pub(super) async fn keys(State(running): Agent) -> Response {
    json(&keys::view(&running).await)
}

/// `POST /v1/keys`: installs, uses or removes a key.
#[utoipa::path(
    post,
    path = "/v1/keys",
    request_body = KeysRequest,
    responses((status = 200, description = "The keys from now on", body = KeysView), Refusals)
)]
pub(super) async fn change_keys(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let request: KeysRequest = body.read(
        "the body is no change of keys; send {\"install\": KEY}, {\"use\": KEY} or {\"remove\": KEY}",
    )?;
    keys::change(&running, request).await.map_err(refusal)?;
    Ok(json(&keys::view(&running).await))
}

/// `POST /v1/reload`: makes the agent read its settings again.
#[utoipa::path(
    post,
    path = "/v1/reload",
    request_body = Nothing,
    responses((status = 200, description = "What has changed", body = ReloadAnswer), Refusals)
)]
pub(super) async fn reload(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    body.is_empty_for("reload")?;
    Ok(json(&reload::reload(&running).await.map_err(refusal)?))
}

/// What the agent says when it can't, as an answer.
fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Input(sentence) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, sentence),
        Failure::No(sentence) | Failure::Unreachable(sentence) => {
            Refusal::new(StatusCode::CONFLICT, sentence)
        }
    }
}

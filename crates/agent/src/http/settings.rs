//! What may change of an agent while it runs, beside its tags.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Agent;
use super::members::{Body, bad_request, json, no_parameters, read};
use super::problem::Refusal;
use crate::exit::Failure;
use crate::{keys, reload};

/// `GET /v1/keys`
pub(super) async fn keys(State(running): Agent) -> Response {
    json(&keys::view(&running).await)
}

/// `POST /v1/keys`
pub(super) async fn change_keys(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let request = serde_json::from_slice(&read(body)?).map_err(|_| {
        bad_request(
            "the body is no change of keys; send {\"install\": KEY}, {\"use\": KEY} or {\"remove\": KEY}",
        )
    })?;
    keys::change(&running, &request).await.map_err(refusal)?;
    Ok(json(&keys::view(&running).await))
}

/// `POST /v1/reload`
pub(super) async fn reload(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    no_parameters("reload", &read(body)?)?;
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

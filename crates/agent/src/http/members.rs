use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::oneshot;

use super::problem::Refusal;
use super::{Agent, MAX_BODY, views};
use crate::agent::{Running, Security};
use crate::api::{JoinAnswer, JoinRequest, Listening, MAX_JOIN, SelfView};
use crate::{joining, output};

/// `GET /v1/members`
pub(crate) fn list(running: &Running) -> Response {
    let members: Vec<_> =
        running.cluster.members().iter().map(|member| views::member(member)).collect();
    json(&members)
}

pub(super) fn json(value: &impl Serialize) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], output::json(value)).into_response()
}

/// `GET /v1/self`
pub(crate) async fn itself(State(running): Agent) -> Response {
    let stats = running.cluster.stats().await;
    let number = |name| stats.get(name).unwrap_or_default();
    let local = running.cluster.local();
    json(&SelfView {
        name: local.name.clone(),
        address: local.address,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: local.state.as_str().to_owned(),
        incarnation: local.incarnation.get(),
        tags: local.tags.clone(),
        health: number("health_score"),
        members: views::counts(&running),
        view: views::view_summary(&stats),
        missing: views::missing(&stats),
        encrypted: running.security == Security::Encrypted,
        label: Some(running.label.clone()).filter(|label| !label.is_empty()),
        profile: running.profile.as_str().to_owned(),
        listening: Listening { gossip: running.cluster.local_addr(), http: running.http },
        state_file: running.cluster.state_file().as_ref().map(views::state_file),
        uptime_seconds: running.started.elapsed().as_secs(),
        warnings: running.warnings(),
    })
}

/// What a handler of a changing request takes.
type Body = Result<Bytes, BytesRejection>;

/// `POST /v1/join`
pub(crate) async fn join(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let body = read(body)?;
    let request: JoinRequest = serde_json::from_slice(&body).map_err(|_| {
        bad_request("the body is no request to join; send {\"addresses\": [\"10.0.0.1:7946\"]}")
    })?;
    if request.addresses.is_empty() || request.addresses.len() > MAX_JOIN {
        return Err(bad_request(format!("send between 1 and {MAX_JOIN} addresses")));
    }
    let report = running.cluster.join(request.addresses).await;
    Ok(json(&JoinAnswer { joined: report.succeeded(), attempts: joining::attempts(&report) }))
}

/// `POST /v1/leave`
pub(crate) async fn leave(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let body = read(body)?;
    if !body.is_empty() && !is_empty_object(&body) {
        return Err(bad_request("a request to leave has no parameters; send {} or nothing"));
    }
    let ending = || Refusal::new(StatusCode::CONFLICT, "the agent is leaving already; wait for it");
    let (reply, answer) = oneshot::channel();
    running.leave.try_send(reply).map_err(|_| ending())?;
    Ok(json(&answer.await.map_err(|_| ending())?))
}

fn is_empty_object(body: &[u8]) -> bool {
    serde_json::from_slice(body)
        .is_ok_and(|object: serde_json::Map<String, serde_json::Value>| object.is_empty())
}

fn read(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is too large; send at most {MAX_BODY} bytes"),
        ),
        _ => bad_request("the body did not come whole; send it again"),
    })
}

pub(super) fn bad_request(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, detail)
}

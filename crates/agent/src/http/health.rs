//! What supervisors ask.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use futures_util::FutureExt;
use mingle::State as MemberState;

use super::Agent;
use super::openapi::Refusals;
use super::problem::Refusal;

/// `GET /healthz`: the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    security(()),
    responses((status = 200, description = "The process answers", body = String), Refusals)
)]
pub(super) const fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the agent is in the cluster, and does not leave it.
#[utoipa::path(
    get,
    path = "/readyz",
    security(()),
    responses((status = 200, description = "It is in the cluster", body = String), Refusals)
)]
pub(super) async fn ready(State(running): Agent) -> Result<&'static str, Refusal> {
    let unready = |detail| Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    let has_seeds = running.has_seeds.load(Ordering::Relaxed);
    let has_joined = running.cluster.joined().now_or_never() == Some(true);
    match running.cluster.local().state {
        MemberState::Left | MemberState::Dead => unready("the agent is leaving"),
        MemberState::Alive | MemberState::Suspect if has_seeds && !has_joined => {
            unready("none of those that it should join has answered yet; see its log")
        }
        MemberState::Alive | MemberState::Suspect => Ok("ok\n"),
    }
}

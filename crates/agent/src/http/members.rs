use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use mingle::{MetaError, SendError};
use serde::Serialize;
use tokio::sync::oneshot;

use super::body::Body;
use super::openapi::Refusals;
use super::problem::Refusal;
use super::{Agent, Name, Pairs, views};
use crate::agent::{Running, Security};
use crate::api::{
    ForceLeaveAnswer, ForceLeaveRequest, JoinAnswer, JoinRequest, LeaveAnswer, Listening, MAX_JOIN,
    MemberView, Nothing, SelfView, StatView, TagsAnswer, TagsRequest,
};
use crate::selection::Selection;
use crate::{joining, output};

/// `GET /v1/members`: all members that the agent knows, or those that match.
#[utoipa::path(
    get,
    path = "/v1/members",
    params(
        ("state" = Option<Vec<String>>, Query, description = "In any of these states"),
        ("name" = Option<String>, Query, description = "Whose name matches this regular expression in whole"),
        ("tag" = Option<Vec<String>>, Query, pattern = "^[^=]+=", description = "Whose tags match all of KEY=REGEX in whole"),
    ),
    responses((status = 200, description = "What is asked for", body = [MemberView]), Refusals)
)]
pub(super) fn list(running: &Running, query: Pairs) -> Result<Response, Refusal> {
    let Query(pairs) =
        query.map_err(|_| bad_request("the query is no list of names and values"))?;
    let selection = Selection::new(pairs).map_err(bad_request)?;
    let members = running.cluster.members();
    let are_few = members.len() <= PIECE;
    let views = members.into_iter().map(|member| views::member(&member));
    let selected = views.filter(move |member| selection.has(member));
    if are_few {
        return Ok(json(&selected.collect::<Vec<_>>()));
    }
    Ok(([JSON], axum::body::Body::from_stream(in_pieces(selected))).into_response())
}

/// How many members are spelled at a time: what makes a long answer hold up nobody else.
const PIECE: usize = 256;

/// A list as [`output::json`] spells it, a piece at a time, as it is read.
fn in_pieces<T: Serialize>(
    mut list: impl Iterator<Item = T>,
) -> impl Stream<Item = Result<String, Infallible>> {
    let (empty, end) = ("[]\n", "\n]\n");
    let mut before = "[";
    let mut is_done = false;
    let pieces = std::iter::from_fn(move || {
        let piece: Vec<_> = list.by_ref().take(PIECE).collect();
        if piece.is_empty() {
            let last = if before == "[" { empty } else { end };
            return (!std::mem::replace(&mut is_done, true)).then(|| last.to_owned());
        }
        let text = output::json(&piece);
        let items = text.strip_prefix('[').and_then(|text| text.strip_suffix(end));
        let items = items.expect("a list that is not empty is spelled so");
        Some(std::mem::replace(&mut before, ",").to_owned() + items)
    });
    stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        Ok(piece)
    })
}

/// `GET /v1/members/{name}`: one member.
#[utoipa::path(
    get,
    path = "/v1/members/{name}",
    params(("name" = String, Path, description = "The member's name")),
    responses((status = 200, description = "What is asked for", body = MemberView), Refusals)
)]
pub(super) fn one(running: &Running, name: Name) -> Result<Response, Refusal> {
    let name = named(name)?;
    let member = running.cluster.member(&name).ok_or_else(|| unknown(&name))?;
    Ok(json(&views::member(&member)))
}

/// The name in a path.
pub(super) fn named(name: Name) -> Result<String, Refusal> {
    name.map(|Path(name)| name).map_err(|_| bad_request("the name in the path is no UTF-8"))
}

/// Nothing is known of this name.
pub(super) fn unknown(name: &str) -> Refusal {
    let detail = format!("nothing is known of {name:?}; see the names in \"mingle members\"");
    Refusal::new(StatusCode::NOT_FOUND, detail)
}

/// `GET /v1/stats`: every counter and gauge.
#[utoipa::path(
    get,
    path = "/v1/stats",
    responses((status = 200, description = "What is asked for", body = [StatView]), Refusals)
)]
pub(super) async fn stats(State(running): Agent) -> Response {
    let stats = running.cluster.stats().await;
    json(&stats.iter().map(views::stat).collect::<Vec<_>>())
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

pub(super) fn json(value: &impl Serialize) -> Response {
    ([JSON], output::json(value)).into_response()
}

/// `GET /v1/self`: the agent itself.
#[utoipa::path(
    get,
    path = "/v1/self",
    responses((status = 200, description = "What is asked for", body = SelfView), Refusals)
)]
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
        listening: Listening {
            gossip: running.cluster.local_addr(),
            http: running.http.to_string(),
            tls: running.access.tls().is_some(),
        },
        state_file: running.cluster.state_file().as_ref().map(views::state_file),
        uptime_seconds: running.started.elapsed().as_secs(),
        warnings: running.warnings(),
    })
}

/// `POST /v1/join`: makes the agent join others.
#[utoipa::path(
    post,
    path = "/v1/join",
    request_body = JoinRequest,
    responses((status = 200, description = "What happened at each address", body = JoinAnswer), Refusals)
)]
pub(crate) async fn join(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let request: JoinRequest =
        body.read("the body is no request to join; send {\"addresses\": [\"10.0.0.1:7946\"]}")?;
    if request.addresses.is_empty() || request.addresses.len() > MAX_JOIN {
        return Err(bad_request(format!("send between 1 and {MAX_JOIN} addresses")));
    }
    let report = running.cluster.join(request.addresses).await;
    Ok(json(&JoinAnswer { joined: report.succeeded(), attempts: joining::attempts(&report) }))
}

/// `POST /v1/tags`: changes the tags of the agent.
#[utoipa::path(
    post,
    path = "/v1/tags",
    request_body = TagsRequest,
    responses((status = 200, description = "What has changed", body = TagsAnswer), Refusals)
)]
pub(super) async fn tags(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let request: TagsRequest = body.read(
        "the body is no change of tags; send {\"set\": {\"role\": \"web\"}, \"delete\": [\"dc\"]}",
    )?;
    if !running.states_tags {
        let detail = "an agent with --delegate none states no tags; start it without that";
        return Err(Refusal::new(StatusCode::CONFLICT, detail));
    }
    // Of two changes at once, neither loses what the other has set.
    let _alone = running.changing.lock().await;
    let mut tags = running.cluster.local().tags.clone();
    tags.retain(|key, _| !request.delete.contains(key));
    tags.extend(request.set);
    running.cluster.set_tags(&tags).await.map_err(|error| match error {
        MetaError::TooLong { .. } => bad_request(error.to_string()),
        _ => Refusal::new(StatusCode::CONFLICT, error.to_string()),
    })?;
    Ok(json(&TagsAnswer { tags }))
}

/// `POST /v1/leave`: makes the agent say goodbye and end.
#[utoipa::path(
    post,
    path = "/v1/leave",
    request_body = Nothing,
    responses((status = 200, description = "It is over", body = LeaveAnswer), Refusals)
)]
pub(crate) async fn leave(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    body.is_empty_for("leave")?;
    let ending = || Refusal::new(StatusCode::CONFLICT, "the agent is leaving already; wait for it");
    let (reply, answer) = oneshot::channel();
    running.leave.try_send(reply).map_err(|_| ending())?;
    Ok(json(&answer.await.map_err(|_| ending())?))
}

/// `POST /v1/force-leave`: says of a dead member that it has left.
#[utoipa::path(
    post,
    path = "/v1/force-leave",
    request_body = ForceLeaveRequest,
    responses((status = 200, description = "What has changed", body = ForceLeaveAnswer), Refusals)
)]
pub(super) async fn force_leave(State(running): Agent, body: Body) -> Result<Response, Refusal> {
    let ForceLeaveRequest { name } =
        body.read("the body names no member; send {\"name\": \"db-3\"}")?;
    if running.cluster.member(&name).is_none() {
        return Err(unknown(&name));
    }
    let conflict = |error: SendError| Refusal::new(StatusCode::CONFLICT, error.to_string());
    running.cluster.force_leave(&name).await.map_err(conflict)?;
    Ok(json(&ForceLeaveAnswer { name, state: mingle::State::Left.as_str().to_owned() }))
}

pub(super) fn bad_request(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_in_pieces_is_the_list_in_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let list: Vec<_> = (0..length).map(|number| [("number", number)]).collect();
            let pieces: Vec<_> = in_pieces(list.clone().into_iter()).collect().await;
            let text: String = pieces.into_iter().map(|Ok(piece)| piece).collect();
            assert_eq!(text, output::json(&list), "{length}");
        }
    }
}

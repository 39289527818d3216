//! What the agent answers over HTTP.

mod body;
mod connections;
mod events;
mod guard;
mod health;
mod logs;
mod members;
mod metrics;
mod openapi;
mod page;
mod problem;
mod seats;
mod settings;
#[cfg(unix)]
mod socket;
mod stream;
pub(crate) mod views;
mod watch;
mod why;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use self::connections::{Connections, bind};
use self::problem::Refusal;
use crate::agent::Running;
use crate::feed::{self, Feed};
use crate::logs::Logs;

/// What every handler gets.
type Agent = State<Arc<Running>>;

/// The name of a member in a path.
type Name = Result<Path<String>, PathRejection>;

/// Names and values in a query; a name may be there more than once.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The most bytes in the body of a request.
const MAX_BODY: usize = 64 * 1024;

fn router(running: Arc<Running>) -> Router {
    Router::new()
        .route("/", get(|| ready(page::index())))
        .route("/page/{name}", get(|name: Name| ready(page::file(name))))
        .route(
            "/v1/members",
            get(|State(agent): Agent, query: Pairs| ready(members::list(&agent, query))),
        )
        .route(
            "/v1/members/{name}",
            get(|State(agent): Agent, name: Name| ready(members::one(&agent, name))),
        )
        .route(
            "/v1/members/{name}/why",
            get(|State(agent): Agent, name: Name| ready(why::of(&agent, name))),
        )
        .route("/v1/recorder", get(|State(agent): Agent| ready(why::recorder(&agent))))
        .route("/v1/self", get(members::itself))
        .route("/v1/watch", get(watch::watch))
        .route("/v1/logs", get(logs::follow))
        .route("/v1/stats", get(members::stats))
        .route("/v1/openapi.json", get(|| ready(openapi::document())))
        .route("/v1/tags", post(members::tags))
        .route("/v1/join", post(members::join))
        .route("/v1/leave", post(members::leave))
        .route("/v1/force-leave", post(members::force_leave))
        .route("/v1/keys", get(settings::keys).post(settings::change_keys))
        .route("/v1/reload", post(settings::reload))
        .route("/metrics", get(metrics::page))
        .route("/healthz", get(|| ready(health::alive())))
        .route("/readyz", get(health::ready))
        .fallback(|| ready(unknown_path()))
        .method_not_allowed_fallback(|| ready(unknown_method()))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&running), guard::guard))
        .with_state(running)
}

fn unknown_path() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "nothing is here; there are /, /v1/members, /v1/members/{name}, /v1/members/{name}/why, /v1/recorder, /v1/self, \
         /v1/stats, /v1/watch, /v1/logs, /v1/openapi.json, /v1/join, /v1/leave, /v1/force-leave, /v1/tags, /v1/keys, /v1/reload, /metrics, \
         /healthz and /readyz",
    )
}

fn unknown_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "use POST for /v1/join, /v1/leave, /v1/force-leave, /v1/tags, /v1/keys and /v1/reload, and GET for \
         /v1/keys and everything else",
    )
}

/// Answers requests until it is stopped.
pub(crate) struct Server {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    feed: Arc<Feed>,
    logs: Arc<Logs>,
}

/// How long answers that are under way may take after the end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

impl Server {
    pub(crate) fn start(connections: Connections, running: Arc<Running>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (feed, logs) = (Arc::clone(&running.feed), Arc::clone(&running.logs));
        // Ends with the node.
        tokio::spawn(feed::run(Arc::clone(&running)));
        let router = router(running);
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            let serving = axum::serve(connections, router).with_graceful_shutdown(stopped);
            serving.await.expect("serving ends when it is told to, and never fails");
        });
        Self { task, stop, feed, logs }
    }

    /// Takes no more requests, ends what watchers are given, and waits for the answers that are under way.
    pub(crate) async fn stop(self) {
        let Self { mut task, stop, feed, logs } = self;
        feed.end();
        logs.end();
        let _ = stop.send(());
        if tokio::time::timeout(LAST_ANSWERS, &mut task).await.is_err() {
            task.abort();
        }
    }
}

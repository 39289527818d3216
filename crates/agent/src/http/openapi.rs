//! What describes the interface to programs.

#![expect(unused_qualifications, reason = "what a macro writes for the refusals")]

use std::sync::LazyLock;

use axum::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{self, InfoBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::{health, logs, members, metrics, settings, watch, why};
use crate::api::{ChangeEvent, GapEvent, LogLine, Problem, SnapshotEvent, StatusEvent};

/// How the agent says no, to whatever is asked.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it stands for answers that are built elsewhere")]
pub(super) enum Refusals {
    /// The request can't be done as it is; the detail says what to change.
    #[response(status = "4XX", content_type = "application/problem+json")]
    Client(Problem),
    /// Not now; the detail says when.
    #[response(status = "5XX", content_type = "application/problem+json")]
    Agent(Problem),
}

#[derive(OpenApi)]
#[openapi(
    paths(
        members::list,
        members::one,
        why::of,
        why::recorder,
        members::itself,
        members::stats,
        watch::watch,
        logs::follow,
        members::tags,
        members::join,
        members::leave,
        members::force_leave,
        settings::keys,
        settings::change_keys,
        settings::reload,
        metrics::page,
        health::alive,
        health::ready,
        document,
    ),
    components(schemas(Problem, SnapshotEvent, ChangeEvent, GapEvent, StatusEvent, LogLine)),
    modifiers(&About)
)]
struct Document;

/// What is the same for every path.
struct About;

impl Modify for About {
    fn modify(&self, document: &mut openapi::OpenApi) {
        document.info = InfoBuilder::new()
            .title("mingle agent")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some("Who is in the cluster, and why. See docs/http.md."))
            .build();
        document.servers = None;
        let schemes = [("bearer", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)];
        let components = document.components.get_or_insert_default();
        for (name, scheme) in schemes {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
        let needed = |name| SecurityRequirement::new(name, Vec::<String>::new());
        // An agent without a token asks for none.
        let none = SecurityRequirement::default();
        document.security = Some(vec![none, needed("bearer"), needed("password")]);
    }
}

static DOCUMENT: LazyLock<openapi::OpenApi> = LazyLock::new(Document::openapi);

/// `GET /v1/openapi.json`: this interface as an `OpenAPI` document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    responses((status = 200, description = "The document", body = Object), Refusals)
)]
pub(super) fn document() -> Response {
    members::json(&*DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described() {
        let routes = include_str!("mod.rs").split(".route").skip(1);
        let path = |text: &'static str| text.split('"').nth(1).unwrap();
        let is_page = |path: &&str| *path == "/" || path.starts_with("/page/");
        let routes: BTreeSet<_> = routes.map(path).filter(|path| !is_page(path)).collect();
        let described: BTreeSet<_> = DOCUMENT.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(routes, described);
    }
}

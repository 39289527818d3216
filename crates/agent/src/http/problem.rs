use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::Problem;
use crate::output;

/// An answer that says why not, as problem details (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// The detail is one sentence with the remedy.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let json = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, json, output::json(&problem)).into_response()
    }
}

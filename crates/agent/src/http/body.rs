//! What requests carry that change something.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use super::MAX_BODY;
use super::members::bad_request;
use super::problem::Refusal;

/// The body of a request that calls itself JSON: a page of another site can't do that without asking first.
pub(super) struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers())? {
            let detail = "requests that change something need Content-Type: application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is too large; send at most {MAX_BODY} bytes"),
            ),
            _ => bad_request("the body did not come whole; send it again"),
        })
    }
}

impl Body {
    /// What it says, or what it should say.
    pub(super) fn read<T: DeserializeOwned>(&self, otherwise: &str) -> Result<T, Refusal> {
        serde_json::from_slice(&self.0).map_err(|_| bad_request(otherwise))
    }

    /// Says nothing, as the request needs nothing said.
    pub(super) fn is_empty_for(&self, what: &str) -> Result<(), Refusal> {
        let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&self.0);
        if self.0.is_empty() || object.is_ok_and(|object| object.is_empty()) {
            return Ok(());
        }
        Err(bad_request(format!("a request to {what} has no parameters; send {{}} or nothing")))
    }
}

/// Whether the one `Content-Type` is JSON, whatever its parameters.
fn is_json(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = values.next().map(HeaderValue::to_str);
    if values.next().is_some() {
        return Err(bad_request("the header content-type is there twice; send it once"));
    }
    let Some(Ok(kind)) = kind else { return Ok(false) };
    let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
    Ok(kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_json() {
        let table = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonp", false),
        ];
        for (kind, expected) in table {
            let mut headers = HeaderMap::new();
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_json(&headers).ok(), Some(expected), "{kind:?}");
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_json(&headers).ok(), None, "{kind:?}");
        }
        assert_eq!(is_json(&HeaderMap::new()).ok(), Some(false));
    }
}

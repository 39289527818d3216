use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::Agent;
use super::problem::Refusal;
use crate::access::{Access, Reach};

/// How long a request may take.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Lets through what comes on purpose from who may ask, and bounds how long it takes.
pub(super) async fn guard(State(running): Agent, request: Request, next: Next) -> Response {
    let span = span(&request);
    let response = answer(&running.access, request, next).instrument(span.clone()).await;
    // Numbers of OpenTelemetry have a sign.
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    response
}

/// Has the names that OpenTelemetry gives these things, and no path that a client made up. Of a watch it
/// is over when the answer begins.
fn span(request: &Request) -> Span {
    let route = request.extensions().get().map_or("elsewhere", MatchedPath::as_str);
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "_OTHER",
    };
    info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty
    )
}

async fn answer(access: &Access, request: Request, next: Next) -> Response {
    let mut response = match check(access, &request) {
        // Who may not ask holds no place.
        Err(refusal) => ([(header::CONNECTION, "close")], refusal).into_response(),
        Ok(()) => {
            let answer = tokio::time::timeout(MAX_TIME, next.run(request)).await;
            answer.unwrap_or_else(|_| {
                let detail = format!("it was not done within {MAX_TIME:?}; ask for less at a time");
                Refusal::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response()
            })
        }
    };
    let is_challenged = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_challenged {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    response
}

/// Browsers ask for a password upon this, and show it from then on.
const CHALLENGE: &str = "Basic realm=\"mingle\", charset=\"UTF-8\"";

/// Which site a browser says that a page belongs to.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What supervisors ask, who have no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// A page of another site, opened in a browser that reaches the agent, can send requests here, with a
/// token that the browser knows. It can't choose these headers: `Host` gives away a name that was
/// pointed at the agent, `Origin` and `Sec-Fetch-Site` where the page is from; [`super::body::Body`] looks at
/// one more.
fn check(access: &Access, request: &Request) -> Result<(), Refusal> {
    let (method, headers) = (request.method(), request.headers());
    let forbid = |detail: &str| Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    let host = only(headers, &header::HOST)?;
    if !host.is_some_and(|host| is_ours(host, access)) {
        return forbid(
            "the Host is not this agent's; ask by an address or localhost, or allow the name with \
             --http-allowed-host",
        );
    }
    let origin = only(headers, &header::ORIGIN)?;
    if origin.is_some() && own(origin, access) != host {
        return forbid("the Origin is another site; ask without one");
    }
    let is_open = OPEN.contains(&request.uri().path());
    if !is_open && !access.admits(only(headers, &header::AUTHORIZATION)?) {
        let detail = "the token is missing or another one; give it as \"Authorization: Bearer TOKEN\", \
                      or as a password with any name";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, detail));
    }
    // Nothing else changes anything, and whoever tries hears what there is instead.
    if method != Method::POST {
        return Ok(());
    }
    if !matches!(only(headers, &SEC_FETCH_SITE)?, None | Some("same-origin" | "none")) {
        return forbid("the request was started by another site; start it here");
    }
    Ok(())
}

/// The host of an `Origin` that may be this agent's page.
fn own<'a>(origin: Option<&'a str>, access: &Access) -> Option<&'a str> {
    let origin = origin?;
    let secure = origin.strip_prefix("https://");
    match (access.tls().is_some(), access.reach) {
        (true, _) => secure,
        // Whatever is in front may speak TLS for us.
        (false, Reach::Network) => secure.or_else(|| origin.strip_prefix("http://")),
        (false, Reach::Loopback | Reach::Socket) => origin.strip_prefix("http://"),
    }
}

/// A header that may stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        (Ok(_) | Err(_), _) => {
            let detail = format!("the header {name} is there twice or is no text; send it once");
            Err(Refusal::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

/// Whether a `Host`, with a port or without, can be no name that somebody else has pointed at this agent.
fn is_ours(host: &str, access: &Access) -> bool {
    let is_ours = |ip: IpAddr| match access.reach {
        Reach::Loopback | Reach::Socket => ip.to_canonical().is_loopback(),
        // An address is no name.
        Reach::Network => true,
    };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return is_ours(address.ip());
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return is_ours(ip);
    }
    let name = match host.split_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        Some(_) => return false,
        None => host,
    };
    let mut allowed = access.hosts.iter().map(String::as_str).chain(["localhost"]);
    allowed.any(|allowed| name.eq_ignore_ascii_case(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status that the headers are refused with.
    fn refused(method: &Method, headers: &[(&'static str, &str)]) -> Option<u16> {
        let mut request = Request::default();
        *request.method_mut() = method.clone();
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value.parse().unwrap());
        }
        check(&Access::loopback(), &request)
            .err()
            .map(|refusal| refusal.into_response().status().as_u16())
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:7374");

    #[test]
    fn only_the_loopback_is_a_host() {
        let fine = ["127.0.0.1", "127.9.9.9:1", "[::1]:7374", "[::1]", "localhost", "LOCALHOST:1"];
        let foreign = ["example.org", "127.0.0.1.example.org", "10.0.0.1:7374", "", "localhost:x"];
        for host in fine {
            assert_eq!(refused(&Method::GET, &[("host", host)]), None, "{host:?}");
        }
        for host in foreign {
            assert_eq!(refused(&Method::GET, &[("host", host)]), Some(403), "{host:?}");
        }
        assert_eq!(refused(&Method::GET, &[]), Some(403));
        assert_eq!(refused(&Method::GET, &[HOST, HOST]), Some(400));
    }

    #[test]
    fn other_origins_are_refused() {
        for origin in ["http://example.org", "null", "https://127.0.0.1:7374", "http://127.0.0.1"] {
            let origin = ("origin", origin);
            assert_eq!(refused(&Method::GET, &[HOST, origin]), Some(403), "{origin:?}");
            assert_eq!(refused(&Method::POST, &[HOST, origin]), Some(403), "{origin:?}");
        }
        let own = ("origin", "http://127.0.0.1:7374");
        assert_eq!(refused(&Method::POST, &[HOST, own]), None);
        assert_eq!(refused(&Method::POST, &[HOST, own, own]), Some(400));
    }

    #[test]
    fn changes_come_from_no_other_site() {
        let table = [
            ("cross-site", Some(403)),
            ("same-site", Some(403)),
            ("same-origin", None),
            ("none", None),
        ];
        for (site, expected) in table {
            let site = ("sec-fetch-site", site);
            assert_eq!(refused(&Method::POST, &[HOST, site]), expected, "{site:?}");
            assert_eq!(refused(&Method::GET, &[HOST, site]), None, "{site:?}");
        }
    }
}

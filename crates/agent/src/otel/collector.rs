use std::env;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Uri, header};

use super::Export;
use crate::client;
use crate::exit::Failure;

/// Who takes what is exported, and how it is sent there.
#[derive(Clone)]
pub(crate) struct Collector {
    http: Agent,
    /// Without a slash at the end.
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// How long a turn is.
    pub(super) every: Duration,
}

/// Why the collector has not taken what was sent.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may later.
    Away(String),
    /// It would not take the same later either.
    Refused(String),
}

/// The variables of every program that exports, with what only some need.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";

/// For one message. A turn has a few.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer. What collectors have to say is short.
const MAX_ANSWER: u64 = 64 << 10;

impl Collector {
    /// Checks where to export to, and what the variables say of it. Nothing is sent.
    pub(crate) fn new(endpoint: &str) -> Result<Self, Failure> {
        let url = checked(endpoint).ok_or_else(|| {
            let given = client::without_secrets(endpoint);
            Failure::Input(format!(
                "--otlp-endpoint {given:?} is no URL of a collector; write scheme, host and port, as \
                 http://127.0.0.1:4318, and secrets into {HEADERS}"
            ))
        })?;
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("mingle/", env!("CARGO_PKG_VERSION")));
        let config = match variable(CERTIFICATE) {
            Some(path) => config.tls_config(client::trust(Path::new(&path))?),
            None if url.starts_with("https:") => {
                return Err(Failure::Input(format!(
                    "--otlp-endpoint {endpoint:?} shows a certificate, and nothing says which ones to \
                     trust; name a PEM file in {CERTIFICATE}"
                )));
            }
            None => config,
        };
        let headers = headers(&variable(HEADERS).unwrap_or_default())?;
        let every = interval(variable(INTERVAL).as_deref())?;
        Ok(Self { http: config.build().into(), url, headers, every })
    }

    pub(crate) fn export(&self, node: &str) -> Export {
        Export::new(self.clone(), node)
    }

    /// Sends one message, and waits for the answer.
    pub(super) fn send(&self, path: &str, message: &impl Message) -> Result<(), Trouble> {
        let mut request = self.http.post(format!("{}{path}", self.url));
        request = request.header(header::CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let away = |error: ureq::Error| Trouble::Away(error.to_string());
        let mut response = request.send(&message.encode_to_vec()).map_err(away)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        match status.as_u16() {
            200..=299 => taken(&body.map_err(away)?),
            429 | 502..=504 => Err(Trouble::Away(format!("{path} answers with {status}"))),
            _ => Err(Trouble::Refused(format!("{path} answers with {status}"))),
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Away(reason) | Self::Refused(reason)) = self;
        f.write_str(reason)
    }
}

/// The answers for metrics and for spans have one shape: how many were not taken, and why.
fn taken(body: &[u8]) -> Result<(), Trouble> {
    let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
    match answer.partial_success {
        Some(part) if part.rejected_spans > 0 => Err(Trouble::Refused(format!(
            "it takes all but {}: {:?}",
            part.rejected_spans, part.error_message
        ))),
        Some(_) | None => Ok(()),
    }
}

fn checked(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let is_fine = matches!(uri.scheme_str()?, "http" | "https")
        && uri.host().is_some_and(|host| !host.is_empty())
        && !authority.contains('@')
        && uri.query().is_none();
    is_fine.then(|| endpoint.trim_end_matches('/').to_owned())
}

/// One that is empty is as one that is not there.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// `name=value,name=value`, the values with `%20` and the like. They are secrets, so none is shown.
fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let mut value: HeaderValue = decoded(value.trim())?.try_into().ok()?;
        value.set_sensitive(true);
        Some((name.trim().parse().ok()?, value))
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    pairs.map(header).collect::<Option<_>>().ok_or_else(|| {
        Failure::Input(format!(
            "{HEADERS} is no list of headers; write it as name=value,name=value"
        ))
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Ten seconds, or as many milliseconds as are asked for.
fn interval(text: Option<&str>) -> Result<Duration, Failure> {
    let Some(text) = text else { return Ok(Duration::from_secs(10)) };
    let millis = text.parse().ok().filter(|millis| (100..=3_600_000).contains(millis));
    millis.map(Duration::from_millis).ok_or_else(|| {
        Failure::Input(format!(
            "{INTERVAL} {text:?} is no number of milliseconds from 100 to 3600000; change or drop it"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_a_host_are_collectors() {
        let table = [
            ("http://127.0.0.1:4318", Some("http://127.0.0.1:4318")),
            ("http://[::1]:4318/", Some("http://[::1]:4318")),
            ("https://collector.example.org/otlp/", Some("https://collector.example.org/otlp")),
            ("collector.example.org:4318", None),
            ("grpc://127.0.0.1:4317", None),
            ("http://", None),
            ("http://user:secret@127.0.0.1:4318", None),
            ("http://127.0.0.1:4318/?key=secret", None),
            ("/v1/traces", None),
            ("", None),
        ];
        for (endpoint, expected) in table {
            assert_eq!(checked(endpoint).as_deref(), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn headers_are_read_as_other_programs_read_them() {
        let read = |text| {
            let headers = headers(text).ok()?;
            let text = |(name, value): &(HeaderName, HeaderValue)| {
                format!("{name}: {}", value.to_str().unwrap())
            };
            Some(headers.iter().map(text).collect::<Vec<_>>().join(", "))
        };
        let table = [
            ("", Some("")),
            ("authorization=Bearer%20a=b", Some("authorization: Bearer a=b")),
            (" X-Scope = blue , key=1,", Some("x-scope: blue, key: 1")),
            ("key", None),
            ("key=%2", None),
            ("key=%zz", None),
            ("no name=1", None),
            ("key=%0a", None),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_turn_has_a_sensible_length() {
        let table = [
            (None, Some(10_000)),
            (Some("100"), Some(100)),
            (Some("60000"), Some(60_000)),
            (Some("99"), None),
            (Some("1m"), None),
            (Some("3600001"), None),
        ];
        for (text, expected) in table {
            let millis = interval(text).ok().map(|every| every.as_millis());
            assert_eq!(millis, expected, "{text:?}");
        }
    }
}

#[cfg(unix)]
mod socket;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::{self, crypto::ring};
use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error, RequestBuilder};

use crate::access::{self, Token};
use crate::api::{
    ChangeEvent, DecisionView, GapEvent, LogLine, Problem, SnapshotEvent, StatusEvent,
};
use crate::cli::AgentAddress;
use crate::endpoint::{Plaintext, Target};
use crate::exit::Failure;
use crate::output::escape;

/// Asks the agent that runs on this machine.
pub(crate) struct Client {
    http: Agent,
    target: Target,
    authorization: Option<String>,
    timeout: Duration,
}

/// What an agent tells those who watch it.
pub(crate) enum Happening {
    Snapshot(SnapshotEvent),
    Change(Box<ChangeEvent>),
    Decision(Box<DecisionView>),
    Gap(GapEvent),
    Status(Box<StatusEvent>),
    /// Round trip times in milliseconds, by name.
    Rtts(BTreeMap<String, f64>),
    Log(Box<LogLine>),
    /// The agent ends.
    End,
    /// What this program does not show.
    Other,
}

/// Reads server-sent events as this agent spells them: one line of data each.
struct Happenings<R>(BufReader<R>);

impl<R: Read> Iterator for Happenings<R> {
    type Item = Result<Happening, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut kind = String::new();
        let mut line = String::new();
        loop {
            line.clear();
            // Whatever ends the stream, the agent has gone.
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("event: ") {
                text.trim_end().clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let stranger = |_| Failure::Unreachable(format!("the event {kind} makes no sense"));
                return Some(happening(&kind, data).map_err(stranger));
            }
        }
    }
}

fn happening(kind: &str, data: &str) -> serde_json::Result<Happening> {
    Ok(match kind {
        "snapshot" => Happening::Snapshot(serde_json::from_str(data)?),
        "change" => Happening::Change(serde_json::from_str(data)?),
        "decision" => Happening::Decision(serde_json::from_str(data)?),
        "gap" => Happening::Gap(serde_json::from_str(data)?),
        "status" => Happening::Status(serde_json::from_str(data)?),
        "rtts" => Happening::Rtts(serde_json::from_str(data)?),
        "log" => Happening::Log(serde_json::from_str(data)?),
        "end" => Happening::End,
        _ => Happening::Other,
    })
}

/// Whether the two could not agree on a secure connection.
fn is_of_tls(error: &Error) -> bool {
    match error {
        Error::Tls(_) | Error::Rustls(_) => true,
        Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}

/// Whether the other side sent something else than TLS.
fn speaks_no_tls(error: &Error) -> bool {
    is_of_tls(error) && error.to_string().contains("InvalidContentType")
}

/// Whether the other side was there, and ended the connection in place of an answer.
fn hung_up(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error {
        Error::Protocol(_) => true,
        Error::Io(error) => [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind()),
        _ => false,
    }
}

/// Trusts the certificates of a file, and no others.
pub(crate) fn trust(path: &Path) -> Result<TlsConfig, Failure> {
    let certificates = access::certificates(path)?;
    let certificates =
        certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    let roots: Vec<_> = certificates.collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}

/// A URL as it may be shown: what somebody put into it as a user, a password or a query is not.
pub(crate) fn without_secrets(url: &str) -> &str {
    if url.contains(['@', '?']) { "(a URL with secrets)" } else { url }
}

/// What a member has at the least.
#[derive(Deserialize)]
struct MemberLike {
    #[serde(rename = "name")]
    _name: IgnoredAny,
    #[serde(rename = "state")]
    _state: IgnoredAny,
}

/// Above what the largest table of members takes.
const MAX_ANSWER: u64 = 1 << 30;

impl Client {
    /// Gives up on each request after `timeout`.
    pub(crate) fn new(agent: &AgentAddress, timeout: Duration) -> Result<Self, Failure> {
        let plaintext = if agent.http_insecure { Plaintext::Anywhere } else { Plaintext::Here };
        let target = Target::parse(&agent.http, plaintext)?;
        let authorization = agent.http_token_file.as_deref().map(Token::read).transpose()?;
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        let trust = agent.http_ca.as_deref().map(trust).transpose()?;
        let config = match trust {
            Some(trust) => config.tls_config(trust).build(),
            None if matches!(&target, Target::Url(url) if url.starts_with("https:")) => {
                return Err(Failure::Input(format!(
                    "{target} shows a certificate, and nothing says which ones to trust; give \
                     --http-ca or MINGLE_HTTP_CA"
                )));
            }
            None => config.build(),
        };
        let http = match &target {
            Target::Url(_) => config.into(),
            #[cfg(unix)]
            Target::Socket(path) => socket::agent(config, path),
            #[cfg(not(unix))]
            Target::Socket(_) => {
                return Err(Failure::Input(format!(
                    "{target}: no unix sockets here; use an address"
                )));
            }
        };
        let authorization = authorization.map(|token| token.header());
        Ok(Self { http, target, authorization, timeout })
    }

    fn url(&self, path: &str) -> String {
        match &self.target {
            Target::Url(url) => format!("{url}{path}"),
            Target::Socket(_) => format!("http://127.0.0.1{path}"),
        }
    }

    /// Shows the token, if there is one.
    fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        }
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.with_token(self.http.get(self.url(path))).call())
    }

    /// Whether the answer is yes.
    pub(crate) fn check(&self, path: &str) -> Result<(), Failure> {
        self.fine(self.with_token(self.http.get(self.url(path))).call()).map(|_| ())
    }

    /// The members that a query selects, in the order of their names and as the agent spells them. It is
    /// JSON, and looks like a list of members.
    pub(crate) fn members(&self, query: &[(&str, &str)]) -> Result<String, Failure> {
        let request = self.with_token(self.http.get(self.url("/v1/members")));
        let body = self.fine(request.query_pairs(query.iter().copied()).call())?;
        let text = String::from_utf8(body).map_err(|_| self.stranger())?;
        serde_json::from_str::<Vec<MemberLike>>(&text).map_err(|_| self.stranger())?;
        Ok(text)
    }

    /// What happens from now on, until the agent ends.
    pub(crate) fn watch(
        &self,
    ) -> Result<impl Iterator<Item = Result<Happening, Failure>> + use<>, Failure> {
        self.stream("/v1/watch")
    }

    /// What the agent logs from now on, up to this level, until it ends.
    pub(crate) fn logs(
        &self,
        level: &str,
    ) -> Result<impl Iterator<Item = Result<Happening, Failure>> + use<>, Failure> {
        self.stream(&format!("/v1/logs?level={level}"))
    }

    fn stream(
        &self,
        path: &str,
    ) -> Result<impl Iterator<Item = Result<Happening, Failure>> + use<>, Failure> {
        let request = self.with_token(self.http.get(self.url(path)));
        let request = request.config().timeout_global(None);
        let request = request.timeout_recv_response(Some(self.timeout)).build();
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.problem(&self.body(response)?));
        }
        Ok(Happenings(BufReader::new(response.into_body().into_reader())))
    }

    /// The agent went away without a word.
    pub(crate) fn lost(&self) -> Failure {
        Failure::Unreachable(format!("the agent at {} has gone: see its log", self.target))
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(self.with_token(self.http.post(self.url(path))).send_json(body))
    }

    fn answer<T: DeserializeOwned>(
        &self,
        result: Result<Response<Body>, Error>,
    ) -> Result<T, Failure> {
        serde_json::from_slice(&self.fine(result)?).map_err(|_| self.stranger())
    }

    /// What an agent says when it says yes.
    fn fine(&self, result: Result<Response<Body>, Error>) -> Result<Vec<u8>, Failure> {
        let response = result.map_err(|error| self.unreachable(&error))?;
        let is_fine = response.status().is_success();
        let body = self.body(response)?;
        if is_fine { Ok(body) } else { Err(self.problem(&body)) }
    }

    fn body(&self, mut response: Response<Body>) -> Result<Vec<u8>, Failure> {
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        body.map_err(|error| self.unreachable(&error))
    }

    /// What the agent says when it says no.
    fn problem(&self, body: &[u8]) -> Failure {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Failure::No(escape(&problem.detail)),
            Err(_) => self.stranger(),
        }
    }

    fn unreachable(&self, error: &Error) -> Failure {
        let Self { target, timeout, .. } = self;
        Failure::Unreachable(match error {
            Error::Timeout(_) => format!(
                "the agent at {target} did not answer within {timeout:?}: \
                 see its log, or name another one with --http or MINGLE_HTTP"
            ),
            _ if speaks_no_tls(error) => format!(
                "the agent at {target} does not speak TLS: ask it with http:// in place of https://"
            ),
            _ if is_of_tls(error) => format!(
                "the agent at {target} has no certificate that --http-ca vouches for: {error}; check \
                 the file, the certificate and its dates"
            ),
            _ if hung_up(error) => format!(
                "something at {target} takes the connection and gives no answer over HTTP: an agent that \
                 has just ended, its port for gossip, or one that wants https://"
            ),
            _ => format!(
                "no agent answers at {target}: \
                 start one with \"mingle agent\", or name it with --http or MINGLE_HTTP"
            ),
        })
    }

    /// Something else has the port.
    pub(crate) fn stranger(&self) -> Failure {
        let target = &self.target;
        Failure::Unreachable(format!(
            "what answers at {target} is no mingle agent: name one with --http or MINGLE_HTTP"
        ))
    }
}

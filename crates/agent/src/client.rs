use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use crate::api::{ChangeEvent, DecisionView, GapEvent, Problem, SnapshotEvent, StatusEvent};
use crate::endpoint::Endpoint;
use crate::exit::Failure;
use crate::output::escape;

/// Asks the agent that runs on this machine.
pub(crate) struct Client {
    http: Agent,
    endpoint: Endpoint,
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
        "end" => Happening::End,
        _ => Happening::Other,
    })
}

/// Above what the largest table of members takes.
const MAX_ANSWER: u64 = 1 << 30;

impl Client {
    /// Gives up on each request after `timeout`.
    pub(crate) fn new(http: &str, timeout: Duration) -> Result<Self, Failure> {
        let endpoint = http.parse()?;
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Ok(Self { http: config.into(), endpoint, timeout })
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let url = format!("{}{path}", self.endpoint);
        self.answer(self.http.get(&url).call())
    }

    /// The same of a path with a query.
    pub(crate) fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let url = format!("{}{path}", self.endpoint);
        self.answer(self.http.get(&url).query_pairs(query.iter().copied()).call())
    }

    /// What happens from now on, until the agent ends.
    pub(crate) fn watch(
        &self,
    ) -> Result<impl Iterator<Item = Result<Happening, Failure>> + use<>, Failure> {
        let url = format!("{}/v1/watch", self.endpoint);
        let request = self.http.get(&url).config().timeout_global(None);
        let request = request.timeout_recv_response(Some(self.timeout)).build();
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.problem(&self.body(response)?));
        }
        Ok(Happenings(BufReader::new(response.into_body().into_reader())))
    }

    /// The agent went away without a word.
    pub(crate) fn lost(&self) -> Failure {
        let endpoint = self.endpoint;
        Failure::Unreachable(format!("the agent at {endpoint} has gone: see its log"))
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: impl Serialize,
    ) -> Result<T, Failure> {
        let url = format!("{}{path}", self.endpoint);
        self.answer(self.http.post(&url).send_json(body))
    }

    fn answer<T: DeserializeOwned>(
        &self,
        result: Result<Response<Body>, Error>,
    ) -> Result<T, Failure> {
        let response = result.map_err(|error| self.unreachable(&error))?;
        let is_fine = response.status().is_success();
        let body = self.body(response)?;
        if is_fine {
            return serde_json::from_slice(&body).map_err(|_| self.stranger());
        }
        Err(self.problem(&body))
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
        let Self { endpoint, timeout, .. } = self;
        Failure::Unreachable(match error {
            Error::Timeout(_) => format!(
                "the agent at {endpoint} did not answer within {timeout:?}: \
                 see its log, or name another one with --http or MINGLE_HTTP"
            ),
            _ => format!(
                "no agent answers at {endpoint}: \
                 start one with \"mingle agent\", or name it with --http or MINGLE_HTTP"
            ),
        })
    }

    /// Something else has the port.
    fn stranger(&self) -> Failure {
        let endpoint = self.endpoint;
        Failure::Unreachable(format!(
            "what answers at {endpoint} is no mingle agent: name one with --http or MINGLE_HTTP"
        ))
    }
}

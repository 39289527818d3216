use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use crate::api::Problem;
use crate::endpoint::Endpoint;
use crate::exit::Failure;
use crate::output::escape;

/// Asks the agent that runs on this machine.
pub(crate) struct Client {
    http: Agent,
    endpoint: Endpoint,
    timeout: Duration,
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
        let mut response = result.map_err(|error| self.unreachable(&error))?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.stranger());
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| self.stranger())?;
        Err(Failure::No(escape(&problem.detail)))
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

use std::collections::BTreeMap;
use std::time::Duration;

use mingle_proto::{Command, Config, Instant, RequestId};

use super::desk::{Checker, Desk};
use crate::scenario::Fault;

/// What was asked of nodes and is not answered yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: BTreeMap<(u32, RequestId), Instant>,
    /// Whether some process may be kept from its exchanges now.
    hindered: bool,
    /// When the last of that ended.
    free_since: Option<Instant>,
}

/// What a node may add to the deadlines of its configuration.
const SLACK: Duration = Duration::from_secs(1);

impl Requests {
    pub(super) fn asked(&mut self, desk: &Desk, host: u32, request: RequestId, what: &Command<'_>) {
        match what {
            Command::Join { .. }
            | Command::Leave { .. }
            | Command::SetMeta { .. }
            | Command::Send { .. }
            | Command::SendStream { .. }
            | Command::ForceLeave { .. } => {
                self.open.insert((host, request), desk.now());
            }
            Command::SetAckPayload(_) | Command::AddSeed { .. } | Command::RemoveSeed { .. } => {}
        }
    }

    pub(super) fn completed(&mut self, desk: &mut Desk, host: u32, request: RequestId) {
        let asked = self.open.remove(&(host, request));
        desk.check(Checker::Requests, asked.is_some(), || {
            format!("it answers request {}, which is not open", request.0)
        });
    }

    /// Whoever has ended answers nothing any more.
    pub(super) fn stopped(&mut self, host: u32) {
        self.open.retain(|&(of, _), _| of != host);
    }

    /// While processes stand still or clocks run wild, deadlines are not those of the configuration.
    pub(super) fn fault(&mut self, fault: &Fault) {
        self.hindered |= matches!(
            fault,
            Fault::Pause { .. } | Fault::Block { .. } | Fault::Slow { .. } | Fault::Drift { .. }
        );
    }

    pub(super) fn calm(&mut self, now: Instant) {
        self.hindered = false;
        self.free_since = Some(now);
    }

    /// Looks at the oldest one of the host.
    pub(super) fn handled(&self, desk: &mut Desk, host: u32, config: &Config) {
        if self.hindered || self.open.is_empty() {
            return;
        }
        let of_host = (host, RequestId(0))..=(host, RequestId(u64::MAX));
        let Some((&(_, request), &asked)) = self.open.range(of_host).next() else { return };
        let waited = desk.now().since(self.free_since.map_or(asked, |free| asked.max(free)));
        let most = config.tcp_timeout.max(config.leave_timeout) + SLACK;
        desk.check(Checker::Requests, waited <= most, || {
            format!("request {} is open for {waited:?}, at most {most:?} it may be", request.0)
        });
    }
}

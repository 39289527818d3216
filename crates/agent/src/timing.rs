//! Timing other than a profile's.

use std::fmt::Write as _;
use std::time::Duration;

use mingle::Config;

/// What `mingle-sim plan` proposes for a group, in place of what the profile says.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Timing {
    /// How often each member probes one other, in place of the profile's; the same on all members
    #[arg(long, value_name = "TIME", env = "MINGLE_PROBE_INTERVAL", value_parser = time)]
    pub(crate) probe_interval: Option<Duration>,
    /// How long a ping waits for its answer before others are asked to try; not above the interval
    #[arg(long, value_name = "TIME", env = "MINGLE_PROBE_TIMEOUT", value_parser = time)]
    pub(crate) probe_timeout: Option<Duration>,
    /// How often news is gossiped while there is any
    #[arg(long, value_name = "TIME", env = "MINGLE_GOSSIP_INTERVAL", value_parser = time)]
    pub(crate) gossip_interval: Option<Duration>,
    /// A suspicion lasts at least so many probe intervals, times the logarithm of the group's size; the
    /// same on all members
    #[arg(long, value_name = "TIMES", env = "MINGLE_SUSPICION_MULT")]
    pub(crate) suspicion_mult: Option<u32>,
}

/// As `250ms` or `1m 30s`.
fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 250ms or 2s"))
}

impl Timing {
    /// A profile with this in it.
    pub(crate) fn of(self, profile: Config) -> Config {
        Config {
            probe_interval: self.probe_interval.unwrap_or(profile.probe_interval),
            probe_timeout: self.probe_timeout.unwrap_or(profile.probe_timeout),
            gossip_interval: self.gossip_interval.unwrap_or(profile.gossip_interval),
            suspicion_mult: self.suspicion_mult.unwrap_or(profile.suspicion_mult),
            ..profile
        }
    }

    /// As flags of another agent that is to have the same.
    pub(crate) fn flags(self) -> String {
        let mut flags = String::new();
        let times = [
            ("probe-interval", self.probe_interval),
            ("probe-timeout", self.probe_timeout),
            ("gossip-interval", self.gossip_interval),
        ];
        for (flag, time) in times {
            if let Some(time) = time {
                let time = humantime::format_duration(time).to_string().replace(' ', "");
                let _ = write!(flags, " --{flag} {time}");
            }
        }
        if let Some(times) = self.suspicion_mult {
            let _ = write!(flags, " --suspicion-mult {times}");
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_profiles() {
        let lan = Config::lan();
        assert_eq!(Timing::default().of(lan.clone()), lan);
        assert_eq!(Timing::default().flags(), "");
        let timing = Timing {
            probe_interval: Some(Duration::from_millis(1250)),
            suspicion_mult: Some(6),
            ..Timing::default()
        };
        let config = timing.of(lan.clone());
        assert_eq!((config.probe_interval.as_millis(), config.suspicion_mult), (1250, 6));
        assert_eq!(config.gossip_interval, lan.gossip_interval);
        assert_eq!(timing.flags(), " --probe-interval 1s250ms --suspicion-mult 6");
        assert_eq!(time("1s250ms"), Ok(Duration::from_millis(1250)));
        assert!(time("soon").unwrap_err().ends_with("write it as 250ms or 2s"));
    }
}

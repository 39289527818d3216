use std::time::{Duration, SystemTime};

use mingle_proto::Instant;

/// Time for the node: nanoseconds since the driver's start.
///
/// On Linux it is `CLOCK_BOOTTIME`, which goes on while the machine is suspended, so that a node
/// which slept knows that it did. Elsewhere it is what std gives.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    #[cfg(target_os = "linux")]
    origin: u64,
    #[cfg(not(target_os = "linux"))]
    origin: std::time::Instant,
}

impl Clock {
    #[cfg(target_os = "linux")]
    pub(crate) fn start() -> Self {
        Self { origin: boottime() }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(boottime().saturating_sub(self.origin))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn now(&self) -> Instant {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos)
    }

    /// From now to `deadline`; zero when it has passed.
    pub(crate) fn until(&self, deadline: Instant) -> Duration {
        deadline.since(self.now())
    }

    /// The wall clock's reading at `at`, as far as it has not been set since.
    pub(crate) fn system_time(&self, at: Instant) -> SystemTime {
        let ago = self.now().since(at);
        SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

#[cfg(target_os = "linux")]
fn boottime() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward() {
        let clock = Clock::start();
        let (before, after) = (clock.now(), clock.now());
        assert!(before <= after);
        assert_eq!(clock.until(before), Duration::ZERO);
        assert!(clock.until(after + Duration::from_secs(5)) > Duration::from_secs(4));
    }
}

//! Waiting for a condition, with a deadline and a reason when it does not come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// What one look at a condition found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt<T> {
    /// The condition holds.
    Done(T),
    /// The condition does not hold yet, and what was seen instead.
    NotYet(String),
}

/// Looks again and again until `attempt` is done.
///
/// # Errors
///
/// The error of `attempt`, at once; when somebody asks this process to end; or, when `timeout` has passed, one that names `what` and
/// what was seen last.
pub fn wait_until<T>(
    what: &str,
    timeout: Duration,
    mut attempt: impl FnMut() -> Result<Attempt<T>>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        interrupt::ensure_not_asked()?;
        match attempt()? {
            Attempt::Done(value) => return Ok(value),
            Attempt::NotYet(seen) if Instant::now() >= deadline => {
                bail!("waited {} s for {what}; seen last: {seen}", timeout.as_secs_f32());
            }
            Attempt::NotYet(_) => std::thread::sleep(LOOK_INTERVAL),
        }
    }
}

const LOOK_INTERVAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sight_is_in_the_error() {
        let error = wait_until::<()>("rain", Duration::ZERO, || Ok(Attempt::NotYet("sun".into())))
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s for rain; seen last: sun");
    }

    #[test]
    fn an_error_ends_the_wait_at_once() {
        let error =
            wait_until::<()>("rain", Duration::from_secs(3600), || bail!("the world ended"))
                .unwrap_err();
        assert_eq!(error.to_string(), "the world ended");
    }
}

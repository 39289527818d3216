//! Whether somebody has asked this process to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

/// From now on, a signal that asks for the end no longer ends this process at once: waits end with an error, and what was made is
/// taken down by those who made it.
///
/// # Errors
///
/// When the system refuses.
pub(crate) fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(asked())).context("listening to signals")?;
    }
    Ok(())
}

/// Makes sure that nobody has asked.
///
/// # Errors
///
/// When somebody has.
pub(crate) fn ensure_not_asked() -> Result<()> {
    ensure!(!asked().load(Ordering::Relaxed), "interrupted");
    Ok(())
}

fn asked() -> &'static Arc<AtomicBool> {
    static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    ASKED.get_or_init(Arc::default)
}

//! The program as its users run it: real processes on the loopback.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod access;
mod agents;
mod changes;
mod commands;
mod config;
mod demo;
mod http;
mod input;
mod otlp;
mod process;
mod recording;
mod state;
#[cfg(unix)]
mod supervisor;
mod watch;
mod why;

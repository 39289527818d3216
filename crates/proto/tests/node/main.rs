//! The machine from outside: what nodes do to each other, the law they keep, and their replay.

#![expect(clippy::unwrap_used, reason = "a test that can not set up its scene has failed")]

mod asking;
mod bounds;
mod cluster;
mod healing;
mod joining;
mod journal;
mod law;
mod lifeguard;
mod links;
mod replay;
mod timing;
mod world;

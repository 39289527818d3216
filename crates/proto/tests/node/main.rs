//! The machine from outside: what nodes do to each other, the law they keep, and their replay.

mod cluster;
mod law;
mod replay;
mod world;

//! The wire against what real programs sent, against hostile bytes, and against itself.

mod bodies;
mod envelopes;
mod golden;
mod hostile;
mod lenient;
mod packets;
mod properties;
mod samples;
mod streams;

//! What the fuzzers run, and the replay of their corpus.
//!
//! Each target is a function of bytes that panics when something does not hold which must hold for all
//! bytes. `fuzz/fuzz_targets/` hands them to the fuzzer; `tests/replay.rs` hands them the corpus.

mod bytes;
mod envelope;
mod envelopes;
mod node;
mod packet;
mod stream;

pub use envelope::envelope;
pub use node::node;
pub use packet::packet;
pub use stream::stream;

/// What a fuzzer calls.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 4] =
    [("packet", packet), ("stream", stream), ("envelope", envelope), ("node", node)];

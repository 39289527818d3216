//! What the fuzzers run, and the replay of their corpus.

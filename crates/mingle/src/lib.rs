//! The membership library.

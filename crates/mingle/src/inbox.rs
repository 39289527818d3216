//! Where datagrams are received.

use std::cell::RefCell;

/// The longest datagram, and a byte.
const LARGEST_DATAGRAM: usize = 65_536;

thread_local! {
    /// For all nodes that take turns on this thread: a node between two turns has none.
    static INBOX: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST_DATAGRAM]);
}

/// Lends the buffer, whatever is in it. Only one borrower at a time: `work` must not come here again.
pub(crate) fn with<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    INBOX.with_borrow_mut(|inbox| work(inbox))
}

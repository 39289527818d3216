//! How many connections one other machine may have, so that it alone can't keep all others waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by where they are from. Those of this machine are not counted.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// The most connections of one address.
pub(super) const MAX_PER_SOURCE: usize = 64;

/// A connection that is counted until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// Nothing for this machine.
    from: Option<IpAddr>,
}

impl Seats {
    /// Room for one more, unless this address has taken all that it may.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let from = from.to_canonical();
        if from.is_loopback() {
            return Some(self.here());
        }
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(from).or_default();
        if *count >= MAX_PER_SOURCE {
            return None;
        }
        *count += 1;
        Some(Seat { seats: Arc::clone(self), from: Some(from) })
    }

    /// Room for a connection of this machine.
    pub(super) fn here(self: &Arc<Self>) -> Seat {
        Seat { seats: Arc::clone(self), from: None }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(from) = self.from else { return };
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_share_and_is_forgotten_when_it_is_gone() {
        let seats = Arc::new(Seats::default());
        let (one, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut held: Vec<_> = (0..MAX_PER_SOURCE).map(|_| seats.take(one).unwrap()).collect();
        assert!(seats.take("::ffff:10.0.0.1".parse().unwrap()).is_none());
        assert!(seats.take(other).is_some());
        held.pop();
        held.push(seats.take(one).unwrap());
        drop(held);
        assert!(seats.0.lock().unwrap().is_empty());
        let here = "127.0.0.1".parse().unwrap();
        let local: Vec<_> = (0..=MAX_PER_SOURCE).map(|_| seats.take(here)).collect();
        assert!(local.iter().all(Option::is_some));
    }
}

//! How many sockets may be open that have not said who they are, and how many lines: in all, and from one address.
//! Shared by the cores; touched when a connection comes and when it has spoken, not by calls.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use landline_wire::address::customer;

/// The counts.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_per_ip: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// In all.
    Total,
    /// From this address.
    Address,
}

/// One socket's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Admission {
    pub(crate) fn new(most: usize, most_per_ip: usize) -> Self {
        Self { most, most_per_ip, state: Mutex::default() }
    }

    /// A place for a socket from this address.
    ///
    /// # Errors
    /// Which bound is reached.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Full> {
        let ip = customer(ip);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.total >= self.most {
            return Err(Full::Total);
        }
        if state.by_ip.get(&ip).is_some_and(|count| *count >= self.most_per_ip) {
            return Err(Full::Address);
        }
        state.total += 1;
        *state.by_ip.entry(ip).or_default() += 1;
        Ok(Place { admission: Arc::clone(self), ip })
    }

    /// Places taken.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total -= 1;
        if let Some(count) = state.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                state.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_per_address_and_come_back() {
        let admission = Arc::new(Admission::new(3, 2));
        let ip = |n| IpAddr::from([127, 0, 0, n]);
        let first = admission.admit(ip(1));
        let _second = admission.admit(ip(1)).unwrap();
        assert_eq!(admission.admit(ip(1)).unwrap_err(), Full::Address);
        let _third = admission.admit(ip(2)).unwrap();
        assert_eq!(admission.admit(ip(3)).unwrap_err(), Full::Total);
        drop(first);
        assert_eq!(admission.len(), 2);
        assert!(admission.admit(ip(3)).is_ok());
    }
}

//! How much one host is called: ten calls a second and 32 in flight, whatever the number of agents and callers behind
//! them. Nobody is made to flood a host by registering its URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::target::Host;
use crate::config::Rate;
use crate::limit::{Bucket, take};

/// Calls per second to one host.
const RATE: Rate = Rate { requests: 10, per_ms: 1_000 };
/// Calls in flight to one host.
const IN_FLIGHT: u32 = 32;
/// Calls in flight to all hosts: each has a connection and may hold a stream window.
const IN_FLIGHT_IN_ALL: u32 = 1_024;
/// Hosts that are remembered before the idle ones are forgotten. Those called within the last second and those with calls
/// in flight stay; both are bounded, by the callers' own rates and by [`IN_FLIGHT_IN_ALL`].
const REMEMBERED: usize = 4_096;

/// Why a call does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The host is called too often, or too many calls to it are in flight. Milliseconds until one may pass.
    Host(u64),
    /// Too many calls are in flight in all.
    Full,
}

struct Gate {
    in_flight: u32,
    bucket: Bucket,
}

#[derive(Default)]
struct State {
    gates: HashMap<Host, Gate>,
    in_flight: u32,
}

/// The gates of all hosts.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<State>>);

/// A call that passed; counts as in flight until it is dropped.
pub(crate) struct Pass {
    gates: Gates,
    host: Host,
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Lets a call through, or says when.
    pub(crate) fn enter(&self, host: &Host, now_ms: i64) -> Result<Pass, Shut> {
        let mut state = self.lock();
        if state.in_flight >= IN_FLIGHT_IN_ALL {
            return Err(Shut::Full);
        }
        if state.gates.len() >= REMEMBERED {
            state.gates.retain(|_, gate| gate.in_flight > 0 || !gate.bucket.is_full(now_ms));
        }
        let gate = state.gates.entry(host.clone()).or_insert(Gate { in_flight: 0, bucket: Bucket::full() });
        if gate.in_flight >= IN_FLIGHT {
            return Err(Shut::Host(u64::from(RATE.per_ms)));
        }
        take(&mut gate.bucket, RATE, now_ms).map_err(Shut::Host)?;
        gate.in_flight += 1;
        state.in_flight += 1;
        Ok(Pass { gates: self.clone(), host: host.clone() })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gates.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(gate) = state.gates.get_mut(&self.host) {
            gate.in_flight = gate.in_flight.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: usize) -> Host {
        Host::Name(format!("h{n}.example"))
    }

    #[test]
    fn a_host_takes_ten_a_second_and_others_are_not_held_up() {
        let gates = Gates::default();
        for _ in 0..10 {
            drop(gates.enter(&host(1), 0).unwrap_or_else(|_| panic!("within the rate")));
        }
        assert_eq!(gates.enter(&host(1), 0).err(), Some(Shut::Host(100)));
        assert!(gates.enter(&host(2), 0).is_ok());
        assert!(gates.enter(&host(1), 100).is_ok());
    }

    #[test]
    fn a_host_holds_32_calls_and_a_finished_one_makes_room() {
        let gates = Gates::default();
        let mut held: Vec<Pass> = (0..32).map(|n| gates.enter(&host(1), n * 1_000).ok().unwrap()).collect();
        assert_eq!(gates.enter(&host(1), 100_000).err(), Some(Shut::Host(1_000)));
        held.pop();
        assert!(gates.enter(&host(1), 100_000).is_ok());
    }

    #[test]
    fn all_hosts_together_have_a_bound_and_idle_ones_are_forgotten() {
        let gates = Gates::default();
        let held: Vec<Pass> = (0..1_024).map(|n| gates.enter(&host(n), 0).ok().unwrap()).collect();
        assert_eq!(gates.enter(&host(9_999), 0).err(), Some(Shut::Full));
        drop(held);
        for n in 0..10_000 {
            drop(gates.enter(&host(n), n as i64 * 1_000).ok().unwrap());
        }
        assert!(gates.lock().gates.len() <= REMEMBERED);
        assert_eq!(gates.lock().in_flight, 0);
    }
}

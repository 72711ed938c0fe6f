//! How many anonymous calls come from each address.

use std::collections::HashMap;
use std::net::IpAddr;

use landline_engine::Now;
use landline_wire::address::customer;
use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::limits::MAX_PUBLIC_CALLERS;

use super::Core;

/// Counts of the present minute.
#[derive(Debug, Default)]
pub(crate) struct PublicCallers {
    minute: u64,
    calls: HashMap<IpAddr, u32>,
}

impl PublicCallers {
    /// Counts a call, if there may be another one from there.
    ///
    /// # Errors
    /// Which bound is reached.
    fn admit(&mut self, ip: IpAddr, most: u32, now: Now) -> Result<(), Bound> {
        let minute = now.ms() / 60_000;
        if self.minute != minute {
            self.minute = minute;
            self.calls.clear();
        }
        let is_full = self.calls.len() >= MAX_PUBLIC_CALLERS;
        match self.calls.get_mut(&customer(ip)) {
            Some(calls) if *calls >= most => return Err(Bound::PublicCalls),
            Some(calls) => *calls += 1,
            None if is_full => return Err(Bound::PublicCallers),
            None => {
                self.calls.insert(customer(ip), 1);
            }
        }
        Ok(())
    }
}

impl Core {
    /// May another anonymous call come from this address? Counts it if so. A window of a minute, per core.
    ///
    /// # Errors
    /// `rate_limited`, until the next minute.
    pub(crate) fn admit_public_call(&self, ip: IpAddr, now: Now) -> Result<(), Problem> {
        let most = self.shared.config.public_calls_per_minute;
        if most == 0 {
            return Ok(());
        }
        // Connections are spread over the cores, and so is the bound.
        let most = most.div_ceil(self.shared.cores as u32);
        self.public_callers.borrow_mut().admit(ip, most, now).map_err(|bound| {
            self.count(bound);
            let seconds = (60 - now.ms() / 1000 % 60) as u32;
            Problem::new(Code::RateLimited, "Too many anonymous calls from this address.").retry_after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn calls_are_bounded_per_address_and_minute_and_so_are_addresses() {
        let mut callers = PublicCallers::default();
        let now = |ms: u64| Now { us: ms * 1000, unix_ms: 0 };
        assert_eq!([0; 3].map(|_| callers.admit(ip(1), 2, now(0))), [Ok(()), Ok(()), Err(Bound::PublicCalls)]);
        for n in 2..=MAX_PUBLIC_CALLERS as u32 {
            assert_eq!(callers.admit(ip(n), 2, now(59_999)), Ok(()));
        }
        assert_eq!(callers.admit(ip(0), 2, now(59_999)), Err(Bound::PublicCallers));
        assert_eq!(callers.admit(ip(2), 2, now(59_999)), Ok(()), "one that is counted already goes on");
        assert_eq!(callers.admit(ip(1), 2, now(60_000)), Ok(()), "a new minute");
        assert_eq!(callers.calls.len(), 1);
    }
}

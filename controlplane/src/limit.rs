//! Rate limits: token buckets per class and caller, pure but for the lock around them.
//!
//! Memory is bounded: buckets live in two generations of at most [`GENERATION`] each, and when the younger one is full
//! the older one is forgotten. A forgotten bucket starts full again, which errs on the caller's side.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use landline_wire::address::customer;
use landline_wire::ids::AgentId;
use landline_wire::limits::BAD_CREDENTIALS_PER_IP_PER_S;

use crate::config::{Class, Rate, RateLimits};

/// Whose bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// A client's address. IPv6 callers count by their /64 ([`customer`]).
    Address(IpAddr),
    /// An agent.
    Agent(AgentId),
}

impl Who {
    /// The bucket of an address.
    pub fn address(ip: IpAddr) -> Self {
        Self::Address(customer(ip))
    }
}

/// A bucket, kept as the time at which it will be full again: refilling it is then no work at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// Unix microseconds; a time in the past is a full bucket.
    full_at_us: i64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full() -> Self {
        Self { full_at_us: 0 }
    }

    /// Is it full, so that forgetting it loses nothing?
    pub(crate) fn is_full(self, now_ms: i64) -> bool {
        self.full_at_us <= now_ms.saturating_mul(1_000)
    }
}

/// Takes one request from a bucket. `Err`: milliseconds until one is there.
pub(crate) fn take(bucket: &mut Bucket, rate: Rate, now_ms: i64) -> Result<(), u64> {
    let now_us = now_ms.saturating_mul(1_000);
    let per_us = i64::from(rate.per_ms) * 1_000;
    let cost_us = per_us / i64::from(rate.requests);
    let after = bucket.full_at_us.max(now_us) + cost_us;
    if after - now_us > per_us {
        return Err((after - now_us - per_us).unsigned_abs().div_ceil(1_000));
    }
    bucket.full_at_us = after;
    Ok(())
}

/// Buckets of one generation: 64 bytes each, so 2 x 50,000 stay under 10 MB.
const GENERATION: usize = 50_000;

#[derive(Default)]
struct Buckets {
    young: HashMap<(u8, Who), Bucket>,
    old: HashMap<(u8, Who), Bucket>,
}

impl Buckets {
    fn get(&mut self, key: (u8, Who)) -> &mut Bucket {
        if !self.young.contains_key(&key) {
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            let bucket = self.old.remove(&key).unwrap_or(Bucket::full());
            self.young.insert(key, bucket);
        }
        self.young.entry(key).or_insert(Bucket::full())
    }
}

/// All buckets of an exchange.
pub struct Limiter {
    limits: RateLimits,
    buckets: Mutex<Buckets>,
}

/// The bucket of failed credentials has a number of its own, apart from the classes.
const BAD_CREDENTIALS: u8 = u8::MAX;
const BAD_CREDENTIALS_RATE: Rate = Rate { requests: BAD_CREDENTIALS_PER_IP_PER_S, per_ms: 1_000 };

impl Limiter {
    /// Full buckets.
    pub fn new(limits: RateLimits) -> Self {
        Self { limits, buckets: Mutex::default() }
    }

    /// Counts a request of a class. `Err`: milliseconds until it would pass.
    pub fn check(&self, class: Class, who: Who, now_ms: i64) -> Result<(), u64> {
        match self.limits.rate(class) {
            None => Ok(()),
            Some(rate) => self.take(class as u8, who, rate, now_ms),
        }
    }

    /// May this address try a credential? `Err`: it tried too many bad ones; milliseconds to wait. Not a setting: it
    /// bounds guessing and the look-ups that guessing costs.
    pub fn may_try_credential(&self, ip: IpAddr, now_ms: i64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut copy = *buckets.get((BAD_CREDENTIALS, Who::address(ip)));
        take(&mut copy, BAD_CREDENTIALS_RATE, now_ms)
    }

    /// Counts a credential that was refused.
    pub fn bad_credential(&self, ip: IpAddr, now_ms: i64) {
        let _ = self.take(BAD_CREDENTIALS, Who::address(ip), BAD_CREDENTIALS_RATE, now_ms);
    }

    fn take(&self, class: u8, who: Who, rate: Rate, now_ms: i64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        take(buckets.get((class, who)), rate, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_size_at_once_and_then_its_rate() {
        let rate = Rate { requests: 10, per_ms: 60_000 };
        let mut bucket = Bucket { full_at_us: 0 };
        let start = 1_700_000_000_000;
        for _ in 0..10 {
            take(&mut bucket, rate, start).unwrap();
        }
        assert_eq!(take(&mut bucket, rate, start), Err(6_000));
        assert_eq!(take(&mut bucket, rate, start + 5_999), Err(1));
        take(&mut bucket, rate, start + 6_000).unwrap();
        assert!(take(&mut bucket, rate, start + 6_000).is_err());
        for _ in 0..10 {
            take(&mut bucket, rate, start + 600_000).unwrap();
        }
        assert!(take(&mut bucket, rate, start + 600_000).is_err(), "an idle bucket never holds more than its size");
    }

    #[test]
    fn only_bad_credentials_are_counted() {
        let limiter = Limiter::new(RateLimits::off());
        let ip = "10.0.0.1".parse().unwrap();
        for _ in 0..1_000 {
            limiter.may_try_credential(ip, 0).unwrap();
        }
        for _ in 0..BAD_CREDENTIALS_PER_IP_PER_S {
            limiter.may_try_credential(ip, 0).unwrap();
            limiter.bad_credential(ip, 0);
        }
        assert_eq!(limiter.may_try_credential(ip, 0), Err(50));
        limiter.may_try_credential(ip, 50).unwrap();
    }

    #[test]
    fn callers_and_classes_have_their_own_buckets() {
        let limiter = Limiter::new("registration=1/h,discovery=1/h,anonymous=off".parse().unwrap());
        let one = Who::address("10.0.0.1".parse().unwrap());
        let two = Who::address("10.0.0.2".parse().unwrap());
        limiter.check(Class::Registration, one, 0).unwrap();
        assert_eq!(limiter.check(Class::Registration, one, 0), Err(3_600_000));
        limiter.check(Class::Registration, two, 0).unwrap();
        limiter.check(Class::Discovery, one, 0).unwrap();
        for _ in 0..10_000 {
            limiter.check(Class::Anonymous, one, 0).unwrap();
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_caller_and_a_mapped_address_is_its_ipv4_one() {
        let who = |text: &str| Who::address(text.parse().unwrap());
        assert_eq!(who("2001:db8::1"), who("2001:db8::ffff:1"));
        assert_ne!(who("2001:db8::1"), who("2001:db8:0:1::1"));
        assert_eq!(who("::ffff:10.0.0.1"), who("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded_however_many_callers_there_are() {
        let limiter = Limiter::new("anonymous=1/h".parse().unwrap());
        for n in 0..(3 * GENERATION as u32) {
            let _ = limiter.check(Class::Anonymous, Who::address(std::net::Ipv4Addr::from(n).into()), 0);
        }
        let buckets = limiter.buckets.lock().unwrap();
        assert!(buckets.young.len() <= GENERATION && buckets.old.len() <= GENERATION);
    }
}

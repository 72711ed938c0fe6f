//! What an address may make a core do before any credential of it was good.

use std::net::IpAddr;

use landline_wire::address::customer;
use landline_wire::limits::{BAD_CREDENTIALS_PER_IP_PER_S, MAX_KEY_LOOKUPS_PER_IP};

use crate::map::Map;
use crate::types::Now;

/// Counts per address. No larger than what is under way, and what was refused in the present second.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    second: u64,
    bad: Map<IpAddr, u32>,
    asked: Map<IpAddr, u32>,
}

impl Strangers {
    /// Were so many credentials from there bad in this second that no further one is looked at?
    pub(super) fn has_failed(&mut self, ip: IpAddr, now: Now) -> bool {
        self.begin(now);
        self.bad.get(&customer(ip)).is_some_and(|count| *count >= BAD_CREDENTIALS_PER_IP_PER_S)
    }

    /// A credential from there was bad.
    pub(super) fn failed(&mut self, ip: IpAddr, now: Now) {
        self.begin(now);
        *self.bad.entry(customer(ip)).or_default() += 1;
    }

    fn begin(&mut self, now: Now) {
        if self.second != now.ms() / 1000 {
            self.second = now.ms() / 1000;
            self.bad.clear();
        }
    }

    /// May a key from there be looked up? If so it counts until [`Strangers::answered`].
    pub(super) fn ask(&mut self, ip: IpAddr) -> bool {
        let asked = self.asked.entry(customer(ip)).or_default();
        let has_room = *asked < MAX_KEY_LOOKUPS_PER_IP;
        *asked += u32::from(has_room);
        has_room
    }

    /// A look-up for that address came to its end.
    pub(super) fn answered(&mut self, ip: IpAddr) {
        let ip = customer(ip);
        if let Some(asked) = self.asked.get_mut(&ip) {
            *asked -= 1;
            if *asked == 0 {
                self.asked.remove(&ip);
            }
        }
    }
}

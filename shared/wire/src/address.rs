//! Whose an address is, as far as bounds per address are concerned.

use std::net::IpAddr;

/// The address that stands for all that one customer has: an IPv4 address, or the /64 of an IPv6 address. Whoever was
/// given one /64 could otherwise come from 2^64 addresses.
pub fn customer(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_64_bits_is_one_customer_and_an_ipv4_address_is_one() {
        let of = |text: &str| customer(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
